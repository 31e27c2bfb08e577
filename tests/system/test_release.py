"""Releases under the real scheduler, triggerer and API: two people, a newer version, silence."""

from __future__ import annotations

import json
import shutil
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mlops_airflow.rest import AirflowApi
from mlops_airflow.rest.records import dag_run
from mlops_airflow.stack.stack import running_stack
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.champions import champion_of, move_champion
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.register import register
from mlops_tasks.steps.release import request_release
from tests.quality.discovery import ROOT
from tests.system.conftest import wait_for
from tests.system.test_replay import write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from mlops_airflow.rest import DagRun
    from mlops_airflow.stack.settings import StackSettings
    from mlops_airflow.stack.stack import Stack
    from mlops_tasks.registry.ledger import LedgerEntry
    from mlops_tasks.registry.versions import RegisteredVersion

MODEL, APPROVE = "late_orders", "approve"
RELEASE, IMPATIENT = f"{MODEL}.release", f"{MODEL}.impatient"
ROLLBACK = f"{MODEL}.rollback"
#: The same task in a Dag that waits for seconds.
IMPATIENT_DAG = f"""
    from datetime import timedelta

    from airflow.sdk import DAG, PartitionedAssetTimetable
    from late_orders.spec import MODEL

    from mlops_airflow.assets import retrain_request_asset
    from mlops_airflow.operators.approve import ApproveReleaseOperator
    from mlops_airflow.operators.release import ReleaseModelOperator
    from mlops_airflow.operators.rollback import RollbackModelOperator

    with DAG(
        "{IMPATIENT}",
        schedule=PartitionedAssetTimetable(assets=retrain_request_asset(MODEL)),
    ) as dag:
        ApproveReleaseOperator(
            task_id="approve", model=MODEL, response_timeout=timedelta(seconds=3)
        ) >> ReleaseModelOperator(task_id="promote", model=MODEL, trigger_rule="none_failed")

    form = {{"version": None, "reason": "silence"}}
    with DAG("{IMPATIENT}_rollback", schedule=None, params=form):
        RollbackModelOperator(
            task_id="rollback", model=MODEL, response_timeout=timedelta(seconds=3)
        )
"""


class Office:
    """A stack, its stores, and two people who may log in."""

    def __init__(self, stack: Stack, api: AirflowApi) -> None:
        self.stack, self.api = stack, api
        self.ledger = Ledger(f"sqlite:///{stack.settings.home / 'ledger.db'}")
        self.tracking = Tracking(stack.mlflow_url, login=stack.mlflow_login)
        passwords = json.loads(stack.settings.passwords_file.read_text())
        self.people = {
            name: httpx.Client(base_url=stack.airflow_url, headers=self._token(name, password))
            for name, password in passwords.items()
        }

    def _token(self, name: str, password: str) -> dict[str, str]:
        said = {"username": name, "password": password}
        answer = httpx.post(f"{self.stack.airflow_url}/auth/token", json=said, timeout=60)
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

    def version(self) -> RegisteredVersion:
        """Train and register a small model, as a training would."""
        import numpy as np
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        rows = pd.DataFrame({"distance": np.linspace(0, 10, 60), "items": np.arange(60) % 5})
        model = LogisticRegression().fit(rows, rows["distance"] > 5)
        pin = {"as_of": "2024-03-10", "train": ["2024-03-02", "2024-03-07"]}
        with self.tracking.run(MODEL, "train") as run_id:
            uri, digest, _ = self.tracking.log_model(model, rows)
            table = {"table": "orders", "first": "2024-03-02", "last": "2024-03-07"}
            table |= {"columns": [], "n_rows": 60, "digest": "d" * 64, "versions": [1]}
            pin |= {"evaluation": ["2024-03-08", "2024-03-09"], "inputs": {"orders": table}}
            stored = self.tracking.log_json(run_id, PIN_FILE, pin | {"labels": table})
        model_id = uri.rpartition("/")[2]
        trained = TrainResult(
            run_id, model_id, uri, digest, 60, {}, 0.1, artifacts={PIN_FILE: stored}
        )
        return register(MODEL, trained, None, tracking=self.tracking, ledger=self.ledger)

    def ask(self, author: str = "schedule") -> str:
        """Let a new version ask, and start its release, as the event of the training does."""
        version, now = self.version(), self.ledger.champion(MODEL)
        assert now is not None
        said = Verdict(
            *("ask", "better for far orders, worse for near ones", 60, {"roc_auc": 0.81}),
            *({"roc_auc": 0.8}, now.version, {}),
            champion_generation=now.generation,
        )
        request = request_release(version, said, as_of="2024-03-10", author=author)
        self.ledger.record_once(
            model=MODEL, kind="release_request", key=version.version, evidence=to_json(request)
        )
        return version.version

    def start(self, number: str, dag_id: str = RELEASE) -> DagRun:
        run = self.api.trigger(dag_id, number, run_id=f"release_{number}")
        self.wait_until_open(run)
        return run

    def wait_until_open(self, run: DagRun, task_id: str = APPROVE) -> None:
        waits = f"{run.run_id} waits for a person"
        wait_for(lambda: self.is_open(run, task_id), waits, timeout_s=180)
        # An answer that comes while the worker still ends the task that asks is lost in Airflow,
        # which runs the task again, and so it is asked again. No person is that fast.
        time.sleep(4)

    def _page(self, run: DagRun, task_id: str) -> str:
        return f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}"

    def is_open(self, run: DagRun, task_id: str) -> bool:
        return self.state(run, task_id) == "deferred" and self.api.waits_for_person(run)

    def state(self, run: DagRun, task_id: str) -> str | None:
        found = {task.task_id: task.state for task in self.api.task_instances(run)}
        return found.get(task_id)

    def answer(
        self, run: DagRun, who: str, option: str, task_id: str = APPROVE, **given: str
    ) -> int:
        body = {"chosen_options": [option], "params_input": given}
        page = f"{self._page(run, task_id)}/-1/hitlDetails"
        return self.people[who].patch(page, json=body, timeout=60).status_code

    def options(self, run: DagRun, task_id: str) -> list[str]:
        page = f"{self._page(run, task_id)}/-1/hitlDetails"
        return list(self.people["bob"].get(page, timeout=60).raise_for_status().json()["options"])

    def ended(self, run: DagRun, *task_ids: str) -> dict[str, str | None]:
        """Wait for the end of tasks, by default those of a release; return what became of them."""
        wanted = task_ids or (APPROVE, "promote")

        def over() -> bool:
            tasks = {task.task_id: task.state for task in self.api.task_instances(run)}
            return {tasks[name] for name in wanted} <= {"success", "failed", "skipped"}

        wait_for(over, f"{run.dag_id} {run.run_id} ends", timeout_s=180)
        tasks = {task.task_id: task.state for task in self.api.task_instances(run)}
        return {name: tasks[name] for name in wanted}

    def promoted(self, how_many: int) -> list[str]:
        """Let new versions become the champion, one after the other."""
        numbers = []
        for _ in range(how_many):
            version, now = self.version(), self.ledger.champion(MODEL)
            assert now is not None
            stores: dict[str, Any] = {"tracking": self.tracking, "ledger": self.ledger}
            about = {"generation": now.generation, "key": "2024-03-10", "evidence": {}}
            move_champion(version, **about, **stores)
            numbers.append(version.version)
        return numbers

    def roll_back(self, run_id: str, dag_id: str = ROLLBACK, **conf: str) -> DagRun:
        return self.api.trigger(dag_id, None, run_id=run_id, conf=conf)

    def evidence(self, number: str) -> str:
        entry = self.ledger.newest(MODEL, "release_request", key=number)
        assert entry is not None
        return str(entry.evidence["evidence"])

    def said(self, number: str) -> list[LedgerEntry]:
        return self.ledger.entries(model=MODEL, kind="approval", key=number, history=True)

    def by_hand(self, dag_id: str) -> DagRun:
        """Wait for the run that somebody has started in the browser, the only one."""
        path, query = f"/api/v2/dags/{dag_id}/dagRuns", {"run_id_pattern": "manual__"}
        rows: list[dict[str, Any]] = []

        def there() -> bool:
            answer = self.people["bob"].get(path, params=query, timeout=60)
            rows[:] = answer.raise_for_status().json()["dag_runs"]
            return bool(rows)

        wait_for(there, f"{dag_id} is triggered", timeout_s=120)
        (found,) = rows
        return dag_run(found)

    def moves(self, kind: str) -> list[LedgerEntry]:
        found = self.ledger.entries(model=MODEL, kind=kind, history=True)
        return sorted(found, key=lambda entry: entry.seq)

    @property
    def champion(self) -> str:
        return champion_of(MODEL, tracking=self.tracking, ledger=self.ledger).version


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, new_settings: Callable[..., StackSettings]
) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    write_project(folder / "dags")
    (folder / "dags" / MODEL / "impatient.py").write_text(dedent(IMPATIENT_DAG).lstrip())
    settings = new_settings(
        folder / "dags",
        {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,bob:op"},
        plugins_folder=ROOT / "plugins",
    )
    with running_stack(settings) as stack, AirflowApi(stack.airflow_url, *stack.login) as api:
        made = Office(stack, api)
        stores: dict[str, Any] = {"tracking": made.tracking, "ledger": made.ledger}
        first = made.version()
        move_champion(first, generation=0, key="2024-03-01", evidence={"reason": "first"}, **stores)
        used = [RELEASE, IMPATIENT, ROLLBACK, f"{IMPATIENT}_rollback"]
        wait_for(lambda: set(used) <= set(api.dags()), "parsed", timeout_s=120)
        api.unpause(used)
        yield made
        for person in made.people.values():
            person.close()


def test_another_person_approves_what_its_author_cannot(office: Office) -> None:
    number = office.ask(author="admin")
    run = office.start(number)
    seen = office.evidence(number)
    assert office.answer(run, "admin", "Approve", evidence=seen, comment="mine") == 200
    wait_for(lambda: office.said(number), "the answer is heard", timeout_s=120)
    office.wait_until_open(run)
    (own,) = office.said(number)
    assert (own.by, own.evidence["counted"]) == ("admin", False)
    assert office.champion != number
    assert office.answer(run, "bob", "Approve", evidence=seen, comment="checked") == 200
    assert office.ended(run) == {APPROVE: "success", "promote": "success"}
    assert office.champion == number
    assert office.answer(run, "bob", "Reject") == 409, "it was answered"
    moves = office.ledger.entries(model=MODEL, kind="promotion", history=True)
    newest = max(moves, key=lambda entry: entry.seq)
    assert (newest.by, newest.evidence["reason"]) == ("bob", "approved by bob: checked")


def test_a_newer_version_supersedes_and_a_rejection_keeps(office: Office) -> None:
    before = office.champion
    old = office.ask()
    waiting = office.start(old)
    new = office.ask()
    assert office.ended(waiting) == {APPROVE: "success", "promote": "skipped"}
    (kept,) = office.said(old)
    assert kept.evidence["reason"] == f"kept: version {new} has asked since and supersedes it"
    run = office.start(new)
    assert office.answer(run, "bob", "Reject", comment="not now", evidence="") == 200
    assert office.ended(run) == {APPROVE: "success", "promote": "skipped"}
    (said,) = office.said(new)
    assert (said.by, said.evidence["reason"]) == ("bob", "rejected by bob: not now")
    assert office.champion == before


def test_silence_keeps(office: Office) -> None:
    before, number = office.champion, office.ask()
    run = office.api.trigger(IMPATIENT, number, run_id=f"impatient_{number}")
    assert office.ended(run) == {APPROVE: "success", "promote": "skipped"}
    (said,) = office.said(number)
    assert said.evidence["reason"] == "kept: nobody has answered in time"
    assert office.champion == before


def test_a_rollback_that_names_no_version_asks_which_and_holds_up_no_other(office: Office) -> None:
    older, newer, now = office.promoted(3)
    asking = office.roll_back("asking", version="", reason="scores too high")
    office.wait_until_open(asking, "rollback")
    found = office.options(asking, "rollback")
    assert [one.split(":")[0] for one in found[:2]] == [f"Version {newer}", f"Version {older}"]
    assert found[-1] == f"Keep version {now}"
    assert office.answer(asking, "bob", "Version 99: made up", "rollback") == 400
    assert office.answer(asking, "bob", found[1], "rollback") == 200
    assert office.ended(asking, "rollback", "score_again") == {
        "rollback": "success",
        "score_again": "skipped",
    }
    assert office.champion == older
    (entry,) = [one for one in office.moves("rollback") if one.evidence["version"] == older]
    assert (entry.by, entry.evidence["reason"]) == ("bob", "scores too high")
    # One that is left alone is overtaken by one that knows where to.
    waiting = office.roll_back("waiting", version="", reason="which one was it")
    office.wait_until_open(waiting, "rollback")
    named = office.roll_back("named", version=newer, reason="it was right")
    assert office.ended(named, "rollback") == {"rollback": "success"}
    assert office.ended(waiting, "rollback") == {"rollback": "skipped"}
    assert office.champion == newer
    usual = office.roll_back("usual", reason="left as it is")
    assert office.ended(usual, "rollback") == {"rollback": "success"}
    silent = office.roll_back("silent", f"{IMPATIENT}_rollback", reason="nobody is here")
    before = office.champion
    assert office.ended(silent, "rollback") == {"rollback": "skipped"}
    assert office.champion == before
    *_, last = office.moves("rollback_answer")
    assert (last.by, last.evidence["version"]) == ("", None)
    assert last.evidence["reason"] == "nobody has chosen in time"


@pytest.fixture
def page(office: Office) -> Iterator[Page]:
    """A browser in which bob has logged in."""
    from playwright.sync_api import sync_playwright

    if not shutil.which("chromium"):
        pytest.skip("no browser: install chromium")
    passwords = json.loads(office.stack.settings.passwords_file.read_text())
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        found = browser.new_page(viewport={"width": 1280, "height": 1100}, color_scheme="dark")
        found.set_default_timeout(60_000)
        found.goto(office.api.base_url)
        found.fill("input[name=username]", "bob")
        found.fill("input[name=password]", passwords["bob"])
        found.keyboard.press("Enter")
        found.wait_for_selector("text=Dags")
        yield found
        browser.close()


def test_a_person_sees_what_to_decide_on_and_clicks(
    office: Office, page: Page, tmp_path: Path
) -> None:
    for option, follows in (("Reject", "skipped"), ("Approve", "success")):
        number, before = office.ask(author="admin"), office.champion
        run = office.start(number)
        page.goto(f"{office.api.task_url(run, APPROVE)}/required_actions")
        page.wait_for_selector("text=better for far orders")
        page.screenshot(path=tmp_path / f"{option}.png")
        page.get_by_test_id(f"hitl-option-{option}").click()
        assert office.ended(run) == {APPROVE: "success", "promote": follows}
        assert office.champion == (number if option == "Approve" else before)
        (said,) = office.said(number)
        assert (said.by, said.evidence["approved"]) == ("bob", option == "Approve")


def test_a_person_chooses_a_past_champion_from_a_list(
    office: Office, page: Page, tmp_path: Path
) -> None:
    first, *_, now = office.promoted(5)
    page.goto(f"{office.api.base_url}/dags/{ROLLBACK}")
    page.get_by_test_id("trigger-dag-button").first.click()
    reason, again = page.locator("#element_reason"), page.locator("[data-value=trigger]")
    reason.or_(again).first.wait_for()
    if again.is_visible():  # a menu, where there were runs before
        again.click()
    reason.fill("scores too high")
    assert page.locator("#element_version").input_value() == "previous"
    page.locator("#element_version").fill("")
    page.screenshot(path=tmp_path / "form.png")
    page.get_by_test_id("trigger-dag-submit").click()
    run = office.by_hand(ROLLBACK)
    office.wait_until_open(run, "rollback")
    page.goto(f"{office.api.task_url(run, 'rollback')}/required_actions")
    page.wait_for_selector(f"text=wants to leave version {now}")
    page.locator("#element_chosen_options").click()
    page.screenshot(path=tmp_path / "list.png")
    page.get_by_role("option", name=f"Version {first}: champion since").click()
    page.get_by_role("button", name="Respond").click()
    assert office.ended(run, "rollback") == {"rollback": "success"}
    assert office.champion == first
    assert office.moves("rollback")[-1].by == "bob"
