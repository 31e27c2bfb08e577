"""The text of boosters: code in C follows its numbers without looking, so they are looked at."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.modelfiles.structure import sound_nodes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

__all__ = ["check_lightgbm", "check_xgboost"]

_TREE = re.compile(rb"^Tree=", re.MULTILINE)
_CLASSES = re.compile(r"num_class:(\d+)")
_CATEGORICAL = 1  # a kind of split of xgboost, and a bit of a decision of lightgbm


def check_xgboost(text: bytes) -> str:
    """Say what is wrong with the JSON of an xgboost booster; empty when nothing is."""
    try:
        learner = json.loads(text)["learner"]
        booster = learner["gradient_booster"]
        n_features = int(learner["learner_model_param"]["num_feature"])
        n_groups = max(int(learner["learner_model_param"]["num_class"]), 1)
        n_groups = max(n_groups, int(learner["learner_model_param"]["num_target"]))
        softmax = learner["objective"].get("softmax_multiclass_param")
        if softmax is not None and int(softmax["num_class"]) != n_groups:
            return "its objective has other classes"
        if booster["name"] == "gblinear":
            sound = len(booster["model"]["weights"]) == (n_features + 1) * n_groups
            return "" if sound else "it has not one weight for each feature"
        forest = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
        if booster["name"] == "dart" and len(booster["weight_drop"]) != len(forest["trees"]):
            return "it has not one weight for each tree"
        return _wrong_forest(forest, n_features, n_groups)
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        return f"it is no booster ({error!r:.100})"


def _wrong_forest(forest: dict[str, Any], n_features: int, n_groups: int) -> str:
    trees, groups = forest["trees"], _whole(forest["tree_info"])
    ends = _whole(forest["iteration_indptr"])
    if not len(trees) == len(groups) == int(forest["gbtree_model_param"]["num_trees"]):
        return "it has not as many trees as it says"
    if not _between(groups, 0, n_groups) or not _between(ends, 0, len(trees) + 1):
        return "a tree belongs to no class or round"
    if not _sound_categories(forest.get("cats") or {}, n_features):
        return "its categories point outside of themselves"
    for number, tree in enumerate(trees):
        if not _sound_xgboost_tree(tree, n_features):
            return f"tree {number} points outside of itself"
    return ""


def _sound_xgboost_tree(tree: dict[str, Any], n_features: int) -> bool:
    left, right = _whole(tree["left_children"]), _whole(tree["right_children"])
    feature, kind = _whole(tree["split_indices"]), _whole(tree["split_type"])
    n = int(tree["tree_param"]["num_nodes"])
    other = tree["split_conditions"], tree["default_left"], tree["base_weights"]
    if {len(left), len(right), len(feature), len(kind), *map(len, other)} != {n}:
        return False
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:  # one booster for several targets
        return False
    by_set = _whole(tree["categories_nodes"])
    starts, sizes = _whole(tree["categories_segments"]), _whole(tree["categories_sizes"])
    sets = _whole(tree["categories"])
    spans = len(by_set) == len(starts) == len(sizes) and _between(by_set, 0, n)
    spans = spans and _between(starts, 0, len(sets) + 1) and _between(sizes, 0, len(sets) + 1)
    spans = spans and _between(starts + sizes, 0, len(sets) + 1) and _between(sets, 0, 2**24)
    said = set((kind == _CATEGORICAL).nonzero()[0].tolist()) <= set(by_set.tolist())
    return spans and said and sound_nodes(left, right, feature, left == -1, n_features)


def _sound_categories(cats: dict[str, Any], n_features: int) -> bool:
    encoded = cats.get("enc") or []
    if not encoded:
        return not cats.get("sorted_idx")
    segments, order = _whole(cats["feature_segments"]), _whole(cats["sorted_idx"])
    sizes = []
    for one in encoded:
        values, offsets = one["values"], one.get("offsets")
        ends = _whole(offsets if offsets is not None else [])
        if len(ends) and not (_rising(ends) and ends[0] == 0 and ends[-1] == len(values)):
            return False
        sizes.append(max(len(ends) - 1, 0) if offsets is not None else len(values))
    right = len(encoded) == n_features and len(segments) == n_features + 1
    right = right and segments.tolist() == [sum(sizes[:at]) for at in range(len(sizes) + 1)]
    widest = max(sizes, default=0)
    return right and len(order) == sum(sizes) and _between(order, 0, max(widest, 1))


def check_lightgbm(text: bytes) -> str:
    """Say what is wrong with the text of a lightgbm booster; empty when nothing is."""
    try:
        # The library jumps from tree to tree by the sizes that the head states.
        starts = [match.start() for match in _TREE.finditer(text)]
        ends = [*starts[1:], text.index(b"\nend of trees") + 1]
        head = _lines(text[: min(ends[0], *starts)] if starts else text)
        n_features, n_classes = int(head["max_feature_idx"]) + 1, int(head["num_class"])
        sizes = [int(one) for one in head.get("tree_sizes", "").split()]
        if not text.startswith(b"tree\n") or n_classes < 1:
            return "it does not begin as a booster"
        classes = [int(one) for one in _CLASSES.findall(head.get("objective", ""))]
        if int(head["num_tree_per_iteration"]) != n_classes or set(classes) - {n_classes}:
            return "its objective has other classes"
        if sizes != [end - start for start, end in zip(starts, ends, strict=False)]:
            return "its trees are not where it says"
        for number, (start, end) in enumerate(zip(starts, ends, strict=False)):
            if not _sound_lightgbm_tree(_lines(text[start:end]), n_features):
                return f"tree {number} points outside of itself"
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return f"it is no booster ({error!r:.100})"
    return "" if len(starts) % n_classes == 0 else "a round lacks a tree"


def _lines(text: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.decode().split("\n") if "=" in line)


def _sound_lightgbm_tree(tree: dict[str, str], n_features: int) -> bool:
    """Leaves are counted from -1 downwards; inner nodes from 0 upwards, each after its parent."""
    import numpy as np

    n_leaves, n_sets = int(tree["num_leaves"]), int(tree.get("num_cat", "0"))
    if n_leaves < 1 or len(tree["leaf_value"].split()) != n_leaves:
        return False
    if n_leaves == 1:
        return True
    left, right = _spaced(tree, "left_child"), _spaced(tree, "right_child")
    feature, decision = _spaced(tree, "split_feature"), _spaced(tree, "decision_type")
    n_inner = n_leaves - 1
    lengths = {len(left), len(right), len(feature), len(decision), len(tree["threshold"].split())}
    if lengths != {n_inner}:
        return False
    at = np.arange(n_inner)
    sound = all(
        _between(child, -n_leaves, n_inner) and bool(np.all((child < 0) | (child > at)))
        for child in (left, right)
    )
    by_set = (decision & _CATEGORICAL) > 0
    numbers = [float(one) for one in tree["threshold"].split()]
    sets = np.array([numbers[one] for one in by_set.nonzero()[0]])
    if len(sets) and not (bool(np.all(sets == np.floor(sets))) and _between(sets, 0, n_sets)):
        return False
    if n_sets:
        ends, words = _spaced(tree, "cat_boundaries"), tree["cat_threshold"].split()
        if not (len(ends) == n_sets + 1 and _rising(ends) and ends[0] == 0):
            return False
        if ends[-1] != len(words):
            return False
    return sound and _between(feature, 0, n_features) and _sound_linear(tree, n_leaves, n_features)


def _sound_linear(tree: dict[str, str], n_leaves: int, n_features: int) -> bool:
    if tree.get("is_linear", "0") == "0":
        return True
    counts, features = _spaced(tree, "num_features"), _spaced(tree, "leaf_features")
    n = len(tree["leaf_coeff"].split())
    right = len(counts) == n_leaves == len(tree["leaf_const"].split())
    return (
        right
        and _between(counts, 0, n + 1)
        and n == len(features) == int(counts.sum())
        and (_between(features, 0, n_features))
    )


def _whole(numbers: Any) -> Numbers:
    import numpy as np

    if not isinstance(numbers, list) or not all(type(one) is int for one in numbers):
        raise ValueError("a list of whole numbers is none")
    return np.array(numbers, dtype=np.int64)


def _spaced(tree: dict[str, str], name: str) -> Numbers:
    return _whole([int(one) for one in tree[name].split()])


def _between(numbers: Any, first: int, end: int) -> bool:
    return not len(numbers) or bool(numbers.min() >= first and numbers.max() < end)


def _rising(numbers: Numbers) -> bool:
    return bool((numbers[1:] >= numbers[:-1]).all())
