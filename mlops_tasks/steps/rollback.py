"""Roll back: a version that was champion is it again, once it has proved to be what it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import NoChampionError
from mlops_tasks.registry.champions import move_champion, registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.past_champions import champion_to_return_to
from mlops_tasks.registry.reasons import check_reason
from mlops_tasks.registry.verification import Verified, verify_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["Rollback", "rollback"]


@dataclass(frozen=True, slots=True)
class Rollback:
    """What was done: from which champion to which, why, and what was compared before."""

    name: str
    before: str
    version: str
    reason: str
    verified: Verified


def rollback(
    name: str,
    to: str | None = None,
    *,
    reason: str,
    by: str,
    tracking: Tracking,
    ledger: Ledger,
    dag_run: str = "",
    generation: int | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Rollback:
    """Make an earlier champion the champion again.

    Parameters
    ----------
    name : str
        Registered model.
    to : str, optional
        The version; by default the champion before this one.
    reason, by : str
        Why, and who says so; written down.
    tracking, ledger : Tracking, Ledger
        The alias follows the ledger's compare-and-set.
    dag_run : str, optional
        Named in the ledger.
    generation : int, optional
        Which move made the champion that is to be left, as who decided saw it; by default that of
        the one there is.
    evidence : mapping, optional
        What else is written down.

    Returns
    -------
    Rollback
        What was done.

    Raises
    ------
    NoChampionError
        If there is no champion.
    VersionNotAllowedError
        If the version is the champion, was never one, or is retired; or if there is no reason.
    UnknownVersionError, UnsafeModelError
        If the version is not what was registered any more.
    ChampionChangedError
        If somebody else has moved the champion meanwhile.
    """
    why, now = check_reason(reason, f"the rollback of {name!r}"), ledger.champion(name)
    if now is None:
        raise NoChampionError(f"model {name!r} has no champion, so there is nothing to roll back")
    version = champion_to_return_to(name, to, ledger=ledger)
    known = registered_version(name, version, ledger=ledger)
    verified = verify_version(known, tracking=tracking)
    move_champion(
        known,
        generation=now.generation if generation is None else generation,
        key=f"rollback of {now.version}",
        evidence={**(evidence or {}), "reason": why, "golden_rows": verified.golden_rows},
        tracking=tracking,
        ledger=ledger,
        dag_run=dag_run,
        by=by,
        kind=EvidenceKind.ROLLBACK,
    )
    return Rollback(name, now.version, version, why, verified)
