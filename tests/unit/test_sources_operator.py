from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.ingestion import IngestPartitionOperator
from mlops_tasks.lake import Lake
from tests.unit.orders import ROWS_PER_DAY, Source, day, of_day, orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

DAY = day(0)


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IngestPartitionOperator:
    source = Source(tmp_path / "source.db")
    source.add(0)
    for name, fields in {
        "SHOP_SOURCE": {"conn_type": "sqlite", "host": str(source.path)},
        "LAKE_DEFAULT": {"conn_type": "file", "extra": {"path": str(tmp_path / "lake")}},
        "LEDGER_DEFAULT": {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")},
    }.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    dataset = orders_dataset(tmp_path, source=of_day("orders", "order_date"))
    return IngestPartitionOperator(task_id="ingest", dataset=dataset, nights=2)


def execute(operator: IngestPartitionOperator, **params: Any) -> dict[str, Any]:
    run = SimpleNamespace(run_type="scheduled" if params.pop("scheduled", False) else "manual")
    context: Any = {"partition_key": DAY, "params": params, "dag_run": run}
    return operator.execute(context)


def test_a_task_ingests_its_day_and_tells(
    operator: IngestPartitionOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(operator, "report", lambda title, facts: told.update({title: facts}))
    result = execute(operator)
    json.dumps(result)
    assert (result["table"], result["partition"], result["n_rows"]) == (
        "orders__raw",
        DAY,
        ROWS_PER_DAY,
    )
    (facts,) = told.values()
    assert facts["source"] == "shop_source: sqlite by SQLAlchemy"
    assert facts["rows"].startswith(f"{ROWS_PER_DAY} in ")
    assert facts["columns"] == [
        "new columns, kept though no contract names them: order_date (string)"
    ]


def test_it_says_as_of_when_the_rows_are_known(
    operator: IngestPartitionOperator, tmp_path: Path
) -> None:
    execute(operator, known_at=None)
    execute(operator, known_at="2024-03-02")
    execute(operator, scheduled=True)
    commits = Lake(tmp_path / "lake").all_commits("orders__raw")
    assert [commit.known_at for commit in commits][1:] == ["2024-03-02", "2024-03-03"]
