"""Keeping the lake small without losing what a pin refers to."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import newest_by_partition
from mlops_tasks.partitions import shift_day, today
from mlops_tasks.storage import is_temporary, remove, sync

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.pins import Pin
    from mlops_tasks.lake.table import Table

__all__ = ["Optimized", "Vacuumed", "optimize", "vacuum"]

_DAY_S = 86_400.0
_PINNED = "pinned"
_LOG_FILE = re.compile(r"(\d{20})\.(json|checkpoint\..*parquet|checkpoint\.parquet)")


@dataclass(frozen=True, slots=True)
class Optimized:
    """What `optimize` did to one table.

    Attributes
    ----------
    table : str
        The table.
    rolled_up : int
        Commit records that were gathered into one file.
    checkpoint_version : int
        Version at which the table's log now begins to be read.
    removed : int
        Files of the log from before that, which nobody needs any more.
    """

    table: str
    rolled_up: int
    checkpoint_version: int
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What `vacuum` removed from one table, what it kept, and why.

    Attributes
    ----------
    table : str
        The table.
    removed : tuple of str
        Paths, relative to the table's folder.
    removed_bytes : int
        Their size.
    kept : dict of str to int
        For each reason, how many files were kept for it.
    held_by : dict of str to int
        For each holder of pins, how many of the files kept as "pinned" it needs. Several may need
        one file.
    """

    table: str
    removed: tuple[str, ...]
    removed_bytes: int
    kept: dict[str, int]
    held_by: dict[str, int]


def optimize(table: Table, *, grace_s: float = 7 * _DAY_S) -> Optimized:
    """Gather the table's commit records and checkpoint its log, so that reading stays quick.

    Data files need no gathering: a partition is always written whole. The lake does this by itself
    after every 50 commits.

    Parameters
    ----------
    table : Table
        The table.
    grace_s : float, default 604800
        Leave log files younger than this alone, in seconds: a writer may have begun before them.

    Returns
    -------
    Optimized
        What was done.

    Notes
    -----
    Neither a row nor a version is lost: pins and cut-offs are read by the commit records, which are
    all kept. Only other readers of the Delta table cannot go back beyond the checkpoint.
    """
    n_commits = len(table.all_commits())  # adopts what a killed writer left unrecorded
    fault_point("optimize:before_roll_up")
    rolled_up = table.log.roll_up(table.records) if n_commits > 1 else 0
    fault_point("optimize:after_roll_up")
    log = table.folder / "_delta_log"
    table.delta.create_checkpoint()
    _sync_checkpoint(log, table.version)
    fault_point("optimize:after_checkpoint")
    needed = min(table.records.until + 1, table.version)
    old = [path for path in _log_before(log, needed) if not _young(path, grace_s)]
    for path in old:
        remove(path)
        fault_point("optimize:mid_remove")
    return Optimized(table.name, rolled_up, table.version, len(old))


def vacuum(
    table: Table,
    *,
    pins: Mapping[str, Iterable[Pin]] = MappingProxyType({}),
    keep_days: int = 30,
    grace_s: float = _DAY_S,
    dry_run: bool = False,
) -> Vacuumed:
    """Remove data files that no version worth keeping needs, and what killed writers left.

    Parameters
    ----------
    table : Table
        The table.
    pins : mapping of str to iterable of Pin, optional
        Pins of all tables, under the name of what holds them, such as ``"version 3 of
        flight_delays"``. Files that one of them refers to are never removed.
    keep_days : int, default 30
        Also keep what was known on any of this number of days before the table's newest.
    grace_s : float, default 86400
        Leave files younger than this alone, in seconds: a writer may be about to commit them.
    dry_run : bool, default False
        Only report what would be removed.

    Returns
    -------
    Vacuumed
        Removed files, and how many were kept for which reason.
    """
    commits = table.all_commits()
    holders = _holders(commits, table.name, pins)
    reasons = _reasons(commits, holders.keys(), keep_days)
    kept, held_by, gone = Counter[str](), Counter[str](), []
    for name, path in _candidates(table):
        why = reasons.get(name) or ("too young to judge" if _young(path, grace_s) else "")
        kept[why] += 1
        if why == _PINNED:
            held_by.update(holders[name])
        elif not why:
            gone.append((name, path))
    size = sum(path.stat().st_size for _, path in gone)
    fault_point("vacuum:before_remove")
    for _, path in [] if dry_run else gone:
        remove(path)
        fault_point("vacuum:mid_remove")
    del kept[""]
    names = tuple(name for name, _ in gone)
    return Vacuumed(table.name, names, size, dict(kept), dict(held_by))


def _holders(
    commits: Sequence[Commit], table: str, pins: Mapping[str, Iterable[Pin]]
) -> dict[str, list[str]]:
    """Return for each pinned file who holds the pins."""
    holders: dict[int, list[str]] = {}
    for holder, held in pins.items():
        for version in {v for pin in held if pin.table == table for v in pin.versions}:
            holders.setdefault(version, []).append(holder)
    pinned = [commit for commit in commits if commit.version in holders]
    return {file.path: holders[commit.version] for commit in pinned for file in commit.files}


def _reasons(commits: Sequence[Commit], pinned: Collection[str], keep_days: int) -> dict[str, str]:
    """Return for each file worth keeping why it is."""
    current = {commit.version for commit in newest_by_partition(commits).values()}
    superseded = _superseded(commits)
    # Days of a replayed past are as good as today's: the newest one is what counts.
    newest = min(max((c.known_at for c in commits), default=""), today())
    recent = newest and shift_day(newest, -keep_days)
    reasons: dict[str, str] = {}
    for commit in commits:
        if commit.version in current:
            why = "current"
        elif any(file.path in pinned for file in commit.files):
            why = _PINNED
        elif commit.known_at >= recent or superseded[commit.version] > max(commit.known_at, recent):
            why = f"known in the last {keep_days} days"
        else:
            continue
        reasons |= {file.path: why for file in commit.files}
    return reasons


def _superseded(commits: Sequence[Commit]) -> dict[int, str]:
    """Return of each commit the first day on which a newer one of its partition was known."""
    until: dict[int, str] = {}
    later: dict[str, str] = {}
    for commit in reversed(commits):
        until[commit.version] = later.get(commit.partition, "9999-12-31")
        later[commit.partition] = min(commit.known_at, until[commit.version])
    return until


def _candidates(table: Table) -> Iterator[tuple[str, Path]]:
    """List what may be swept: all files but the table's log and records, and their leftovers."""
    folder, records = table.folder, table.log.folder
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        in_log = name.startswith("_delta_log/")
        if path.is_file() and (not in_log or is_temporary(path)):
            yield name, path
    for path in filter(is_temporary, sorted(records.glob("*"))):
        yield path.relative_to(table.root).as_posix(), path


def _sync_checkpoint(log: Path, version: int) -> None:
    """Make sure that a checkpoint stays before what it replaces goes."""
    for path in [*log.glob(f"{version:020d}.checkpoint*.parquet"), log / "_last_checkpoint", log]:
        sync(path)


def _log_before(log: Path, version: int) -> list[Path]:
    """List the files of the log that a checkpoint at this version or later makes superfluous."""
    return [
        path
        for path in sorted(log.iterdir())
        if (found := _LOG_FILE.fullmatch(path.name)) and int(found[1]) < version
    ]


def _young(path: Path, grace_s: float) -> bool:
    return time.time() - path.stat().st_mtime < grace_s
