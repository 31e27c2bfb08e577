"""The ledger's night: it is checked, its head is anchored, MLflow's aliases follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LedgerError
from mlops_tasks.maintenance.upkeep import Upkeep
from mlops_tasks.registry.aliases import moved_aliases, project_aliases
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.registry.ledger_check import verify_ledger

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["anchor_ledger", "follow_aliases"]


def anchor_ledger(ledger: Ledger, lake: Lake, *, dry_run: bool = False) -> Upkeep:
    """Check the ledger's chain and anchor its head in the lake.

    Parameters
    ----------
    ledger, lake : Ledger, Lake
        The ledger, and where its head is kept.
    dry_run : bool, default False
        Only check.

    Returns
    -------
    Upkeep
        What is anchored.

    Raises
    ------
    LedgerError
        If something in it is not as it was written; such a head is not anchored.
    """
    check = verify_ledger(ledger, lake=lake)
    if check.findings:
        raise LedgerError(
            f"{check.findings[0].text}. The ledger is not as it was written; its head was not "
            "anchored. Look at it with mlops ledger verify, and restore its database from a backup"
        )
    if not dry_run:
        write_anchor(lake, check.head)
    done = "would be anchored" if dry_run else "anchored"
    return Upkeep(found=(f"{check.n_entries} entries are as they were written; head {done}",))


def follow_aliases(
    ledger: Ledger, tracking: Tracking, *, dry_run: bool = False, dag_run: str = "", by: str = ""
) -> Upkeep:
    """Point MLflow's aliases where the ledger says, and report those that others have moved.

    Parameters
    ----------
    ledger, tracking : Ledger, Tracking
        The ledger says; MLflow follows.
    dry_run : bool, default False
        Only look.
    dag_run, by : str, optional
        For the entries about moved ones.

    Returns
    -------
    Upkeep
        A line for each that others have moved: a person undoes or adopts it.
    """
    lines = []
    for name in ledger.models():
        if dry_run:
            moves = moved_aliases(name, tracking=tracking, ledger=ledger)
        else:
            moves = project_aliases(name, tracking=tracking, ledger=ledger, dag_run=dag_run, by=by)
        lines += [f"MOVED OUTSIDE: model {name}: {move}" for move in moves]
    way_out = ["undo or adopt with: mlops ledger aliases MODEL --undo"] if lines else []
    return Upkeep(found=(*lines, *way_out) or ("all are where the ledger says",))
