"""Checks across partitions: what one day alone cannot show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.personal import redacted
from mlops_tasks.validation.aggregate_expectations import Distinct, Extremes
from mlops_tasks.validation.arrow_values import to_python
from mlops_tasks.validation.check_outcomes import CheckOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.lake import Commit, Table
    from mlops_tasks.partitions import Partition
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.specs.history import (
        CategoryGrowthSpec,
        FreshnessSpec,
        KeyOverlapSpec,
        RowCountSpec,
    )
    from mlops_tasks.validation.examination import Examination
    from mlops_tasks.validation.partition_rows import PartitionRows
    from mlops_tasks.validation.row_flags import RowFlags

    Hashes = npt.NDArray[np.uint64]

__all__ = ["history_outcomes", "trailing_commits"]

# Median absolute deviation to standard deviation, for a normal sample.
_NORMAL = 1.4826
_HOUR, _MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trailing_commits(spec: DatasetSpec, partition: str, table: Table) -> list[Commit]:
    """Return the commits of the published partitions before one, oldest first, at most `window`."""
    if not table.exists:
        return []
    commits = [one for one in table.commits(last=partition) if one.partition != partition]
    return commits[-spec.history.window :]


def history_outcomes(
    spec: DatasetSpec,
    rows: PartitionRows,
    examination: Examination,
    before: Sequence[Commit],
    table: Table,
) -> list[CheckOutcome]:
    """Compare the good rows of a partition with the published ones before it.

    In each outcome, `passed` is None where there is too little history to tell.
    """
    asked, flags = spec.history, examination.flags
    known = before if len(before) >= asked.min_partitions else []
    newest, categories = _good_values(spec, rows, flags)
    outcomes = []
    if asked.row_count:
        counts = [commit.n_rows for commit in known]
        outcomes.append(_row_count(asked.row_count, rows.n_rows - flags.n_flagged, counts))
    if asked.freshness:
        partition = spec.partition(rows.partition)
        outcomes.append(_freshness(spec, asked.freshness, partition, newest))
    if asked.key_overlap:
        own = examination.key_hashes[~flags.mask(0, rows.n_rows)]
        recent = before[-asked.key_overlap.partitions :]
        outcomes.append(_key_overlap(asked.key_overlap, spec, own, recent, table))
    if asked.categories:
        outcomes += _category_growth(asked.categories, spec, categories, known, table)
    return outcomes


def _good_values(
    spec: DatasetSpec, rows: PartitionRows, flags: RowFlags
) -> tuple[Extremes, dict[str, Distinct]]:
    """Look at the good rows only: what is quarantined neither is news nor makes a day fresh."""
    import pyarrow as pa

    fresh, growth = spec.history.freshness, spec.history.categories
    newest, seen = Extremes(), {name: Distinct() for name in (growth.columns if growth else ())}
    names = [*seen, fresh.column] if fresh else [*seen]
    for start, chunk in rows.chunks(names) if names else ():
        good = chunk.filter(pa.array(~flags.mask(start, chunk.num_rows)))
        for name, values in seen.items():
            values.add(good.column(name))
        if fresh:
            newest.add(good.column(fresh.column))
    return newest, seen


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


def _freshness(
    spec: DatasetSpec, asked: FreshnessSpec, partition: Partition, times: Extremes
) -> CheckOutcome:
    """Measure the age of the newest time at the end of the partition, in the dataset's zone."""
    newest, what, zone = times.ends().slice(1), partition.grain.name, partition.timezone
    age_h = None if newest.null_count else _hours_until(partition.end, newest)
    shown = "" if age_h is None else redacted(spec, asked.column, _minute(newest))
    return CheckOutcome(
        f"history:freshness:{asked.column}",
        "history",
        asked.severity,
        passed=age_h is not None and age_h <= asked.max_age_h,
        observed="" if age_h is None else f"newest {shown} UTC, {_in_hours(age_h, what)}",
        limits=f"at most {asked.max_age_h:g} h old at the end of the {what} in {zone}",
        error="every time is missing" if age_h is None else "",
        value=None if age_h is None else round(age_h, 3),
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


def _in_hours(age_h: float, what: str) -> str:
    return f"{age_h:.1f} h old" if age_h >= 0 else f"{-age_h:.1f} h after the end of the {what}"


def _key_overlap(
    asked: KeyOverlapSpec, spec: DatasetSpec, keys: Hashes, before: Sequence[Commit], table: Table
) -> CheckOutcome:
    """Measure the share of keys that the partitions before have too."""
    import numpy as np

    own = np.unique(keys)
    if not before or not len(own):
        return _unknown("key_overlap", asked.severity, f"{len(own):,} keys")
    known = np.unique(np.concatenate([_key_hashes(spec, table, commit) for commit in before]))
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


def _key_hashes(spec: DatasetSpec, table: Table, commit: Commit) -> Hashes:
    import numpy as np

    parts = [row_hashes(rows) for rows in table.stream([commit], spec.key)]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _category_growth(
    asked: CategoryGrowthSpec,
    spec: DatasetSpec,
    categories: Mapping[str, Distinct],
    before: Sequence[Commit],
    table: Table,
) -> list[CheckOutcome]:
    """Count the values that no trailing partition had, column by column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    outcomes = []
    for name in asked.columns:
        own = categories[name].column()
        if not before:
            outcomes.append(_unknown(f"categories:{name}", asked.severity, f"{len(own)} values"))
            continue
        parts = [pc.unique(r.column(0)) for r in table.stream(before, [name])]
        known = pa.chunked_array(parts, own.type)
        new = sorted(map(str, to_python(own.filter(pc.invert(pc.is_in(own, pc.unique(known)))))))
        shown = redacted(spec, name, ", ".join(new[:5]) + (", …" if len(new) > 5 else ""))
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
