"""Compiled parts of a model: code in C follows their numbers without looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.parts import owned_parts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

__all__ = ["check_structure", "sound_nodes"]

_LEAF = -1


def check_structure(model: Any) -> None:
    """Refuse a model with a compiled part that points outside of itself, in circles, or nowhere.

    Predicting with a damaged one would read foreign memory or never end.
    """
    for part, n_features in owned_parts(model):
        if not _sound(part, n_features):
            kind = type(part).__name__
            raise UnsafeModelError(f"a {kind} of the model points outside of itself")


def _sound(part: Any, n_features: int) -> bool:
    from scipy.sparse import issparse

    match type(part).__name__:
        case "Tree":
            return _sound_tree(part, n_features)
        case "TreePredictor":
            return _sound_predictor(part, n_features)
        case "KDTree":
            return _sound_neighbours(part, boxes=2)
        case "BallTree":
            return _sound_neighbours(part, boxes=1)
        case "BSpline":
            return _sound_spline(part)
    return _sound_sparse(part) if issparse(part) else True


def _sound_tree(tree: Any, n_features: int) -> bool:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    leaves = (left == _LEAF) & (right == _LEAF)
    shaped = tree.value.shape[0] == len(left) == len(feature)
    return shaped and sound_nodes(left, right, feature, leaves, n_features)


def _sound_predictor(predictor: Any, n_features: int) -> bool:
    nodes = predictor.nodes
    left, right = (nodes[name].astype("int64") for name in ("left", "right"))
    feature, leaves = nodes["feature_idx"].astype("int64"), nodes["is_leaf"] != 0
    by_set = (nodes["is_categorical"] != 0) & ~leaves
    sets = nodes["bitset_idx"][by_set].astype("int64")
    n_sets = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    in_range = not len(sets) or bool(sets.min() >= 0 and sets.max() < n_sets)
    return in_range and sound_nodes(left, right, feature, leaves, n_features)


def sound_nodes(
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


def _sound_neighbours(tree: Any, boxes: int) -> bool:
    data, index, nodes, bounds = tree.get_arrays()
    n, n_features, n_nodes = len(data), data.shape[1], len(nodes)
    spans = nodes["idx_start"], nodes["idx_end"]
    spanned = all(bool((span >= 0).all() and (span <= n).all()) for span in spans)
    # Node i is divided into 2i + 1 and 2i + 2, and each node has its box or its ball.
    divided = (nodes["is_leaf"] == 0).nonzero()[0]
    inside = not len(divided) or int(divided.max()) * 2 + 2 < n_nodes
    shaped = bounds.shape == (boxes, n_nodes, n_features) and tree.__getstate__()[6] == n_nodes
    named = len(index) == n and sorted(index.tolist()) == list(range(n))
    return named and spanned and inside and shaped and _sound_distance(tree, n_features)


def _sound_distance(tree: Any, n_features: int) -> bool:
    metric = next(one for one in tree.__getstate__() if "Distance" in type(one).__name__)
    kind = type(metric).__name__
    _, weights, _ = metric.__getstate__()
    if kind.startswith("Haversine"):
        return n_features == 2
    if kind.startswith("SEuclidean"):
        return len(weights) == n_features
    return not kind.startswith("Minkowski") or len(weights) in {0, n_features}


def _sound_spline(spline: Any) -> bool:
    import numpy as np

    knots, weights, degree = (vars(spline).get(name) for name in ("_t", "_c", "k"))
    if not isinstance(knots, np.ndarray) or not isinstance(weights, np.ndarray):
        return False
    shaped = type(degree) is int and 0 <= degree <= 20 and knots.ndim == 1 and weights.ndim > 0
    shaped = shaped and spline.axis == 0 and knots.dtype == weights.dtype == np.float64
    rising = bool(np.isfinite(knots).all() and (np.diff(knots) >= 0).all())
    return (
        shaped
        and rising
        and len(knots) >= 2 * degree + 2
        and (len(weights) >= len(knots) - degree - 1)
    )


def _sound_sparse(matrix: Any) -> bool:
    try:
        matrix.tocsr().check_format(full_check=True)
    except ValueError:
        return False
    return True
