"""What a model consists of, found by walking it."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["owned_parts", "parts_of"]


def parts_of(model: Any) -> Iterator[Any]:
    """Yield everything that a model consists of, each once, itself first."""
    return (part for part, _ in owned_parts(model))


def owned_parts(model: Any) -> Iterator[tuple[Any, int]]:
    """Yield everything that a model consists of, with the number of features its owner takes."""
    waiting, seen = [(model, 0)], dict[int, Any]()
    while waiting:
        part, n_features = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part  # kept, or its number could be given to another one
        n_features = _n_features(part, n_features)
        yield part, n_features
        waiting += [(inner, n_features) for inner in reversed(list(_inside(part)))]


def _n_features(part: Any, n_features: int) -> int:
    try:
        known = getattr(part, "n_features_in_", n_features)
    except Exception:  # a property of an estimator that is not fitted
        return n_features
    return known if isinstance(known, int) else n_features


def _inside(part: Any) -> Iterable[Any]:
    import numpy as np

    if isinstance(part, np.ndarray):
        return list(part.ravel()) if part.dtype == object else ()
    if isinstance(part, dict):
        return part.values()
    if isinstance(part, list | tuple | set | frozenset):
        return part
    plain = isinstance(part, type | FunctionType)
    return () if plain else getattr(part, "__dict__", {}).values()
