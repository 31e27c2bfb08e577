"""A project that is written by hand, word for word, on a real stack: files, commands, clicks."""

from __future__ import annotations

import io
import subprocess
import time
from datetime import date
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from demo.__main__ import Session
from mlops_airflow.replay import View, wait_until_quiet
from mlops_airflow.rest import AirflowApi
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment, tool
from mlops_airflow.stack.stack import running_stack
from tests.docs.pages import blocks
from tests.quality.discovery import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

PAGE = ROOT / "docs" / "how-to" / "write-a-project.md"
MODEL, DAYS = "low_visibility", 31
DATASETS = ("airport_hours", "airport_weather", "airport_visibility")
DAGS = [
    *(f"{MODEL}.{verb}" for verb in ("score", "monitor", "decide", "train", "release")),
    *(f"{name}.ingest" for name in DATASETS),
]


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the reader has written."""
    folder = tmp_path_factory.mktemp("reader")
    for block in blocks(PAGE):
        if block.file:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
    return folder / "dags"


@pytest.fixture(scope="module")
def session(dags: Path, new_settings: Callable[..., StackSettings]) -> Iterator[Session]:
    """A stack on which somebody has followed section 7 to its end."""
    settings = new_settings(dags, plugins_folder=ROOT / "plugins")
    with running_stack(settings) as stack, AirflowApi(stack.airflow_url, *stack.login) as api:
        session = Session(stack, api, View(Console(file=io.StringIO())))
        session.advance(date(2013, 1, DAYS).isoformat())
        take_in_january(settings)
        assert not any(dag.is_paused for name, dag in api.dags().items() if name in DAGS)
        wait_until(lambda: all(len(successes(api, f"{name}.ingest")) == DAYS for name in DATASETS))
        api.trigger(f"{MODEL}.train", None, run_id="by_hand", note="", conf={"as_of": "2013-01-31"})
        wait_until_quiet(api, lambda *_: None)
        yield session


def take_in_january(settings: StackSettings) -> None:
    """Run the commands of the page in the environment that ``mlops run`` gives them."""
    (command,) = [b.text for b in blocks(PAGE) if "backfill create" in b.text]
    script = command.replace(".venv/bin/mlops run airflow", tool("airflow"))
    script = script.replace(".venv/bin/mlops", tool("mlops"))
    env = component_environment(settings, load_credentials(settings.secrets_file))
    subprocess.run(["bash", "-euc", script], env=env, check=True, capture_output=True)


def successes(api: AirflowApi, dag_id: str) -> list[str | None]:
    return [run.partition_key for run in api.runs(dag_id, states=("success",))]


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 600.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "January was not taken in"
        time.sleep(1.0)


def test_the_sequence_ends_in_a_champion(session: Session) -> None:
    champion = session.ledger.champion(MODEL)
    assert champion is not None
    assert champion.version == "1"


def test_what_was_backfilled_is_marked_as_assumed_where_it_is_used(session: Session) -> None:
    for name in DATASETS:
        delay = 1 if name == "airport_visibility" else 0
        for commit in session.lake.table(name).all_commits():
            due = date.fromisoformat(commit.partition).toordinal() + delay
            assert date.fromisoformat(commit.known_at).toordinal() == due
            assert commit.assumed
            assert commit.committed_at > "2026"
    (pin,) = session.ledger.entries(model=MODEL, kind="pin")
    # As of the 31st the labels of 30 days are due, and the hours of none are missing.
    assert pin.evidence["labels"]["assumed"] == len(pin.evidence["labels"]["versions"]) == 30
    (verdict,) = session.ledger.entries(model=MODEL, kind="verdict")
    assert verdict.evidence["verdict"] == "promote"
    assert verdict.evidence["assumed"] == dict.fromkeys(DATASETS, 30)
    page = session.tracking.by_version(MODEL, "1").tags["mlops.assumed"]
    assert page.startswith("known by schedule: 30 partitions of airport_hours, ")


def test_the_logs_say_so(session: Session) -> None:
    (run,) = session.api.runs(f"{MODEL}.train")
    tasks = {task.task_id: task for task in session.api.task_instances(run)}
    for task in ("pin", "evaluate"):
        text = "\n".join(session.api.log_tail(run, tasks[task], n_lines=60))
        assert "30 of 30 partitions of airport_visibility assumed from its schedule" in text
    (first,) = [
        run for run in session.api.runs("airport_hours.ingest") if run.partition_key == "2013-01-01"
    ]
    for task in session.api.task_instances(first):
        text = "\n".join(session.api.log_tail(first, task, n_lines=60))
        assert "as of 2013-01-01, assumed from its schedule; committed 2" in text
