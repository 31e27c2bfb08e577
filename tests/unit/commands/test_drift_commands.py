"""``mlops drift heatmap`` as a person types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from mlops_airflow.commands import drift as commands
from mlops_tasks.drift import Baseline, detect_drift
from mlops_tasks.profiles import Profile
from mlops_tasks.reports import newest_facts, write_report
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake

DAYS = ("2024-03-01", "2024-03-02", "2024-03-03")


@pytest.fixture(autouse=True)
def measured(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the reports of three days in the lake."""
    place = json.dumps({"conn_type": "file", "extra": {"path": str(lake.root)}})
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_DEFAULT", place)
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no stack"))
    rows = pa.table({"x": np.random.default_rng(1).normal(size=500)})
    profile = Profile.of(rows.to_batches(), rows.schema)
    for version, day in enumerate(DAYS):
        report = detect_drift(Baseline.of([profile]), profile, window=day)
        write_report(lake.root, "m__predictions", day, str(version), "", to_json(report))


def call(*words: str) -> tuple[int, str]:
    # A group of one command would otherwise be called without its name.
    done = CliRunner().invoke(commands.app, ["heatmap", *words])
    return done.exit_code, " ".join(done.output.split())


def test_all_days_are_drawn_unless_some_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "drift.png"
    assert call("m", str(file))[0] == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert "2 windows in" in call("m", str(file), "--first", DAYS[1])[1]
    assert "1 windows in" in call("m", str(file), "--last", DAYS[0])[1]


def test_keys_of_any_grain_are_taken_and_nothing_else(tmp_path: Path, lake: Lake) -> None:
    (facts,) = newest_facts(lake.root, "m__predictions", first=DAYS[0], last=DAYS[0])
    for hour in ("2024-03-01T22", "2024-03-01T23", "2024-03-02T00"):
        write_report(lake.root, "hourly__predictions", hour, "1", "", facts)
    file = str(tmp_path / "drift.png")
    assert "3 windows in" in call("hourly", file)[1]
    assert "2 windows in" in call("hourly", file, "--first", "2024-03-01T23")[1]
    assert "2 windows in" in call("hourly", file, "--last", "2024-03-01")[1]
    code, said = call("hourly", file, "--last", "yesterday")
    assert (code, "partition key 'yesterday' is not a day" in said) == (1, True)
    assert (
        "has no drift report, first 2024-04; the task" in call("m", file, "--first", "2024-04")[1]
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [("other", "has no drift report; the task drift"), ("../x", "name '../x' is not allowed")],
)
def test_a_model_without_reports_is_an_error(tmp_path: Path, model: str, message: str) -> None:
    file = tmp_path / "drift.png"
    code, said = call(model, str(file))
    assert (code, file.exists()) == (1, False)
    assert message in said
