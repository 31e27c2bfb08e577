"""The reason that a person gives for what no rule has decided."""

from __future__ import annotations

from mlops_tasks.exceptions import VersionNotAllowedError

__all__ = ["check_reason"]

_FEWEST = 3


def check_reason(reason: str, what: str) -> str:
    """Return a reason without the space around it, or refuse one that says nothing."""
    found = " ".join(reason.split())
    if len(found) < _FEWEST:
        raise VersionNotAllowedError(
            f"{what} needs a reason, in words: it is what the ledger tells whoever asks later"
        )
    return found
