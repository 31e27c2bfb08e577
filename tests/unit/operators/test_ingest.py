from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.hooks.source import SourceHook
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_tasks.exceptions import StaleAttemptError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.lake import Lake
from mlops_tasks.partitions import today
from mlops_tasks.steps.ingest import ingest
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
    dataset = orders_dataset(tmp_path, source=of_day("orders", "order_date"), delay="2d")
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


def test_what_is_first_taken_in_by_hand_is_known_as_by_its_schedule(
    operator: IngestPartitionOperator, source: Source, tmp_path: Path
) -> None:
    """Three nights are between 2024-03-01 and the run that takes it, on the 4th."""
    lake, was = Lake(tmp_path / "lake"), datetime.now(UTC).replace(microsecond=0)
    validated(operator, execute(operator))
    validated(operator, execute(operator))  # again, and nothing is new
    source.run("UPDATE orders SET items = 9 WHERE rowid <= 3")
    validated(operator, execute(operator))
    for table in ("orders__raw", "orders"):
        first, again, correction = lake.table(table).all_commits()
        for commit in (first, again):
            assert (commit.known_at, commit.known_by, commit.assumed) == (NIGHT, "assumed", True)
        assert (correction.known_at, correction.assumed) == (today(), False)
        for commit in (first, again, correction):
            really = datetime.fromisoformat(commit.committed_at)
            assert was <= really <= datetime.now(UTC), "what was really known, and when"
    assert as_of(lake, NIGHT).count(9) == 0
    assert as_of(lake, today()).count(9) == 3
    assert as_of(lake, day(1)) == []


def test_a_day_that_is_given_is_no_assumption(
    operator: IngestPartitionOperator, tmp_path: Path
) -> None:
    validated(operator, execute(operator, known_at="2024-03-02"), known_at="2024-03-02")
    execute(operator, scheduled=True)
    execute(operator, known_at=None)
    lake = Lake(tmp_path / "lake")
    commits = [*lake.table("orders").all_commits(), *lake.table("orders__raw").all_commits()]
    assert [(commit.known_at, commit.known_by) for commit in commits] == [
        ("2024-03-02", "given"),
        ("2024-03-02", "given"),
        # The same rows once more: known as they were.
        (NIGHT, "given"),
        (NIGHT, "given"),
    ]


def test_a_retry_of_what_was_there_in_time_is_not_assumed(
    operator: IngestPartitionOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.lake.known_at.today", lambda *_: day(3))
    validated(operator, execute(operator, scheduled=True))
    monkeypatch.setattr("mlops_tasks.lake.known_at.today", today)
    validated(operator, execute(operator, scheduled=True))
    lake = Lake(tmp_path / "lake")
    for table in ("orders__raw", "orders"):
        found = [(c.known_at, c.known_by) for c in lake.table(table).all_commits()]
        assert found == [(NIGHT, "committed")] * 2


@pytest.mark.parametrize(
    ("now", "known"),
    [
        (day(0), (day(0), "committed")),  # before the schedule: really known
        (day(2), (day(2), "committed")),
        (day(3), (day(2), "committed")),  # on the day on which the schedule takes it
        (day(4), (day(2), "assumed")),
    ],
)
@pytest.mark.parametrize("scheduled", [False, True])
def test_only_what_is_taken_in_after_its_time_is_assumed(
    operator: IngestPartitionOperator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    now: str,
    known: tuple[str, str],
    scheduled: bool,
) -> None:
    if scheduled and now < day(3):
        known = (NIGHT, "committed")
    monkeypatch.setattr("mlops_tasks.lake.known_at.today", lambda *_: now)
    validated(operator, execute(operator, scheduled=scheduled))
    lake = Lake(tmp_path / "lake")
    for table in ("orders__raw", "orders"):
        (commit,) = lake.table(table).all_commits()
        assert (commit.known_at, commit.known_by) == known


def test_a_schedule_that_changes_later_changes_no_commit(
    operator: IngestPartitionOperator, tmp_path: Path
) -> None:
    validated(operator, execute(operator))
    operator.dataset = operator.dataset.model_copy(update={"delay_days": 5})
    validated(operator, execute(operator))
    found = [
        (c.known_at, c.known_by) for c in Lake(tmp_path / "lake").table("orders").all_commits()
    ]
    assert found == [(NIGHT, "assumed"), (day(5), "assumed")]
    assert len(as_of(Lake(tmp_path / "lake"), NIGHT)) == ROWS_PER_DAY


def test_late_rows_are_known_when_the_refresh_would_have_taken_them(
    operator: IngestPartitionOperator, source: Source, tmp_path: Path
) -> None:
    """Where only the refresh has ever taken the day in, nobody knew it before."""
    lake = Lake(tmp_path / "lake")
    dataset = operator.dataset.model_copy(update={"refresh_after_days": 7})
    refresh = IngestPartitionOperator(task_id="ingest", dataset=dataset, refresh=True)
    validated(refresh, execute(refresh))
    assert [len(as_of(lake, night)) for night in (NIGHT, day(7))] == [0, ROWS_PER_DAY]
    source.run("UPDATE orders SET items = 9 WHERE rowid <= 3")
    validated(refresh, execute(refresh))
    assert [as_of(lake, night).count(9) for night in (day(7), today())] == [0, 3]


def test_an_attempt_that_was_overtaken_dates_nothing(
    operator: IngestPartitionOperator, source: Source, tmp_path: Path
) -> None:
    """The slower attempt of a backfill finds other rows committed: it is refused, not assumed."""
    lake, old = Lake(tmp_path / "lake"), operator.next_token(DAY, "orders__raw")
    validated(operator, execute(operator))
    source.run("UPDATE orders SET items = 9")
    where = SourceHook("shop_source").get_source(operator.dataset.source)
    with pytest.raises(StaleAttemptError):
        ingest(operator.dataset, DAY, source=where, lake=lake, token=old)
    (commit,) = lake.table("orders__raw").all_commits()
    assert commit.assumed


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
