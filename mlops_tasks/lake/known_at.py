"""When content counts as known: when it was committed, or when its schedule would have taken it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.lake.commits import ASSUMED, COMMITTED, GIVEN
from mlops_tasks.partitions import check_day, shift_day, today

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.pins import PartitionVersion
    from mlops_tasks.lake.table import Table

__all__ = ["Known", "known_as_before", "known_by_schedule", "known_text"]


@dataclass(frozen=True, slots=True)
class Known:
    """As of when content counts as known, and by what.

    Attributes
    ----------
    at : str
        The day: a training or decision as of it, or of a later one, sees the content.
    by : str
        ``committed``, ``assumed`` or ``given``.
    """

    at: str
    by: str


def known_by_schedule(
    table: Table,
    partition: str,
    due: str,
    *,
    timezone: str | None = None,
    on_schedule: bool = False,
) -> Callable[[str], Known]:
    """Return what dates the content that a run takes in, whenever and by whom it is started.

    Parameters
    ----------
    table : Table
        Where the content goes.
    partition : str
        Its partition.
    due : str
        Day as of which the partition is known where its schedule's own run takes it in; that run
        takes place until the end of the next day.
    timezone : str, optional
        Name of the zone whose days these are; UTC by default.
    on_schedule : bool, default False
        Whether this is the schedule's own run, and not a backfill or somebody's by hand.

    Returns
    -------
    callable
        For `overwrite_partition` and `share_partition`: from the digest of the content to the day
        as of which it is known.

    Notes
    -----
    The schedule's own run may bring anything in its time. Any other one, and that one when it is
    late, brings `due` only what changes nothing for anybody who reads as of any day since: the
    first content there is, or once more what has stood there from `due` until now. A correction is
    known when it is really committed, so that a training that is repeated as of an earlier day
    never sees it.
    """
    check_day(due)

    def known(digest: str) -> Known:
        now = today(timezone)
        in_time = now <= shift_day(due, 1)
        if on_schedule and in_time:
            return Known(due, COMMITTED)
        if now <= due:
            return Known(now, COMMITTED)
        if _is_first(table, partition):
            return Known(due, COMMITTED if in_time else ASSUMED)
        standing = _standing(table, partition, due, digest)
        return Known(due, standing.known_by) if standing else Known(now, COMMITTED)

    return known


def known_as_before(
    table: Table, commit: Commit, *, timezone: str | None = None
) -> Callable[[str], Known]:
    """Return what dates content that is made of what another table holds: raw rows, once checked.

    Parameters
    ----------
    table : Table
        Where the content goes.
    commit : Commit
        What it is made of. If that was known on a day that has passed, the content counts as known
        then, too, where it changes nothing for anybody who reads as of any day since.
    timezone : str, optional
        Name of the zone whose days these are; UTC by default.

    Returns
    -------
    callable
        As from `known_by_schedule`.
    """
    partition, day = commit.partition, commit.known_at
    late = commit.known_by if commit.known_by in (ASSUMED, GIVEN) else ASSUMED

    def known(digest: str) -> Known:
        now = today(timezone)
        if now <= shift_day(day, 1):
            return Known(day, commit.known_by or COMMITTED)
        if _is_first(table, partition):
            return Known(day, late)
        standing = _standing(table, partition, day, digest)
        return Known(day, standing.known_by) if standing else Known(now, COMMITTED)

    return known


def known_text(content: Commit | PartitionVersion) -> str:
    """Return in words as of when content counts as known, and when it was really committed."""
    why = {ASSUMED: ", assumed from its schedule", GIVEN: ", as given"}.get(content.known_by, "")
    really = f"; committed {content.committed_at}" if content.committed_at else ""
    return f"as of {content.known_at}{why}{really}"


def _is_first(table: Table, partition: str) -> bool:
    return not _commits(table, partition)


def _standing(table: Table, partition: str, day: str, digest: str) -> Commit | None:
    """Return the commit that was known on a day, if its content has stood there ever since.

    What repeats it is known as it was: rows that were there in time are not assumed to have been.
    """
    # Not compared with the table's files: this content may be what repairs it.
    commits = _commits(table, partition)
    by_then = [place for place, commit in enumerate(commits) if commit.known_at <= day]
    if not by_then or any(commit.digest != digest for commit in commits[by_then[-1] :]):
        return None
    return commits[by_then[-1]]


def _commits(table: Table, partition: str) -> list[Commit]:
    return [c for c in table.records.commits.values() if c.partition == partition]
