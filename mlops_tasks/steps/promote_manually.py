"""Promote manually: a person makes a version the champion, whatever the gate has said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import VersionNotAllowedError
from mlops_tasks.registry.champions import move_champion, registered_version
from mlops_tasks.registry.reasons import check_reason
from mlops_tasks.registry.verification import verify_version

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Champion, Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["promote_manually"]


def promote_manually(
    name: str, version: str, *, reason: str, by: str, tracking: Tracking, ledger: Ledger
) -> Champion:
    """Make a version the champion on the word of a person.

    Parameters
    ----------
    name, version : str
        Registered model and version.
    reason, by : str
        Why, and who says so; written down.
    tracking, ledger : Tracking, Ledger
        The alias follows the ledger's compare-and-set.

    Returns
    -------
    Champion
        The champion now.

    Raises
    ------
    VersionNotAllowedError
        If the version is the champion already or retired, or there is no reason.
    UnknownVersionError, UnsafeModelError
        If the ledger does not know it, or its files are not what was registered.
    ChampionChangedError
        If somebody else has moved the champion meanwhile.
    """
    why = check_reason(reason, f"the promotion of version {version} of {name!r}")
    known, now = registered_version(name, version, ledger=ledger), ledger.champion(name)
    if now is not None and now.version == version:
        raise VersionNotAllowedError(
            f"version {version} is the champion of {name!r} already: nothing was changed"
        )
    verify_version(known, tracking=tracking)
    return move_champion(
        known,
        generation=now.generation if now else 0,
        key=f"manual promotion of {version}",
        evidence={"reason": why, "verdict": "none, a person's word"},
        tracking=tracking,
        ledger=ledger,
        by=by,
    )
