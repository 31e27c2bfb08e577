"""Rows of each problem type, drawn at random, and the metrics that are tried on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_tasks.problem_types.outcomes import Outcomes

CLASSES = ("a", "b", "c")


def draw(kind: str, n: int, seed: int, days: Any = None) -> Outcomes:
    """Draw rows; with days, those of one day err in the same direction."""
    random = np.random.default_rng([seed, n])
    shift = np.zeros(n) if days is None else random.normal(0, 1.5, days.max() + 1)[days]
    if kind == "regression":
        p = random.normal(10, 2, n)
        return Outcomes(p + random.normal(0, 1, n) + shift, p, days)
    if kind == "binary":
        logit = random.normal(-0.5, 1.2, n)
        chance, p = (1 / (1 + np.exp(-z)) for z in (logit + shift, logit))
        return Outcomes((random.random(n) < chance) * 1, p, days)
    logits = random.normal(0, 1.2, (n, 3))
    p, chance = (np.exp(z) for z in (logits, logits + np.outer(shift, [1, 0, -1])))
    p, chance = (part / part.sum(axis=1, keepdims=True) for part in (p, chance))
    y = (chance.cumsum(axis=1) > random.random(n)[:, None]).argmax(axis=1)
    return Outcomes(y, p, days, classes=CLASSES)


METRICS = {
    "binary": ["roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1"],
    "multiclass": ["balanced_accuracy", "f1_macro"],
    "regression": ["mae", "rmse", "wape", "median_absolute_error", "r2", "bias", "pinball_0.9"],
}
CASES = [(kind, name) for kind, names in METRICS.items() for name in names]
