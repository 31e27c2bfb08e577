"""The day as of which content counts as known, where the run of a night may be late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.partitions import check_day, shift_day, today

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.lake.table import Table

__all__ = ["as_of_night"]


def as_of_night(
    table: Table, partition: str, night: str, *, timezone: str | None = None
) -> Callable[[str], str]:
    """Return what dates the content that the run of a night brings, whenever it really runs.

    Parameters
    ----------
    table : Table
        Where the content goes.
    partition : str
        Its partition.
    night : str
        The night, ``YYYY-MM-DD``; its own runs take place until the end of the next day.
    timezone : str, optional
        Name of the zone whose days these are; UTC by default.

    Returns
    -------
    callable
        For `overwrite_partition` and `share_partition`: from the digest of the content to the day
        as of which it is known.

    Notes
    -----
    A run in its time may bring anything. A later one brings the night only what changes nothing
    for anybody who reads as of any day since: the first content there is, or once more what has
    stood there from that night until now. Anything else is known today, so that a training that
    is repeated as of an earlier night never sees a correction.
    """
    check_day(night)
    in_time_until = shift_day(night, 1)

    def known_at(digest: str) -> str:
        now = today(timezone)
        if now <= in_time_until or _changes_nothing(table, partition, night, digest):
            return night
        return now

    return known_at


def _changes_nothing(table: Table, partition: str, night: str, digest: str) -> bool:
    # Not compared with the table's files: this content may be what repairs it.
    commits = [c for c in table.records.commits.values() if c.partition == partition]
    by_then = [place for place, commit in enumerate(commits) if commit.known_at <= night]
    if not by_then:
        return not commits
    return all(commit.digest == digest for commit in commits[by_then[-1] :])
