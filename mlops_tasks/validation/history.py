"""Checks across partitions: what one day alone cannot show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.sources import Day
from mlops_tasks.validation.present import to_python
from mlops_tasks.validation.results import CheckOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.lake import Commit, Lake
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.specs.history import (
        CategoryGrowthSpec,
        FreshnessSpec,
        KeyOverlapSpec,
        RowCountSpec,
    )
    from mlops_tasks.validation.examination import Facts

__all__ = ["history_outcomes", "trailing_commits"]

# Median absolute deviation to standard deviation, for a normal sample.
_NORMAL = 1.4826
_FIRST_DAY = "0001-01-01"  # of the calendar: none lies before it
_HOUR, _MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trailing_commits(spec: DatasetSpec, partition: str, lake: Lake) -> list[Commit]:
    """Return the commits of the published partitions right before one, at most the window's.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    partition : str
        The day; partitions after it are none of its history.
    lake : Lake
        Where they are.

    Returns
    -------
    list of Commit
        Oldest first.
    """
    table = lake.table(spec.name)
    if not table.exists or partition == _FIRST_DAY:
        return []
    last = (date.fromisoformat(partition) - timedelta(days=1)).isoformat()
    commits = table.commits(last=last)
    return commits[-spec.history.window :]


def history_outcomes(
    spec: DatasetSpec,
    partition: str,
    facts: Facts,
    n_good: int,
    *,
    before: Sequence[Commit],
    lake: Lake,
) -> list[CheckOutcome]:
    """Compare a partition with the published ones before it.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset; its `history` says what is compared.
    partition : str
        The day.
    facts : Facts
        What the examination kept of the rows.
    n_good : int
        Rows that would be published.
    before : sequence of Commit
        From `trailing_commits`.
    lake : Lake
        Where these are.

    Returns
    -------
    list of CheckOutcome
        In each, `passed` is None where there is too little history to tell.
    """
    asked = spec.history
    enough = len(before) >= asked.min_partitions
    outcomes = []
    if asked.row_count:
        counts = [commit.n_rows for commit in before] if enough else []
        outcomes.append(_row_count(asked.row_count, n_good, counts))
    if asked.freshness:
        outcomes.append(_freshness(asked.freshness, Day(partition, spec.timezone or "UTC"), facts))
    if asked.key_overlap:
        recent = before[-asked.key_overlap.partitions :]
        outcomes.append(_key_overlap(asked.key_overlap, spec, facts, recent, lake))
    if asked.categories:
        known = before if enough else []
        outcomes += _category_growth(asked.categories, spec, facts, known, lake)
    return outcomes


def _row_count(asked: RowCountSpec, n_rows: int, counts: Sequence[int]) -> CheckOutcome:
    """Measure how far the count lies from the median of the trailing ones."""
    if not counts:
        return _unknown("row_count", asked.severity, f"{n_rows:,} rows")
    usual = median(counts)
    spread = _NORMAL * median(abs(count - usual) for count in counts)
    allowed = max(asked.spreads * spread, asked.min_change * usual)
    return CheckOutcome(
        "history:row_count",
        "history",
        asked.severity,
        passed=abs(n_rows - usual) <= allowed,
        observed=f"{n_rows:,} rows",
        limits=f"{usual:,.0f} ± {allowed:,.0f}, by the median of {len(counts)} partitions",
        value=round(abs(n_rows - usual), 3),
        threshold=round(allowed, 3),
    )


def _freshness(asked: FreshnessSpec, day: Day, facts: Facts) -> CheckOutcome:
    """Measure the age of the newest time at the end of the day, in the dataset's own zone."""
    name = f"history:freshness:{asked.column}"
    newest = facts.newest.ends().slice(1)
    limits = f"at most {asked.max_age_h:g} h old at the end of the day in {day.timezone}"
    if newest.null_count:
        return CheckOutcome(
            name,
            "history",
            asked.severity,
            passed=False,
            limits=limits,
            error="every time is missing",
            threshold=asked.max_age_h,
        )
    age_h = _hours_until(day.end, newest)
    return CheckOutcome(
        name,
        "history",
        asked.severity,
        passed=age_h <= asked.max_age_h,
        observed=f"newest {_minute(newest)} UTC, {_in_hours(age_h)}",
        limits=limits,
        value=round(age_h, 3),
        threshold=asked.max_age_h,
    )


def _hours_until(end: datetime, moment: pa.ChunkedArray) -> float:
    """Count the hours from a moment to an end; in whole microseconds, so that any year works."""
    import pyarrow as pa
    import pyarrow.compute as pc

    start = pc.cast(pc.cast(moment, pa.timestamp("us", "UTC")), pa.int64())[0].as_py()
    return float(((end - _EPOCH) // _MICROSECOND - start) / (_HOUR / _MICROSECOND))


def _minute(moment: pa.ChunkedArray) -> str:
    import pyarrow as pa
    import pyarrow.compute as pc

    return str(pc.cast(pc.cast(moment, pa.timestamp("us")), pa.string())[0])[:-10]


def _in_hours(age_h: float) -> str:
    return f"{age_h:.1f} h old" if age_h >= 0 else f"{-age_h:.1f} h after the end of the day"


def _key_overlap(
    asked: KeyOverlapSpec, spec: DatasetSpec, facts: Facts, before: Sequence[Commit], lake: Lake
) -> CheckOutcome:
    """Measure the share of keys that the partitions before have too."""
    import numpy as np

    own = np.unique(facts.keys)
    if not before or not len(own):
        return _unknown("key_overlap", asked.severity, f"{len(own):,} keys")
    known = np.unique(np.concatenate([_key_hashes(spec, lake, commit) for commit in before]))
    shared = int(np.isin(own, known, assume_unique=True).sum())
    share = shared / len(own)
    days = before[0].partition + (f" to {before[-1].partition}" if len(before) > 1 else "")
    too_many = share > asked.max_share
    return CheckOutcome(
        "history:key_overlap",
        "history",
        asked.severity,
        passed=asked.min_share <= share <= asked.max_share,
        observed=f"{shared:,} of {len(own):,} keys ({share:.1%}) are those of {days}",
        limits=f"{asked.min_share:.1%} to {asked.max_share:.1%}",
        value=round(share, 6),
        threshold=asked.max_share if too_many or not asked.min_share else asked.min_share,
    )


def _key_hashes(spec: DatasetSpec, lake: Lake, commit: Commit) -> npt.NDArray[np.uint64]:
    import numpy as np

    parts = [row_hashes(rows) for rows in lake.table(spec.name).stream([commit], spec.key)]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _category_growth(
    asked: CategoryGrowthSpec, spec: DatasetSpec, facts: Facts, before: Sequence[Commit], lake: Lake
) -> list[CheckOutcome]:
    """Count the values that no trailing partition had, column by column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    outcomes = []
    for name in asked.columns:
        own = facts.categories[name].column()
        if not before:
            outcomes.append(_unknown(f"categories:{name}", asked.severity, f"{len(own)} values"))
            continue
        parts = [pc.unique(r.column(0)) for r in lake.table(spec.name).stream(before, [name])]
        known = pa.chunked_array(parts, own.type)
        new = sorted(map(str, to_python(own.filter(pc.invert(pc.is_in(own, pc.unique(known)))))))
        shown = ", ".join(new[:5]) + (", …" if len(new) > 5 else "")
        outcomes.append(
            CheckOutcome(
                f"history:categories:{name}",
                "history",
                asked.severity,
                passed=len(new) <= asked.max_new,
                observed=f"{len(new)} new of {len(own)}" + (f": {shown}" if new else ""),
                limits=f"at most {asked.max_new} new against {len(before)} partitions",
                value=len(new),
                threshold=asked.max_new,
            )
        )
    return outcomes


def _unknown(name: str, severity: str, observed: str) -> CheckOutcome:
    """Answer that there is too little history to tell, which neither blocks nor flags."""
    return CheckOutcome(
        f"history:{name}",
        "history",
        severity,
        passed=None,
        observed=f"{observed}; too little history to tell",
    )
