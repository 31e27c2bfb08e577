"""The whole check of a ledger: its chain, what is anchored in the lake, and MLflow's aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.registry.aliases import moved_aliases
from mlops_tasks.registry.ledger.anchors import read_anchors
from mlops_tasks.registry.ledger.verification import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.ledger.chain import Head
    from mlops_tasks.registry.ledger.verification import LedgerCheck
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["verify_ledger"]


def verify_ledger(
    ledger: Ledger, *, lake: Lake, tracking: Tracking | None = None, more: Sequence[Head] = ()
) -> LedgerCheck:
    """Check that nothing was changed, put in, removed or cut off, and that aliases follow.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    lake : Lake
        Where its head was anchored.
    tracking : Tracking, optional
        Whose aliases are looked at, too.
    more : sequence of Head, optional
        Anchors that a person has, as from a pack.

    Returns
    -------
    LedgerCheck
        ``cannot_tell`` where nothing is wrong and there is no anchor, one cannot be read, or MLflow
        does not answer.
    """
    anchors = read_anchors(lake)
    heads = [*anchors.heads, *more]
    check = ledger.verify(heads)
    unknown = list(anchors.unreadable)
    if check.n_entries and not heads:
        unknown.append(
            f"no head is anchored in {lake.root}: a tail that was cut off, or a chain that was "
            "written anew, would not be noticed. The nightly maintenance anchors one"
        )
    last = max((head.seq for head in heads), default=0)
    notes = []
    if heads and last < check.head.seq:
        notes.append(f"entries after {last} are not anchored yet")
    aliases = _aliases(ledger, tracking) if tracking else ([], [])
    return check.with_more(aliases[0], [*unknown, *aliases[1]], notes)


def _aliases(ledger: Ledger, tracking: Tracking) -> tuple[list[Finding], list[str]]:
    from mlflow.exceptions import MlflowException

    findings = []
    try:
        for name in ledger.models():
            moves = moved_aliases(name, tracking=tracking, ledger=ledger)
            findings += [Finding("alias", None, f"model {name!r}: {move}") for move in moves]
    except (MlflowException, OSError) as error:
        text = " ".join(str(error).split())
        return findings, [f"MLflow at {tracking.uri} cannot be asked for its aliases: {text:.200}"]
    return findings, []
