"""Where a search looks, as a function of the project says it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["suggested"]


def suggested(function: str, trial: Any) -> dict[str, Any]:
    """Return the parameters that a function of the project suggests for a trial."""
    found = _imported(function)(trial)
    if not isinstance(found, dict):
        raise SpecError(
            f"search: {function} must return a dict of parameters, not {type(found).__name__}"
        )
    return found


def _imported(function: str) -> Callable[[Any], Any]:
    module, name = function.split(":")
    try:
        found: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise SpecError(
            f"search: {function!r}: {type(error).__name__}: {error}; name a function as "
            "'package.module:function', importable from the Dag folder"
        ) from error
    return found
