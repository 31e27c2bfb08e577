"""Keeping the lake small without losing what a pin refers to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import newest_by_partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mlops_tasks.lake.table import Lake
    from mlops_tasks.types import Pin

__all__ = ["Optimized", "Vacuumed", "optimize", "vacuum"]


@dataclass(frozen=True, slots=True)
class Optimized:
    """What `optimize` did to one table."""

    table: str
    rolled_up: int
    checkpoint_version: int


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What `vacuum` removed from one table, what it kept, and why.

    ``kept`` maps a reason to the number of files kept for it.
    """

    table: str
    removed: tuple[str, ...]
    removed_bytes: int
    kept: dict[str, int]


def optimize(lake: Lake, table: str) -> Optimized:
    """Gather the table's commit records and checkpoint its log, so that reading stays quick.

    Data files need no gathering: a partition is always written whole.

    Parameters
    ----------
    lake : Lake
        The lake.
    table : str
        The table.

    Returns
    -------
    Optimized
        What was done.
    """
    delta = lake._open(table)
    lake.all_commits(table)  # adopts what a killed writer left unrecorded
    fault_point("optimize:before_roll_up")
    rolled_up = lake.commit_log(table).roll_up()
    fault_point("optimize:after_roll_up")
    delta.create_checkpoint()
    return Optimized(table, rolled_up, delta.version())


def vacuum(
    lake: Lake,
    table: str,
    *,
    pins: Iterable[Pin] = (),
    keep_days: int = 30,
    grace_s: float = 86_400.0,
    dry_run: bool = False,
) -> Vacuumed:
    """Remove data files that no version worth keeping needs.

    Parameters
    ----------
    lake : Lake
        The lake.
    table : str
        The table.
    pins : iterable of Pin
        Of all tables; files that one of them refers to are never removed.
    keep_days : int, default 30
        Also keep what was known in the last so many days.
    grace_s : float, default 86400
        Leave files younger than this alone, in seconds: a writer may be about to commit them.
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Vacuumed
        Removed files, and how many were kept for which reason.
    """
    commits = lake.all_commits(table)
    pinned = {version for pin in pins if pin.table == table for version in pin.versions}
    recent = (datetime.now(UTC) - timedelta(days=keep_days)).date().isoformat()
    current = {commit.version for commit in newest_by_partition(commits).values()}
    reasons: dict[str, str] = {}
    for why, wanted in (
        (f"known in the last {keep_days} days", lambda c: c.known_at >= recent),
        ("pinned", lambda c: c.version in pinned),
        ("current", lambda c: c.version in current),
    ):
        reasons |= {file.path: why for c in commits if wanted(c) for file in c.files}
    folder, kept, gone = lake.folder(table), dict.fromkeys(reasons.values(), 0), []
    for path in sorted(folder.rglob("*.parquet*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith("_delta_log"):
            continue
        why = reasons.get(name) or ("too young to judge" if _young(path, grace_s) else "")
        if why:
            kept[why] = kept.get(why, 0) + 1
        else:
            gone.append(path)
    size = sum(path.stat().st_size for path in gone)
    for path in [] if dry_run else gone:
        path.unlink(missing_ok=True)
    names = tuple(path.relative_to(folder).as_posix() for path in gone)
    return Vacuumed(table, names, size, {why: n for why, n in kept.items() if n})


def _young(path: Path, grace_s: float) -> bool:
    return time.time() - path.stat().st_mtime < grace_s
