"""Wait for an approval, and no longer than the request stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.triggers.answers import AnswerTrigger
from mlops_tasks.registry.releases import request_of, why_withdrawn

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger

__all__ = ["ApprovalTrigger"]


class ApprovalTrigger(AnswerTrigger):
    """Wait until a request to release is answered, or withdrawn: superseded by a newer version.

    Parameters
    ----------
    version : str
        The version that is asked about.
    **kwargs
        As of `AnswerTrigger`.
    """

    def __init__(self, version: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its import path and arguments."""
        path, arguments = super().serialize()
        return path, arguments | {"version": self.version}

    def is_overtaken(self, ledger: Ledger) -> bool:
        """Return whether the request was withdrawn."""
        request = request_of(self.model, self.version, ledger=ledger)
        return request is not None and bool(why_withdrawn(self.model, request, ledger=ledger))
