"""One night of real flights on a real stack, seen by REST, by MLflow and in a browser."""

from __future__ import annotations

import io
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from demo.__main__ import Session
from mlops_airflow.replay import RunFailedError, View, wait_until_quiet
from mlops_airflow.rest import AirflowApi
from mlops_airflow.stack.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_airflow.rest import DagRun
    from mlops_airflow.stack.settings import StackSettings

REPOSITORY = Path(__file__).parents[2]
NIGHT = date(2013, 2, 1)


@pytest.fixture(scope="module")
def session(new_settings: Callable[..., StackSettings]) -> Iterator[Session]:
    """A stack on which January was taken in, a champion trained and one night replayed."""
    settings = new_settings(REPOSITORY / "dags", plugins_folder=REPOSITORY / "plugins")
    with running_stack(settings) as stack:
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
        with AirflowApi(stack.airflow_url, *stack.login) as api:
            session = Session(stack, api, View(Console(file=io.StringIO())))
            session.stack = stack
            session.replay.prepare()
            session.replay.play(NIGHT.isoformat(), lambda *_: None)
            yield session


def run_of(session: Session, dag_id: str, key: str) -> DagRun:
    (run,) = [run for run in session.api.runs(dag_id) if run.partition_key == key]
    return run


def test_the_night_was_scored_and_decided(session: Session) -> None:
    day = NIGHT.isoformat()
    predictions = session.lake.table("flight_delays__predictions").read(first=day, last=day)
    flights = session.lake.table("flights").read(first=day, last=day)
    assert predictions.num_rows == flights.num_rows > 500
    assert set(predictions.column("model_version").to_pylist()) == {"1"}
    (drift,) = session.ledger.entries(model="flight_delays", kind="drift")
    assert drift.key == day
    (decision,) = session.ledger.entries(model="flight_delays", kind="decision")
    assert decision.evidence["reason"]
    states = {
        task.task_id: task.state
        for task in session.api.task_instances(run_of(session, "flight_delays.decide", day))
    }
    asked = "success" if decision.evidence["retrain"] else "skipped"
    assert states == {"decide": "success", "request_retraining": asked, "incidents": "success"}


def test_the_champion_leads_to_its_task_and_back(session: Session) -> None:
    champion = session.ledger.champion("flight_delays")
    assert champion is not None
    version = session.tracking.by_version("flight_delays", champion.version)
    assert "champion" in version.aliases
    page = session.tracking.client.get_model_version("flight_delays", champion.version)
    run = session.tracking.client.get_run(version.run_id)
    log_url = run.data.tags["airflow.log_url"]
    assert log_url.startswith(session.api.base_url)
    assert log_url in run.data.tags["mlflow.note.content"]
    assert version.tags["airflow.log_url"] in page.description
    assert version.run_id in page.description
    assert run.info.status == "FINISHED"


def test_the_log_of_a_task_tells_the_story(session: Session) -> None:
    run = run_of(session, "flight_delays.train", "2013-01-31")
    tasks = {task.task_id: task for task in session.api.task_instances(run)}
    text = "\n".join(session.api.log_tail(run, tasks["evaluate"], n_lines=40))
    for part in ("evaluated flight_delays as of 2013-01-31", "verdict", "because", "MLflow run"):
        assert part in text


def test_a_day_without_rows_fails_at_once_and_publishes_nothing(session: Session) -> None:
    before = session.lake.table("flights").partitions()
    run = session.api.trigger("flights.ingest", "2013-12-25", run_id="no_such_day")
    with pytest.raises(RunFailedError):
        wait_until_quiet(session.api, lambda *_: None)
    tasks = {task.task_id: task for task in session.api.task_instances(run)}
    assert tasks["ingest"].state == "failed"
    text = "\n".join(session.api.log_tail(run, tasks["ingest"], n_lines=60))
    assert "EmptyPartitionError" in text
    assert "nothing was published" in text
    assert session.lake.table("flights").partitions() == before


@pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("google-chrome")),
    reason="no browser: install chromium",
)
def test_a_person_sees_the_dags_and_reads_a_log(session: Session, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    user, password = session.stack.login
    run = run_of(session, "flight_delays.train", "2013-01-31")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=flags
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1180})
        page.goto(session.api.base_url)
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Dags", timeout=30_000)
        page.goto(f"{session.api.base_url}/dags")
        for dag_id in ("flights.ingest", "flight_delays.score", "flight_delays.train"):
            page.wait_for_selector(f"text={dag_id}", timeout=30_000)
        page.goto(f"{session.api.run_url(run)}/tasks/evaluate")
        page.wait_for_selector("text=evaluated flight_delays as of", timeout=30_000)
        page.screenshot(path=tmp_path / "log.png")
        night = NIGHT.isoformat()
        for dag_id, task, heading in (
            ("flights.ingest", "validate", f"flights · {night}"),
            ("flight_delays.score", "drift", f"Drift of flight_delays: {night}"),
        ):
            page.goto(f"{session.api.run_url(run_of(session, dag_id, night))}/tasks/{task}")
            with page.context.expect_page() as opened:
                page.click("a:has-text('Report')", timeout=30_000)
            opened.value.wait_for_selector(f"h1:has-text('{heading}')", timeout=30_000)
            opened.value.screenshot(path=tmp_path / f"{task}.png")
        browser.close()
    assert (tmp_path / "log.png").stat().st_size > 10_000


def test_the_report_can_be_read_by_a_program(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert session.report(file) is False  # one night does not close the loop
    report = json.loads(file.read_text())
    assert report["closed"] is False
