"""A life of a model, written into a ledger through its own front door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.monitoring import Check, MonitorResult
from mlops_tasks.partitions import shift_day
from mlops_tasks.policy.incidents import Alarm, Cause, IncidentBook
from mlops_tasks.registry.ledger import EvidenceKind, Ledger
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST, MODEL = "2024-03-01", "late_orders"
LIMIT = 0.7
#: A name that a source may have given a column.
EVIL = "<script>alert(1)</script>"


def day(number: int) -> str:
    return shift_day(FIRST, number)


def measured(
    ledger: Ledger,
    number: int,
    value: float | None,
    *,
    version: str = "1",
    half: float = 0.02,
) -> None:
    """Write down what predictions of a week were worth."""
    around = value or 0.72
    check = Check(
        "roc_auc",
        value,
        0.0 if value is None else LIMIT,
        value is not None and value < LIMIT,
        "80 labels: too few to tell" if value is None else f"ROC AUC {value:.4f} on 500 rows",
        lower=around - half,
        upper=around + half,
    )
    result = MonitorResult(day(number - 6), day(number), 500, version, (check,), coverage=0.98)
    about = {"model": MODEL, "kind": EvidenceKind.PERFORMANCE, "key": day(number)}
    ledger.record(**about, evidence=to_json(result))


def moved(
    ledger: Ledger, number: int, severities: dict[str, float | None], *, version: str = "1"
) -> None:
    """Write down how far columns have moved, as multiples of their thresholds."""
    checks = [
        Check(
            name,
            None if severity is None else severity * 0.1,
            0.1,
            severity is not None and severity >= 1,
            f"{name}: too few rows" if severity is None else f"{name}: the mean has moved",
            importance=0.5 if place else 2.0,
        )
        for place, (name, severity) in enumerate(severities.items())
    ]
    result = MonitorResult(day(number - 6), day(number), 500, version, tuple(checks))
    ledger.record(model=MODEL, kind=EvidenceKind.DRIFT, key=day(number), evidence=to_json(result))


def decided(ledger: Ledger, number: int, cause: str, *, retrain: bool = False) -> None:
    """Write a decision down."""
    said = {"retrain": retrain, "cause": cause, "reason": f"{cause} it is"}
    evidence = said | {"evidence": {"champion_version": "1"}, "help": []}
    ledger.record(model=MODEL, kind=EvidenceKind.DECISION, key=day(number), evidence=evidence)


def promoted(ledger: Ledger, number: int, version: str) -> None:
    """Make a version the champion, as trained as of a day."""
    now = ledger.champion(MODEL)
    ledger.promote(
        MODEL,
        version=version,
        generation=now.generation if now else 0,
        key=day(number),
        evidence={"reason": f"version {version} is better"},
        by="schedule",
    )


def failed(
    ledger: Ledger,
    numbers: Sequence[int],
    *,
    subject: str = "orders",
    cause: Cause = Cause.INGESTION,
    because: str = "",
    live: bool = False,
) -> IncidentBook:
    """Open an incident about some days, as the clock of the last of them sees it."""
    book = IncidentBook(ledger, by="schedule")
    alarm = Alarm(
        subject,
        cause,
        because or f"{len(numbers)} days of {subject} are not ingested",
        f"look at the page of {subject}.monitor" if because else f"start {subject}.ingest",
        owner="ops",
        partitions=tuple(map(day, numbers)),
        as_of=day(numbers[-1]),
        links={"log": "http://airflow/log", "other": "javascript:alert(1)"},
    )
    book.raise_alarm(alarm, live=live)
    return book


def whole_life(
    ledger: Ledger, n_days: int = 30, n_columns: int = 20, *, names: Sequence[str] = ()
) -> None:
    """Live a while: a change, alarms, a new champion, silence, an incident that ends, one open."""
    turn = n_days // 2
    names = names or [EVIL, *(f"column_{number}" for number in range(1, n_columns))]
    promoted(ledger, 0, "1")
    for number in range(n_days):
        version = "1" if number <= turn else "2"
        bad = turn - 5 < number <= turn
        loud = {names[0]: 3.5, names[-1]: 1.2} if bad else {}
        quiet = {name: (n * 7 + number * 3) % 10 / 11 for n, name in enumerate(names)}
        moved(ledger, number, quiet | loud, version=version)
        if number < n_days - 2:
            untold = number in (turn + 1, turn + 2)
            value = None if untold else 0.66 if bad else 0.75 + number % 3 / 100
            measured(ledger, number, value, version=version)
        cause = "performance" if number == turn else "cannot_tell" if number > turn else "none"
        cause = "none" if number > turn + 3 else cause
        decided(ledger, number, cause, retrain=number == turn)
        if number == turn:
            promoted(ledger, number, "2")
    book = failed(ledger, [3, 4])
    (gone,) = [one for one in book.all() if one.is_open]
    book.close(gone, "the source is back", by="clock", as_of=day(6), live=False)
    why = "ROC AUC 0.6600 on 500 rows; alarm below 0.7000"
    failed(ledger, [turn - 1, turn], subject=MODEL, cause=Cause.PERFORMANCE, because=why)
