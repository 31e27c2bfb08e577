"""MLflow's aliases: a projection of the ledger, and what was moved there by others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.faults import fault_point
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES
from mlops_tasks.registry.tracking import CHALLENGER, CHAMPION
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlops_tasks.registry.ledger import Ledger, LedgerEntry
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["ALIASES", "PREVIOUS", "AliasMove", "moved_aliases", "project_aliases", "wanted_aliases"]

PREVIOUS = "previous"
ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AliasMove:
    """An alias that points elsewhere than the ledger says, moved by others.

    Attributes
    ----------
    alias : str
        ``champion``, ``challenger`` or ``previous``.
    found, wanted : str or None
        The version that it points at, and the one of the ledger; None for none.
    state : str
        ``open``, until a person says ``undone`` or ``adopted``; ``replaced`` by the next move of
        the champion; ``returned``, where it is right again by itself.
    reason : str
        The person's.
    """

    alias: str
    found: str | None
    wanted: str | None
    state: str = "open"
    reason: str = ""

    def __str__(self) -> str:
        """Return it in a sentence."""
        found = f"points at version {self.found}" if self.found else "is gone"
        wanted = f"version {self.wanted}" if self.wanted else "none"
        return f"alias {self.alias} {found} in MLflow; by the ledger it is {wanted}"


def wanted_aliases(lifecycle: Sequence[LedgerEntry]) -> dict[str, str | None]:
    """Return where each alias belongs.

    Parameters
    ----------
    lifecycle : sequence of LedgerEntry
        What happened to the versions of a model, see `Ledger.lifecycle`.

    Returns
    -------
    dict of str to str or None
        ``champion``; ``previous``, the one that it replaced; ``challenger``, the newest version
        that was registered by a training, unless it has been champion. A retired version has none.
    """
    moves = [entry for entry in lifecycle if entry.kind in CHAMPION_MOVES]
    keys = {
        kind: [entry.key for entry in lifecycle if entry.kind == kind]
        for kind in (EvidenceKind.REGISTRATION, EvidenceKind.ADOPTION, EvidenceKind.RETIREMENT)
    }
    retired = set(keys[EvidenceKind.RETIREMENT])
    champions = {str(entry.evidence.get("version")) for entry in moves}
    adopted = set(keys[EvidenceKind.ADOPTION])
    trained = [version for version in keys[EvidenceKind.REGISTRATION] if version not in adopted]
    newest = trained[-1] if trained else None
    before = moves[-1].evidence.get("previous") if moves else None
    return {
        CHAMPION: str(moves[-1].evidence["version"]) if moves else None,
        CHALLENGER: None if newest in champions | retired else newest,
        PREVIOUS: None if before is None or before in retired else str(before),
    }


def moved_aliases(name: str, *, tracking: Tracking, ledger: Ledger) -> list[AliasMove]:
    """Return the aliases that others have moved; nothing is written.

    Parameters
    ----------
    name : str
        Registered model.
    tracking, ledger : Tracking, Ledger
        Where they are, and where they belong.
    """
    wanted, set_by_us = wanted_aliases(ledger.lifecycle(name)), ledger.aliases(name)
    found = _in_mlflow(name, tracking)
    return [
        AliasMove(alias, found[alias], wanted[alias])
        for alias in ALIASES
        if found[alias] != wanted[alias] and _is_foreign(alias, found[alias], set_by_us)
    ]


def project_aliases(
    name: str,
    *,
    tracking: Tracking,
    ledger: Ledger,
    force: Collection[str] = (),
    dag_run: str = "",
    by: str = "",
) -> list[AliasMove]:
    """Point MLflow's aliases where the ledger says, but leave alone what others have moved.

    Parameters
    ----------
    name : str
        Registered model.
    tracking, ledger : Tracking, Ledger
        The ledger says; MLflow follows, also when the ledger goes on meanwhile.
    force : collection of str, default ()
        Aliases that are put right also where others have moved them, after that was written down:
        the champion has just been moved, or a person has said so.
    dag_run, by : str, optional
        For the entries of kind ``alias_move``.

    Returns
    -------
    list of AliasMove
        What others have moved, and is still there. Each is in the ledger, and was logged.
    """
    about = {"model": name, "dag_run": dag_run, "by": by}
    while True:
        lifecycle = ledger.lifecycle(name)
        wanted, set_by_us, found = (
            wanted_aliases(lifecycle),
            ledger.aliases(name),
            _in_mlflow(name, tracking),
        )
        foreign = []
        for alias in ALIASES:
            move = AliasMove(alias, found[alias], wanted[alias])
            if move.found == move.wanted:
                _close(ledger, lifecycle, alias, about)
            elif _is_foreign(alias, move.found, set_by_us):
                if alias not in force:
                    _say_open(ledger, lifecycle, move, about)
                    foreign.append(move)
                    continue
                _say_replaced(ledger, lifecycle, move, about)
            now = _point(name, move, tracking)
            if set_by_us.get(alias, "") != now:
                ledger.keep_alias(name, alias, now)
        if wanted == wanted_aliases(ledger.lifecycle(name)):
            return foreign


def _is_foreign(alias: str, found: str | None, set_by_us: dict[str, str | None]) -> bool:
    """Say whether others have put an alias where it is.

    Where it still is where we have put it, an interrupted move of ours has left it behind. Of one
    that we have never put anywhere only the champion is somebody's word.
    """
    if alias not in set_by_us:
        return alias == CHAMPION and found is not None
    return found != set_by_us[alias]


def _in_mlflow(name: str, tracking: Tracking) -> dict[str, str | None]:
    from mlflow.exceptions import MlflowException

    try:
        aliases = tracking.client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        aliases = {}
    return {alias: str(aliases[alias]) if alias in aliases else None for alias in ALIASES}


def _is_there(name: str, version: str, tracking: Tracking) -> bool:
    query = f"name = '{name}' and version_number = {int(version)}"
    return bool(tracking.client.search_model_versions(query))


def _point(name: str, move: AliasMove, tracking: Tracking) -> str | None:
    """Put an alias where it belongs; return where it is now.

    A former champion that was deleted in MLflow carries nothing. The champion must be there.
    """
    if move.found == move.wanted:
        return move.wanted
    if move.wanted is None:
        tracking.client.delete_registered_model_alias(name, move.alias)
        return None
    if move.alias != CHAMPION and not _is_there(name, move.wanted, tracking):
        return move.found
    tracking.client.set_registered_model_alias(name, move.alias, move.wanted)
    if move.alias == CHAMPION:
        fault_point("promote:after_alias")
    return move.wanted


# --- what is written down


def _newest(lifecycle: Sequence[LedgerEntry], alias: str) -> dict[str, Any]:
    found = [e for e in lifecycle if e.kind == EvidenceKind.ALIAS_MOVE and e.key == alias]
    return found[-1].evidence if found else {}


def _say_open(
    ledger: Ledger, lifecycle: Sequence[LedgerEntry], move: AliasMove, about: dict[str, str]
) -> None:
    _log.warning("model %s: %s. See: mlops ledger aliases %s", about["model"], move, about["model"])
    newest = _newest(lifecycle, move.alias)
    if (newest.get("state"), newest.get("found")) != ("open", move.found):
        _record(ledger, move, about)


def _say_replaced(
    ledger: Ledger, lifecycle: Sequence[LedgerEntry], move: AliasMove, about: dict[str, str]
) -> None:
    """Write down what is overwritten now, unless a person has just said so."""
    newest = _newest(lifecycle, move.alias)
    said = newest.get("found") == move.found and newest.get("state") in ("undone", "adopted")
    if not said:
        _log.warning("model %s: %s. It is put right now", about["model"], move)
        _record(ledger, replace(move, state="replaced"), about)


def _close(
    ledger: Ledger, lifecycle: Sequence[LedgerEntry], alias: str, about: dict[str, str]
) -> None:
    newest = _newest(lifecycle, alias)
    if newest.get("state") == "open":
        _record(ledger, replace(from_json(AliasMove, newest), state="returned"), about)


def _record(ledger: Ledger, move: AliasMove, about: dict[str, str]) -> None:
    ledger.record(**about, kind=EvidenceKind.ALIAS_MOVE, key=move.alias, evidence=to_json(move))
