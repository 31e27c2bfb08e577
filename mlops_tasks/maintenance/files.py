"""Files that grow by themselves: temporary folders, task logs, reports."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.faults import fault_point
from mlops_tasks.maintenance.upkeep import Upkeep
from mlops_tasks.reports import REPORTS
from mlops_tasks.scratch import abandoned, scratch_root
from mlops_tasks.storage import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mlops_tasks.lake import Lake

__all__ = ["remove_old_logs", "remove_old_reports", "sweep_scratch"]

_DAY_S = 86_400.0
_MEMORY_DAYS = 30


def sweep_scratch(*, dry_run: bool = False) -> Upkeep:
    """Remove the temporary folders of dead processes, and forget old time limits.

    Parameters
    ----------
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Upkeep
        Folders; those of living processes are kept.
    """
    root = scratch_root()
    left = abandoned()
    memories = [path for path in root.glob("killed/*") if _age_days(path) > _MEMORY_DAYS]
    alive = [path for path in root.iterdir() if path.name != "killed" and path not in left]
    kept = {"in use by a living process": len(alive)} if alive else {}
    return _remove([*left, *memories], lambda path: path.name, kept, dry_run=dry_run)


def remove_old_logs(folder: Path, *, keep_days: int, dry_run: bool = False) -> Upkeep:
    """Remove logs of tasks and of the dag-processor that nobody has written to for so long.

    Parameters
    ----------
    folder : Path
        Airflow's base log folder; nothing else in it is touched.
    keep_days : int
        Days.
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Upkeep
        Files, relative to the folder.
    """
    logs = [path for kind in ("dag_id=*", "dag_processor") for path in folder.glob(f"{kind}/**/*")]
    files = [path for path in logs if path.is_file() and not path.is_symlink()]
    old = [path for path in files if _age_days(path) > keep_days]
    kept = {f"younger than {keep_days} days": len(files) - len(old)} if files else {}
    done = _remove(old, lambda path: str(path.relative_to(folder)), kept, dry_run=dry_run)
    emptied = {up for path in old for up in path.parents if folder in up.parents}
    emptied |= {path for path in logs if path.is_dir() and _age_days(path) > 1}
    for path in [] if dry_run else sorted(emptied, key=lambda path: -len(path.parts)):
        with suppress(OSError):  # not empty, or gone
            path.rmdir()
    return done


def remove_old_reports(
    lake: Lake, *, named: Collection[str], keep_days: int, dry_run: bool = False
) -> Upkeep:
    """Remove old reports of versions that were measured or published again since.

    Parameters
    ----------
    lake : Lake
        Where the reports are.
    named : collection of str
        Addresses in the ledger; they stay.
    keep_days : int
        Younger ones stay, and the newest of every partition.
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Upkeep
        Pages and their plain data.
    """
    kept, old = Counter[str](), list[Path]()
    for day in sorted((lake.root / REPORTS).glob("*/*")):
        pages = sorted(day.glob("*.*"), key=lambda path: path.stat().st_mtime)
        newest = pages[-1].stem if pages else ""
        for path in pages:
            own = path.relative_to(lake.root)
            if own.with_suffix(".html").as_posix() in named or own.as_posix() in named:
                kept["named in the ledger"] += 1
            elif path.stem == newest:
                kept["newest of its partition"] += 1
            elif _age_days(path) <= keep_days:
                kept[f"younger than {keep_days} days"] += 1
            else:
                old.append(path)
    return _remove(
        old, lambda path: str(path.relative_to(lake.root / REPORTS)), dict(kept), dry_run=dry_run
    )


def _remove(
    paths: Iterable[Path], name: Callable[[Path], str], kept: dict[str, int], *, dry_run: bool
) -> Upkeep:
    removed, freed = [], 0
    for path in paths:
        removed.append(name(path))
        freed += _size(path)
        if not dry_run:
            remove(path)
            fault_point("maintenance:mid_remove")
    return Upkeep(tuple(removed), freed, kept)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    total = 0
    for file in files:
        with suppress(OSError):  # somebody else was faster
            total += file.lstat().st_size if file.is_file() else 0
    return total


def _age_days(path: Path) -> float:
    try:
        return (time.time() - path.stat().st_mtime) / _DAY_S
    except FileNotFoundError:
        return 0.0
