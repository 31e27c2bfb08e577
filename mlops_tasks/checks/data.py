"""Connections, the rows that sources give, and suites."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlops_tasks.checks.newest import newest_ended, rows_after_end
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.checks.sample import NO_ROWS
from mlops_tasks.exceptions import (
    MlopsError,
    SourceAccessError,
    SourceUnavailableError,
    SuiteError,
    ValidationFailedError,
)
from mlops_tasks.sources import open_source
from mlops_tasks.spelling import did_you_mean
from mlops_tasks.validation.suite import load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.sources import Source
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.suite import Suite

__all__ = ["check_connections", "check_rows", "check_suites", "connection_failure", "place_of"]

# Partitions after `end` that have rows and are no alarm yet.
_LEFT_OUT = 7
_GAPS_FIX = (
    "give the grain in which the rows come, set `start` to the first one that there is, or look at "
)


def place_of(dataset: DatasetSpec) -> str:
    """Name a dataset and where it is written."""
    return f"dataset {dataset.name!r} ({dataset.place})"


def check_connections(look: Sample) -> Iterator[CheckResult]:
    """Open each connection once."""
    done = set()
    for dataset in look.datasets:
        conn_id = dataset.source.conn_id
        if dataset.source.reads or conn_id in done:
            continue
        done.add(conn_id)
        where = f"connection {conn_id!r}" if conn_id else f"source of {dataset.name!r}"
        if (failure := connection_failure(dataset, look.source, look.now)) is None:
            yield CheckResult("connection", where, FINE, "opens")
        else:
            look.give_up(conn_id, failure)
            yield refused(look, "connection", where, failure)


def connection_failure(
    dataset: DatasetSpec, source_of: Callable[[DatasetSpec], Source], now: datetime
) -> Exception | None:
    """Return why a connection does not open; what it then refuses is for the check of the rows."""
    try:
        source = source_of(dataset)
    except Exception as error:
        return error
    try:
        with open_source(dataset, newest_ended(dataset, now), source):
            return None
    except (SourceAccessError, SourceUnavailableError) as error:
        return error
    except Exception:
        return None


def check_suites(look: Sample) -> Iterator[CheckResult]:
    """Load each suite and compare the columns that it names with the contract."""
    for dataset in look.datasets:
        written = dataset.expectations.name if dataset.expectations else "no expectations"
        where = f"dataset {dataset.name!r}, {written}"
        try:
            suite = load_suite(dataset.expectations, dataset.columns)
        except MlopsError as error:
            yield refused(look, "suite", where, error)
            continue
        unknown = list(_unknown_columns(dataset, suite))
        yield from (CheckResult("suite", where, ALARM, text) for text in unknown)
        if not unknown:
            yield CheckResult("suite", where, FINE, f"{len(suite.expectations)} expectations")


def _unknown_columns(dataset: DatasetSpec, suite: Suite) -> Iterator[str]:
    for one in suite.expectations:
        for name in one.columns or ():
            if name not in dataset.columns and one.how != "schema":
                yield (
                    f"expectation {one.index + 1} ({one.label}) names the column {name!r}, which "
                    f"the contract does not have; {did_you_mean(name, dataset.columns)}"
                )


def check_rows(look: Sample) -> Iterator[CheckResult]:
    """Ingest and validate the newest partition of each dataset, and a few earlier ones."""
    try:
        newest = look.partition
    except Exception as error:
        yield refused(look, "rows", f"dataset {look.spec.rows.name!r}", error)
        return
    for dataset in look.datasets:
        keys = look.of_partition(dataset, newest)
        yield from _rows_of(look, dataset, max(dataset.first, keys[-1]))
    yield from _after_end(look)


def _rows_of(look: Sample, dataset: DatasetSpec, key: str) -> Iterator[CheckResult]:
    where = place_of(dataset)
    try:
        found = look.take(dataset, key)
    except Exception as error:
        yield refused(look, _check_of(error), where, error)
        return
    gaps, spread = [], list(look.spread(dataset))
    for earlier in spread:
        try:
            look.take(dataset, earlier)
        except NO_ROWS:
            gaps.append(earlier)
        except Exception as error:
            yield refused(look, _check_of(error), where, error)
            return
    if len(gaps) > 1 and gaps == spread:
        yield CheckResult(
            "rows", where, ALARM, _gaps(dataset, key, gaps), _GAPS_FIX + dataset.source.found_by
        )
        return
    text = f"{found.published.n_rows:,} rows of {key}, as the contract says"
    if gaps:
        text += f"; none of {', '.join(gaps)}"
    yield _quarantined(look, dataset) or CheckResult("rows", where, FINE, text)


def _after_end(look: Sample) -> Iterator[CheckResult]:
    """Look for rows that no run would ever take, because the spec says that there are none.

    The next few may be left out on purpose: their labels have not all come, and never do.
    """
    # A state of things is there on any day.
    states = {item.dataset.name for item in look.spec.inputs if look.spec.is_snapshot(item)}
    delay = look.spec.label.dataset.delay
    near: list[str] = []
    far: list[str] = []
    for dataset in look.datasets:
        if dataset.name in states:
            continue
        beyond = max(delay.steps(dataset.calendar), _LEFT_OUT)
        try:
            first, later = (
                rows_after_end(dataset, look.source, look.now, beyond=skipped)
                for skipped in (0, beyond)
            )
        except Exception as error:
            yield refused(look, "rows", f"{place_of(dataset)}, end", error)
            return
        if key := later or first:
            found = far if later else near
            found.append(f"{dataset.name!r} of {key}, after its end {dataset.last}")
    text = "the source has rows of {}: no run takes them"
    fix = "take `end` out of the spec if the source goes on, or move it"
    if far:
        yield CheckResult("rows", "`end`", ALARM, text.format(" and ".join(far)), fix)
    elif near:
        text = text.format(" and ".join(near))
        yield CheckResult("rows", "`end`", FINE, f"{text}; is that meant?")


def _gaps(dataset: DatasetSpec, key: str, gaps: list[str]) -> str:
    return (
        f"{key} has rows, and none of {', '.join(gaps)} has: the ingest of a {dataset.grain} "
        "without rows fails"
    )


def _check_of(error: Exception) -> str:
    return "suite" if isinstance(error, ValidationFailedError | SuiteError) else "rows"


def _quarantined(look: Sample, dataset: DatasetSpec) -> CheckResult | None:
    """Report rows that are quarantined: in every partition that is no chance, else who knows."""
    found = [result for _, result in look.validated(dataset)]
    hit = [result for result in found if result.n_quarantined]
    if not hit:
        return None
    reasons: Counter[str] = Counter()
    for result in hit:
        reasons.update(result.quarantined_by_reason)
    n_rows, n_bad = (sum(getattr(r, of) for r in found) for of in ("n_rows_in", "n_quarantined"))
    text = (
        f"{n_bad:,} of {n_rows:,} rows are quarantined, in {len(hit)} of {len(found)} partitions: "
        + ", ".join(f"{reason} ({n:,})" for reason, n in reasons.most_common(5))
    )
    if len(hit) < max(2, len(found)):
        fix = "look at these rows: they are wrong, or what refuses them is"
        return CheckResult("rows", place_of(dataset), CANNOT_TELL, text, fix)
    fix = "fix the source, the contract or the expectation: what always happens is no bad row"
    return CheckResult("rows", place_of(dataset), ALARM, text, fix)
