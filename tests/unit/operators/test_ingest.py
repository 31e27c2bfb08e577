from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.lake import Lake
from mlops_tasks.partitions import today
from tests.unit.orders import ROWS_PER_DAY, Source, day, of_day, orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

DAY, NIGHT = day(0), day(2)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source.db")


@pytest.fixture
def operator(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> IngestPartitionOperator:
    source.add(0)
    for name, fields in {
        "SHOP_SOURCE": {"conn_type": "sqlite", "host": str(source.path)},
        "LAKE_DEFAULT": {"conn_type": "file", "extra": {"path": str(tmp_path / "lake")}},
        "LEDGER_DEFAULT": {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")},
    }.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    dataset = orders_dataset(tmp_path, source=of_day("orders", "order_date"), delay_days=2)
    return IngestPartitionOperator(task_id="ingest", dataset=dataset)


def execute(operator: IngestPartitionOperator, **params: Any) -> dict[str, Any]:
    run = SimpleNamespace(run_type="scheduled" if params.pop("scheduled", False) else "manual")
    context: Any = {"partition_key": DAY, "params": params, "dag_run": run}
    return operator.execute(context)


def validated(
    operator: IngestPartitionOperator, raw: dict[str, Any], **params: Any
) -> dict[str, Any]:
    """Publish what was ingested, as the next task of the same run does."""
    task = ValidatePartitionOperator(task_id="validate", dataset=operator.dataset, raw=raw)
    ti = SimpleNamespace(dag_id="orders.ingest", run_id="scheduled")
    context: Any = {"ti": ti, "params": params}
    return task.execute(context)


def as_of(lake: Lake, night: str, table: str = "orders") -> list[Any]:
    """Return the items of the day as a training as of a night reads them."""
    rows = lake.table(table).read(first=DAY, last=DAY, known_at=night)
    return sorted(rows.column("items").to_pylist())


def test_a_task_ingests_its_day_and_tells(
    operator: IngestPartitionOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: dict[str, Any] = {}
    monkeypatch.setattr(operator, "report", lambda title, facts: reported.update({title: facts}))
    result = execute(operator)
    json.dumps(result)
    assert (result["table"], result["partition"], result["n_rows"]) == (
        "orders__raw",
        DAY,
        ROWS_PER_DAY,
    )
    (facts,) = reported.values()
    assert facts["source"] == "shop_source: sqlite by SQLAlchemy"
    assert facts["rows"].startswith(f"{ROWS_PER_DAY} in ")
    assert facts["columns"] == [
        "new columns, kept though no contract names them: order_date (string)"
    ]


def test_it_says_as_of_when_the_rows_are_known(
    operator: IngestPartitionOperator, tmp_path: Path
) -> None:
    execute(operator, known_at="2024-03-02")
    execute(operator, scheduled=True)
    execute(operator, known_at=None)
    commits = Lake(tmp_path / "lake").table("orders__raw").all_commits()
    assert [commit.known_at for commit in commits] == ["2024-03-02", "2024-03-03", today()]


def test_a_run_cleared_months_later_hides_the_correction_it_finds(
    operator: IngestPartitionOperator, source: Source, tmp_path: Path
) -> None:
    """A training that is repeated as of the old night reads what it read then."""
    lake = Lake(tmp_path / "lake")
    validated(operator, execute(operator, scheduled=True))
    before, pin = as_of(lake, NIGHT), lake.table("orders").pin(first=DAY, last=DAY, known_at=NIGHT)
    source.run("UPDATE orders SET items = 9 WHERE rowid <= 3")
    validated(operator, execute(operator, scheduled=True))
    assert as_of(lake, NIGHT) == as_of(lake, NIGHT, "orders__raw") == before
    assert lake.table("orders").pin(first=DAY, last=DAY, known_at=NIGHT).digest == pin.digest
    assert as_of(lake, today()).count(9) == 3
    # What the source takes back is no return to the night: others have read the correction.
    source.run("UPDATE orders SET items = 5 WHERE rowid <= 3")
    validated(operator, execute(operator, scheduled=True))
    assert as_of(lake, NIGHT) == before
    assert as_of(lake, today()).count(9) == 0


@pytest.mark.parametrize("place", ["publish:after_commit", "publish:before_commit"])
def test_a_retry_that_finds_the_same_rows_counts_as_the_night(
    operator: IngestPartitionOperator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """Also where the first attempt was killed between its commit and the record of it."""
    monkeypatch.setenv(FAULT_VARIABLE, f"{place}:raise")
    with pytest.raises(InjectedFaultError):
        execute(operator, scheduled=True)
    monkeypatch.delenv(FAULT_VARIABLE)
    for _ in range(2):
        validated(operator, execute(operator, scheduled=True))
    lake = Lake(tmp_path / "lake")
    assert len(as_of(lake, NIGHT)) == ROWS_PER_DAY
    known = {commit.known_at for t in lake.tables() for commit in lake.table(t).all_commits()}
    assert known == {NIGHT}


def test_a_run_in_its_time_may_bring_news(
    operator: IngestPartitionOperator,
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a refreshing run does, or a nightly one where somebody took the day half full before."""
    lake = Lake(tmp_path / "lake")
    validated(operator, execute(operator, known_at=DAY))
    source.run("UPDATE orders SET items = 9 WHERE rowid <= 3")
    monkeypatch.setattr("mlops_tasks.lake.known_at.today", lambda *_: day(3))
    validated(operator, execute(operator, scheduled=True))
    assert [as_of(lake, night).count(9) for night in (day(1), NIGHT)] == [0, 3]
    source.run("UPDATE orders SET items = 9 WHERE rowid <= 4")
    monkeypatch.setattr("mlops_tasks.lake.known_at.today", lambda *_: day(4))
    validated(operator, execute(operator, scheduled=True))
    assert [as_of(lake, night).count(9) for night in (NIGHT, day(3), day(4))] == [3, 3, 4]


def test_a_day_first_taken_after_the_night_is_not_known_before(
    operator: IngestPartitionOperator, tmp_path: Path
) -> None:
    validated(operator, execute(operator, known_at="2024-05-01"), known_at="2024-05-01")
    validated(operator, execute(operator, scheduled=True))
    lake = Lake(tmp_path / "lake")
    assert [len(as_of(lake, night)) for night in (NIGHT, "2024-05-01")] == [0, ROWS_PER_DAY]


def test_a_night_that_is_given_wins(
    operator: IngestPartitionOperator, source: Source, tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    for items, night in enumerate(("2024-03-04", "2024-03-05", "2024-03-06")):
        source.run(f"UPDATE orders SET items = {items}")
        given = {"known_at": night, "scheduled": items == 2}
        validated(operator, execute(operator, **given), known_at=night)
    seen = [as_of(lake, night)[0] for night in ("2024-03-04", "2024-03-05", "2024-03-06")]
    assert seen == [0, 1, 2]


def test_rows_that_a_corrected_suite_lets_in_later_are_known_from_then_on(
    operator: IngestPartitionOperator, source: Source, tmp_path: Path
) -> None:
    """Validating the same rows again is a correction, too, where it publishes others."""
    lake = Lake(tmp_path / "lake")
    source.run("UPDATE orders SET distance = 120 WHERE rowid <= 3")
    raw = execute(operator, scheduled=True)
    validated(operator, raw)
    suite = operator.dataset.expectations
    suite.write_text(suite.read_text().replace("100", "200"))
    validated(operator, raw)
    assert [len(as_of(lake, night)) for night in (NIGHT, today())] == [77, 80]
    quarantined = lake.table("orders__quarantine").commits(first=DAY, last=DAY)
    assert [commit.n_rows for commit in quarantined] == [0]
