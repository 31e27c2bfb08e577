"""Aliases that others have moved in MLflow, as the ledger of the embedded stack knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_alias_moves"]


def open_alias_moves(home: Path) -> list[str]:
    """Return the moves that nobody has undone or adopted, a sentence each.

    The ledger is read alone, in a moment: what MLflow says is compared by each promotion and by the
    nightly maintenance, and by ``mlops ledger aliases`` now.

    Parameters
    ----------
    home : Path
        Of the stack.
    """
    file = home / "ledger.db"
    if not file.exists():
        return []
    from mlops_tasks.registry.aliases import AliasMove
    from mlops_tasks.registry.ledger import EvidenceKind, Ledger
    from mlops_tasks.serialization import from_json

    entries = Ledger(f"sqlite:///{file}").entries(kind=EvidenceKind.ALIAS_MOVE)
    moves = [(one, from_json(AliasMove, one.evidence)) for one in entries]
    return [
        f"{entry.model}: {move} (seen {entry.recorded_at:%Y-%m-%d %H:%M} UTC)"
        for entry, move in moves
        if move.state == "open"
    ]
