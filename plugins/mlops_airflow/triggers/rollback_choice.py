"""Wait for the choice of a past champion, and no longer than there is the same champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.triggers.answers import AnswerTrigger

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger

__all__ = ["RollbackChoiceTrigger"]


class RollbackChoiceTrigger(AnswerTrigger):
    """Wait until a past champion is chosen, or the champion was moved by somebody else.

    Parameters
    ----------
    generation : int
        Which move made the champion that is asked about.
    **kwargs
        As of `AnswerTrigger`.
    """

    def __init__(self, generation: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generation = generation

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its import path and arguments."""
        path, arguments = super().serialize()
        return path, arguments | {"generation": self.generation}

    def is_overtaken(self, ledger: Ledger) -> bool:
        """Return whether there is another champion."""
        now = ledger.champion(self.model)
        return now is None or now.generation != self.generation
