"""What a person says about aliases that were moved outside: undone, or adopted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnknownVersionError
from mlops_tasks.registry.aliases import ALIASES, moved_aliases, project_aliases
from mlops_tasks.registry.champions import move_champion, registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.tracking import CHAMPION
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from mlops_tasks.registry.aliases import AliasMove
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["adopt_move", "undo_moves"]


def undo_moves(
    name: str, *, tracking: Tracking, ledger: Ledger, reason: str, person: str
) -> list[AliasMove]:
    """Put the aliases of a model back where the ledger says.

    Parameters
    ----------
    name : str
        Registered model.
    tracking, ledger : Tracking, Ledger
        Where they are, and where they belong.
    reason, person : str
        Why, and who says so; written down before anything moves.

    Returns
    -------
    list of AliasMove
        What was undone.
    """
    moves = moved_aliases(name, tracking=tracking, ledger=ledger)
    done = [replace(move, state="undone", reason=reason) for move in moves]
    for move in done:
        _say(name, move, ledger, person)
    project_aliases(name, tracking=tracking, ledger=ledger, force=ALIASES, by=person)
    return done


def adopt_move(
    name: str, *, tracking: Tracking, ledger: Ledger, reason: str, person: str
) -> AliasMove:
    """Make the version champion that the alias ``champion`` was moved to.

    Parameters
    ----------
    name, tracking, ledger, reason, person
        As for `undo_moves`. The other aliases follow from the champion.

    Returns
    -------
    AliasMove
        What was adopted: a promotion in the ledger, with who and why.

    Raises
    ------
    UnknownVersionError
        If the alias was not moved, was removed, or points at a version that the ledger does not
        know.
    """
    moves = moved_aliases(name, tracking=tracking, ledger=ledger)
    found = next((move for move in moves if move.alias == CHAMPION and move.found), None)
    if found is None or found.found is None:
        raise UnknownVersionError(
            f"alias {CHAMPION} of {name!r} points at no other version than the ledger's, so there "
            "is nothing to adopt; --undo puts the other aliases right"
        )
    version = registered_version(name, found.found, ledger=ledger)
    now = ledger.champion(name)
    done = replace(found, state="adopted", reason=reason)
    _say(name, done, ledger, person)
    move_champion(
        version,
        generation=now.generation if now else 0,
        key=f"adoption of {version.version}",
        evidence={"reason": reason, "person": person, "alias": CHAMPION},
        tracking=tracking,
        ledger=ledger,
        by=person,
    )
    return done


def _say(name: str, move: AliasMove, ledger: Ledger, person: str) -> None:
    about = {"model": name, "kind": EvidenceKind.ALIAS_MOVE, "key": move.alias}
    ledger.record(**about, evidence=to_json(move), dag_run="mlops ledger aliases", by=person)
