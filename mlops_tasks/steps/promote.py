"""Promote: the gate's word makes a version the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.registry.champions import move_champion, registered_version

if TYPE_CHECKING:
    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["promote"]


def promote(
    challenger: RegisteredVersion,
    verdict: Verdict,
    *,
    as_of: str,
    tracking: Tracking,
    ledger: Ledger,
    dag_run: str = "",
    by: str = "",
) -> bool:
    """Make the challenger the champion if the gate said so and nobody was faster.

    Parameters
    ----------
    challenger : RegisteredVersion
        The version the verdict is about.
    verdict : Verdict
        The gate's verdict; "keep" changes nothing.
    as_of : str
        Cut-off of the challenger's training.
    tracking, ledger : Tracking, Ledger
        The alias follows the ledger's compare-and-set.
    dag_run, by : str, optional
        The run, and who started it, as the ledger names them.

    Returns
    -------
    bool
        True if the challenger is the champion now.

    Raises
    ------
    ChampionChangedError
        If the champion was moved since the gate compared with it, also if it has returned.
    UnknownVersionError
        If the ledger does not know the challenger.
    """
    if verdict.verdict != "promote":
        return False
    move_champion(
        registered_version(challenger.name, challenger.version, ledger=ledger),
        generation=verdict.champion_generation,
        key=as_of,
        evidence={"reason": verdict.reason},
        tracking=tracking,
        ledger=ledger,
        dag_run=dag_run,
        by=by,
    )
    return True
