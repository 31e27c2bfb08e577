"""Clocks that are put back: local hours that come twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mlops_tasks.checks.data import place_of
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, FINE, CheckResult
from mlops_tasks.checks.sample import NO_ROWS
from mlops_tasks.exceptions import MlopsError, SchemaMismatchError
from mlops_tasks.steps.ingest import ingest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.specs import DatasetSpec

__all__ = ["check_clocks", "put_back"]

_HOUR = timedelta(hours=1)
_YEAR_HOURS = 366 * 24


def put_back(zone: str, before: datetime) -> datetime | None:
    """Return the last instant before another one at which clocks were put back, within a year.

    Examples
    --------
    >>> put_back("Europe/Berlin", datetime(2026, 11, 30, tzinfo=UTC)).isoformat()
    '2026-10-25T01:00:00+00:00'
    >>> put_back("Asia/Tokyo", datetime(2026, 11, 30, tzinfo=UTC))
    """
    where = ZoneInfo(zone)
    moment = before.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for _ in range(_YEAR_HOURS):
        earlier = moment - _HOUR
        if _offset(moment, where) < _offset(earlier, where):
            return moment
        moment = earlier
    return None


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def check_clocks(look: Sample) -> Iterator[CheckResult]:
    """Ingest the partition in which an hour came twice, or ask whether times lack a zone."""
    for dataset in look.datasets:
        if dataset.timezone is None or dataset.source.reads:
            continue
        yield _of_dataset(look, dataset)


def _of_dataset(look: Sample, dataset: DatasetSpec) -> CheckResult:
    where, zone = f"{place_of(dataset)}, timezone", str(dataset.timezone)
    if "timestamp" not in {kind.rstrip("?") for kind in dataset.columns.values()}:
        return CheckResult("clock changes", where, FINE, "no column is a time")
    try:
        key = look.of_partition(dataset, look.partition)[-1]
    except Exception as error:
        return refused(look, "clock changes", where, error)
    instant = put_back(zone, dataset.partition(key).end)
    if instant is None:
        return CheckResult("clock changes", where, FINE, f"{zone} does not put clocks back")
    if dataset.ambiguous != "refuse":
        text = f"hours that come twice are taken as the {dataset.ambiguous} one"
        return CheckResult("clock changes", where, FINE, text)
    twice = dataset.calendar.key_of(instant - timedelta(minutes=30), zone)
    if twice >= dataset.first:
        try:
            look.take(dataset, twice)
        except NO_ROWS:
            pass
        except Exception as error:
            return refused(look, "clock changes", where, error)
        else:
            return CheckResult("clock changes", where, FINE, f"{twice} can be read as well")
    if not _lacks_zone(look, dataset, key):
        return CheckResult("clock changes", where, FINE, "all times are instants")
    return CheckResult(
        "clock changes",
        where,
        ALARM,
        f"times come without a zone, and {zone} puts clocks back: each year the {dataset.grain} "
        f"with an hour that comes twice, as {twice}, would be refused",
        "set ambiguous to 'earlier' or 'later', or have the source give instants",
    )


def _lacks_zone(look: Sample, dataset: DatasetSpec, key: str) -> bool:
    """Take the partition without a zone in the spec: times that lack one are refused then."""
    zoneless = dataset.model_copy(update={"timezone": None, "name": f"{dataset.name}_zoneless"})
    try:
        ingest(zoneless, key, source=look.source(dataset), lake=look.lake, token=1)
    except SchemaMismatchError:
        return True
    except MlopsError:
        return False
    return False
