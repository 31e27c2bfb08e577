"""Compiled parts of a model: code in C follows their numbers without looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

__all__ = ["check_structure"]

_LEAF = -1


def check_structure(model: Any) -> None:
    """Refuse a model whose trees point outside of themselves, in circles, or at no feature.

    Predicting with a damaged one would read foreign memory or never end.
    """
    for part, n_features in _parts(model):
        kind = type(part).__name__
        if kind == "Tree" and not _sound_tree(part, n_features):
            raise UnsafeModelError(f"a {kind} of the model points outside of itself")
        if kind == "TreePredictor" and not _sound_predictor(part, n_features):
            raise UnsafeModelError(f"a {kind} of the model points outside of itself")
        if kind == "KDTree" and not _sound_neighbours(part):
            raise UnsafeModelError(f"a {kind} of the model points outside of itself")


def _parts(model: Any) -> Iterator[tuple[Any, int]]:
    """Yield everything that a model consists of, with the number of features its owner takes."""
    waiting, seen = [(model, 0)], set[int]()
    while waiting:
        part, n_features = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        n_features = getattr(part, "n_features_in_", n_features)
        yield part, n_features
        waiting += [(inner, n_features) for inner in _inside(part)]


def _inside(part: Any) -> Iterable[Any]:
    import numpy as np

    if isinstance(part, np.ndarray):
        return list(part.ravel()) if part.dtype == object else ()
    if isinstance(part, dict):
        return part.values()
    if isinstance(part, list | tuple | set | frozenset):
        return part
    return () if isinstance(part, type) else getattr(part, "__dict__", {}).values()


def _sound_tree(tree: Any, n_features: int) -> bool:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    leaves = (left == _LEAF) & (right == _LEAF)
    shaped = tree.value.shape[0] == len(left) == len(feature)
    return shaped and _sound_nodes(left, right, feature, leaves, n_features)


def _sound_predictor(predictor: Any, n_features: int) -> bool:
    nodes = predictor.nodes
    left, right = (nodes[name].astype("int64") for name in ("left", "right"))
    feature, leaves = nodes["feature_idx"].astype("int64"), nodes["is_leaf"] != 0
    by_set = (nodes["is_categorical"] != 0) & ~leaves
    sets = nodes["bitset_idx"][by_set].astype("int64")
    n_sets = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    in_range = not len(sets) or bool(sets.min() >= 0 and sets.max() < n_sets)
    return in_range and _sound_nodes(left, right, feature, leaves, n_features)


def _sound_nodes(
    left: Numbers, right: Numbers, feature: Numbers, leaves: Any, n_features: int
) -> bool:
    """Say whether every inner node points at later ones, which are there, and at a feature."""
    import numpy as np

    inner = ~leaves
    at = np.arange(len(left))[inner]
    children = np.concatenate([left[inner], right[inner]])
    ahead = bool(np.all(children > np.concatenate([at, at])) and np.all(children < len(left)))
    known = feature[inner]
    return len(left) > 0 and ahead and bool(np.all((known >= 0) & (known < n_features)))


def _sound_neighbours(tree: Any) -> bool:
    data, index, nodes, _ = (np_array for np_array in tree.get_arrays())
    n = len(data)
    spans = nodes["idx_start"], nodes["idx_end"]
    spanned = all(bool((span >= 0).all() and (span <= n).all()) for span in spans)
    return len(index) == n and sorted(index.tolist()) == list(range(n)) and spanned
