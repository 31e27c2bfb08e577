"""``mlops replay``, ``start`` and ``stop``: what they refuse, print and exit with."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_airflow.commands import asked, lifecycle
from mlops_airflow.pausing import all_dags
from mlops_airflow.projects import find_model
from mlops_airflow.rest import AirflowApi, AirflowApiError
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.settings import StackSettings
from tests.quality.discovery import DAGS
from tests.unit.replay.fake_airflow import FakeAirflow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("example_projects")
SPAN = ("--from", "2024-06-10", "--to", "2024-06-24")


class Fake(FakeAirflow):
    """Also remembers which Dags are paused, and may break."""

    broken: Exception | None = None
    heard: dict[str, list[str]] = {}  # noqa: RUF012 - replaced, never changed

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        if self.broken:
            raise self.broken
        self.calls.append(f"{'pause' if paused else 'unpause'} {dag_id}")
        (self.paused.add if paused else self.paused.discard)(dag_id)

    def consumers(self) -> dict[str, list[str]]:
        return self.heard


@pytest.fixture
def airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """An Airflow with the Dags of the demand model, which every command finds."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    handler = signal.getsignal(signal.SIGTERM)
    with patch.dict(
        os.environ,
        {"MLOPS_HOME": str(tmp_path), "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS), "COLUMNS": "200"},
    ):
        dags = all_dags(find_model("demand", DAGS))
        found = Fake("demand", "offers", dags, yes_on="2024-06-23")

        @contextmanager
        def ours(url: str | None, login_file: object) -> Iterator[AirflowApi]:
            yield cast("AirflowApi", found)

        for name in ("replay", "lifecycle"):
            monkeypatch.setattr(f"mlops_airflow.commands.{name}.the_airflow", ours)
        yield found
    signal.signal(signal.SIGTERM, handler)


def mlops(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_replay_plays_and_says_what_happened(airflow: Fake) -> None:
    done = mlops("replay", "demand", *SPAN)
    assert done.exit_code == 0, done.output
    for text in (
        "demand: week 2024-06-10 to 2024-06-24 through Airflow at http://airflow",
        "first champion: version 1, promote: MAE 3.1, as of 2024-06-09",
        "week 2024-06-10, decided as of 2024-06-16: not retrained, because r",
        "week 2024-06-17, decided as of 2024-06-23: retrained, because of performance: r",
        "played 3: 1 trainings, 1 promoted.",
        # Its sales end in 2024.
        "The data of demand have ended with 2024-12-30 (`end` in its spec)",
        "the form of demand.train trains",
    ):
        assert text in done.output
    assert "go on by their schedules" not in done.output


def test_data_that_go_on_are_played_by_their_schedules(
    airflow: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_airflow.pausing.has_ended", lambda spec: False)
    done = mlops("replay", "demand", *SPAN)
    assert "The Dags of demand go on by their schedules; `mlops stop demand` pauses them" in (
        done.output
    )


def test_replay_writes_json_alone_to_stdout(airflow: Fake) -> None:
    done = mlops("replay", "demand", *SPAN, "--json")
    report = json.loads(done.stdout)
    assert [one["key"] for one in report["rounds"]] == ["2024-06-10", "2024-06-17", "2024-06-24"]
    assert report["rounds"][1]["training"]["version"] == "2"
    assert report["first_training"]["promoted"] is True
    assert report["stopped"] is None
    again = json.loads(mlops("replay", "demand", *SPAN, "--json").stdout)
    assert (again["rounds"], again["first_training"]) == ([], None)


def test_failed_run_is_1_and_what_cannot_be_played_is_3(airflow: Fake) -> None:
    airflow.verdict = "keep"
    refused = mlops("replay", "demand", *SPAN)
    assert refused.exit_code == 1
    assert "no first champion came out of demand.train" in refused.output
    airflow.verdict, airflow.scores = "promote", False
    airflow.done.clear()
    stuck = mlops("replay", "demand", *SPAN, "--json")
    assert stuck.exit_code == 3
    assert "demand.score for 2024-06-10 did not run" in json.loads(stuck.stdout)["stopped"]


def test_airflow_that_goes_away_ends_the_replay_with_a_report(
    airflow: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise AirflowApiError("POST /", None, "ConnectError")

    monkeypatch.setattr(airflow, "trigger", away)
    done = mlops("replay", "demand", *SPAN, "--json")
    assert done.exit_code == 3
    assert "Airflow refused a request or went away" in json.loads(done.stdout)["stopped"]


def test_ctrl_c_is_130_and_says_how_to_go_on(
    airflow: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mlops_airflow.replay.Replay.run", interrupted)
    done = mlops("replay", "demand", *SPAN)
    assert done.exit_code == 130
    assert "the same command goes on from here" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("replay", "demnd"), "demand"),
        (("replay", "demand", "--from", "2024-06-11"), "--from: .*2024-06-10"),
        (("replay", "demand", "--to", "2031-01-06"), "--to: "),
        (("start", "weather"), "weather"),
    ],
)
def test_what_is_asked_wrongly_is_3_and_starts_nothing(
    airflow: Fake, words: tuple[str, ...], told: str
) -> None:
    done = mlops(*words)
    assert done.exit_code == 3
    assert airflow.calls == []
    assert re.search(told, done.output)


def test_start_and_stop_are_each_others_reverse(airflow: Fake) -> None:
    airflow.paused = set(airflow.dag_names)
    done = mlops("start", "demand")
    assert done.exit_code == 0, done.output
    assert "No training of demand has been promoted yet" in done.output
    started = [call.removeprefix("unpause ") for call in airflow.calls]
    assert started[:2] == ["demand.reproduce", "demand.rollback"]
    assert started[2:4] == ["demand.release", "demand.train"]
    assert started[-1] == "demand.decide"
    assert airflow.paused == set()
    airflow.calls.clear()
    assert "running (as before)" in mlops("start", "demand").output
    assert airflow.calls == []
    assert mlops("stop", "demand").exit_code == 0
    assert [call.removeprefix("pause ") for call in airflow.calls] == started[::-1]


def test_dry_run_changes_nothing_and_json_says_the_same(airflow: Fake) -> None:
    airflow.paused = set(airflow.dag_names)
    report = json.loads(mlops("start", "demand", "--dry-run", "--json").stdout)
    assert report["dry_run"] is True
    assert {one["becomes"] for one in report["dags"]} == {"running"}
    assert airflow.calls == []
    assert "would be" in mlops("start", "demand", "--dry-run").output


def test_stop_leaves_what_another_dag_hears(airflow: Fake) -> None:
    airflow.dag_names = [*airflow.dag_names, "prices.report"]
    airflow.heard = {"offers": ["demand.score", "prices.report"]}
    done = mlops("stop", "demand")
    assert "left running: prices.report reads it" in done.output
    assert "offers.ingest" not in airflow.paused
    assert "demand.score" in airflow.paused


def test_dag_file_with_an_error_is_shown(airflow: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_airflow.replay.readiness.ERROR_GRACE_S", 0.0)
    airflow.errors = {"demand/dag.py": "SyntaxError: invalid"}
    done = mlops("start", "demand")
    assert done.exit_code == 3
    assert "SyntaxError: invalid" in done.output


def test_without_airflow_it_is_said_how_to_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    env = {"MLOPS_HOME": str(tmp_path), "MLOPS_AIRFLOW_PORT": "1"}
    with patch.dict(os.environ, env | {"AIRFLOW__CORE__DAGS_FOLDER": str(DAGS)}):
        done = mlops("start", "demand")
        assert (done.exit_code, "no stack in" in done.output) == (3, True)
        load_credentials(StackSettings.from_env().secrets_file)
        done = mlops("start", "demand")
    assert done.exit_code == 3
    assert "no Airflow answers at http://127.0.0.1:1" in done.output


def test_airflow_that_goes_away_is_3_and_one_that_forbids_is_1(
    airflow: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Login:
        @contextmanager
        def connect(self) -> Iterator[Any]:
            yield airflow

    monkeypatch.setattr("mlops_airflow.rest.login.find_login", lambda *_: Login())
    monkeypatch.setattr(lifecycle, "the_airflow", asked.the_airflow)
    airflow.paused = set(airflow.dag_names)
    for status, code in ((None, 3), (403, 1)):
        airflow.broken = AirflowApiError("PATCH /", status, "no")
        done = mlops("start", "demand")
        assert (done.exit_code, "PATCH /" in done.output) == (code, True)
