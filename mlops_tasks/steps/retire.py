"""Retire: a version is taken out of use for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.registry.champions import registered_version
from mlops_tasks.registry.reasons import check_reason

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["retire"]


def retire(name: str, version: str, *, reason: str, by: str, ledger: Ledger) -> LedgerEntry:
    """Take a version out of use: it can never be promoted, released or rolled back to any more.

    Parameters
    ----------
    name, version : str
        Registered model and version.
    reason, by : str
        Why, and who says so; written down.
    ledger : Ledger
        Where it is written down. The files stay where they are, for whoever audits them.

    Returns
    -------
    LedgerEntry
        The retirement; the first one where it was retired before.

    Raises
    ------
    VersionNotAllowedError
        If it is the champion, or there is no reason.
    UnknownVersionError
        If the ledger does not know it.
    """
    why = check_reason(reason, f"the retirement of version {version} of {name!r}")
    registered_version(name, version, ledger=ledger)
    return ledger.retire(name, version, evidence={"reason": why}, by=by)
