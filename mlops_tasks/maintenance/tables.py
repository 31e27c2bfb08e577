"""The lake's tables, each kept small without losing what a pin refers to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError, MlopsError
from mlops_tasks.lake import optimize, vacuum
from mlops_tasks.maintenance.names import ledger_pins, registered_pins
from mlops_tasks.maintenance.upkeep import Upkeep

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["shrink_tables"]


def shrink_tables(
    lake: Lake, *, ledger: Ledger, tracking: Tracking, keep_days: int, dry_run: bool = False
) -> Upkeep:
    """Gather records, checkpoint logs and remove data files that nothing needs, table by table.

    Parameters
    ----------
    lake : Lake
        The tables.
    ledger, tracking : Ledger, Tracking
        What their pins refer to is never removed.
    keep_days : int
        Also keep what was known within this number of days.
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Upkeep
        Data files, below the lake.

    Raises
    ------
    UnknownPinsError
        If a registered version cannot be asked for its pins; nothing was removed.
    DamagedTableError
        At the end, if a table cannot be read.
    """
    registered = registered_pins(tracking)
    removed, freed, kept, damaged = list[str](), 0, Counter[str](), list[str]()
    for name in lake.tables():
        table = lake.table(name)
        try:
            if not dry_run:
                optimize(table)
            # Asked for each table: a training may have begun since.
            pins = registered | ledger_pins(ledger)
            done = vacuum(table, pins=pins, keep_days=keep_days, dry_run=dry_run)
        except MlopsError as error:
            damaged.append(str(error))
            continue
        removed += [f"{name}/{path}" for path in done.removed]
        freed += done.removed_bytes
        kept.update(done.kept)
    if damaged:
        raise DamagedTableError("; ".join(damaged))
    return Upkeep(tuple(removed), freed, dict(kept))
