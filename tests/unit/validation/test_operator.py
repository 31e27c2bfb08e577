"""The validate task: evidence, log and link, also where the partition is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.links import ReportLink
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_tasks.exceptions import ValidationFailedError
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import DatasetSpec
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]

DAY = day(0)


@pytest.fixture(autouse=True)
def connections(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"conn_type": "file", "extra": {"path": str(lake.root)}}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_DEFAULT", json.dumps(place))
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_LAKE", json.dumps(place))
    database = {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER_DEFAULT", json.dumps(database))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8181/base")


@pytest.fixture
def spec(tmp_path: Path) -> DatasetSpec:
    return orders_dataset(tmp_path, max_quarantined_share=0.2)


def run(
    spec: DatasetSpec, raw: Any, run_id: str, *, known_at: str | None = None, **options: Any
) -> tuple[ValidatePartitionOperator, dict[str, Any]]:
    task = ValidatePartitionOperator(task_id="validate", dataset=spec, raw=asdict(raw), **options)
    ti = SimpleNamespace(dag_id="orders.ingest", run_id=run_id)
    context: Any = {"ti": ti, "params": {"known_at": known_at}}
    return task, task.execute(context)


def test_evidence_goes_to_the_ledger_and_the_report_to_the_link(
    night: Nights, spec: DatasetSpec, ledger: Ledger, orders: Orders
) -> None:
    raw = night.raw(spec, 0, orders(items={0: None}))
    task, evidence = run(spec, raw, "first")
    assert (evidence["n_rows_in"], evidence["n_validated"], evidence["n_quarantined"]) == (
        80,
        79,
        1,
    )
    assert evidence["raw_version"] == raw.version
    assert evidence["report"].startswith("_reports/orders/")
    (entry,) = ledger.entries(kind="validation")
    assert entry.evidence == evidence
    assert (entry.model, entry.key, entry.dag_run) == ("orders", DAY, "orders.ingest/first")
    link = ReportLink().get_link(task, ti_key=SimpleNamespace())  # type: ignore[arg-type]
    version = evidence["version"]
    assert link == f"http://127.0.0.1:8181/base/mlops/reports/orders/{DAY}/{version}"


def test_a_refused_partition_leaves_its_report_and_a_refusal(
    night: Nights, spec: DatasetSpec, ledger: Ledger, lake: Lake, orders: Orders
) -> None:
    raw = night.raw(spec, 0, orders().slice(0, 1))
    task = ValidatePartitionOperator(task_id="validate", dataset=spec, raw=asdict(raw))
    context: Any = {
        "ti": SimpleNamespace(dag_id="orders.ingest", run_id="first"),
        "params": {},
    }
    with pytest.raises(ValidationFailedError, match="not published"):
        task.execute(context)
    (entry,) = ledger.entries(kind="refusal")
    assert "observed 1" in entry.evidence["reason"]
    assert (lake.root / entry.evidence["report"]).is_file()
    assert task.report_url.endswith(f"/reports/orders/{DAY}/refused-{raw.version}")
    assert ledger.entries(kind="validation") == []


def test_a_day_that_comes_again_is_compared_with_what_another_run_published(
    night: Nights,
    spec: DatasetSpec,
    ledger: Ledger,
    orders: Orders,
) -> None:
    _, first = run(spec, night.raw(spec, 0, orders()), "first")
    night.token += 1
    with pytest.raises(AirflowSkipException, match="unchanged"):
        run(spec, night.raw(spec, 0, orders()), "second")
    night.token += 5
    _, third = run(spec, night.raw(spec, 0, orders(items={3: 77})), "third")
    changes = third["changes"]
    assert (changes["added"], changes["changed"], changes["columns"]) == (0, 1, {"items": 1})
    assert changes["since"] > first["version"]
    assert json.dumps(third, allow_nan=False)


def test_another_lake_than_the_web_server_knows_has_no_link(
    night: Nights, spec: DatasetSpec, orders: Orders
) -> None:
    task, evidence = run(spec, night.raw(spec, 0, orders()), "x", lake_conn_id="other_lake")
    assert evidence["report"]
    assert ReportLink().get_link(task, ti_key=SimpleNamespace()) == ""  # type: ignore[arg-type]


def test_a_retry_of_the_same_run_emits_its_event_again(
    night: Nights, spec: DatasetSpec, orders: Orders
) -> None:
    raw = night.raw(spec, 0, orders())
    _, first = run(spec, raw, "same")
    _, again = run(spec, raw, "same")
    assert again["digest"] == first["digest"]
    assert again["version"] > first["version"]
