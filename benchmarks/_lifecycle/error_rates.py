"""How often gates are wrong: useless challengers promoted, better ones found, on equal draws."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from benchmarks._shared.console import say
from benchmarks._shared.figures import figure
from benchmarks._shared.parts import Measured
from mlops_tasks.gate import GatePlan, judge
from mlops_tasks.gate.criteria import FINE
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.metrics import find_metric
from mlops_tasks.specs import GateSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._shared.figures import Figure

__all__ = ["measure"]

_POSITIVES = (5, 20, 50, 200, 500)
_SHARES = {"balanced": 0.5, "1 % positive": 0.01}
_N_DAYS, _TRIALS, _QUICK = 20, 120, 6
#: Noise of the challenger; the champion has 1. With less it ranks better.
_NOISE = {"useless": 1.0, "better": 0.4}
_CHANGE = 0.001  # the example of TFX: at least as good as a threshold, and better by a bit
_HEAD = ("rows", "positives", "useless: gate", "superiority", "larger (ZenML)", "thresholds (TFX)",
         "better: gate", "superiority", "larger", "thresholds")  # fmt: skip


def measure(*, quick: bool) -> Measured:
    """Draw champions and challengers, and let each way of comparing judge the same ones."""
    trials = _QUICK if quick else _TRIALS
    positives = _POSITIVES[:3] if quick else _POSITIVES
    figures: list[Figure] = []
    rows: list[Sequence[str]] = [_HEAD]
    plan = GatePlan.make(GateSpec(n_bootstrap=200), "binary")
    for share_name, share in _SHARES.items():
        for clustered in (False, True):
            where = f"{share_name}, {'days differ' if clustered else 'independent rows'}"
            say(f"error_rates: {where}")
            found = {n: _cell(plan, n, share, clustered, trials) for n in positives}
            rows += [_line(where, n, one, trials) for n, one in found.items()]
            figures += _figures(where, found, trials * len(positives), plan.level)
    notes = [
        f"{trials} draws for each line. A useless challenger is as good as the champion; both have "
        "errors of their own. Superiority is the gate without its margins and without "
        "min_class_rows: the level is stated of it. Larger: promoted if the ROC AUC is larger, as "
        f"in ZenML's example. Thresholds: ROC AUC of at least 0.6 and {_CHANGE:g} above the "
        "champion's, as TFX's Evaluator is set up. Where days differ, each of 20 days has an error "
        "of its own in each model."
    ]
    return Measured(figures, {"How often each promotes": rows}, notes)


def _cell(
    plan: GatePlan, n_positive: int, share: float, clustered: bool, trials: int
) -> dict[str, Counter[str]]:
    auc = find_metric("roc_auc", "binary")
    found: dict[str, Counter[str]] = {}
    for kind, noise in _NOISE.items():
        counts = found[kind] = Counter()
        for trial in range(trials):
            random = np.random.default_rng([trial, n_positive, int(1000 * share), clustered])
            ours, rival = _draw(random, n_positive, share, clustered, noise)
            verdict = judge(plan, ours, rival)
            shown = [one for one in verdict.criteria if one.kind == "superiority"]
            gain = auc.value(ours) - auc.value(rival)
            counts["gate"] += verdict.verdict == "promote"
            counts["superiority"] += any(one.answer == FINE for one in shown)
            counts["larger"] += gain > 0
            counts["thresholds"] += gain >= _CHANGE and auc.value(ours) >= 0.6
    return found


def _draw(
    random: np.random.Generator, n_positive: int, share: float, clustered: bool, noise: float
) -> tuple[Outcomes, Outcomes]:
    """Draw the rows of 20 days, which know of the target as much as both models can learn."""
    n = round(n_positive / share)
    y = np.zeros(n, np.int64)
    y[random.choice(n, n_positive, replace=False)] = 1
    days = np.arange(n) * _N_DAYS // n
    signal = random.normal(1.5 * y, 1.0) - 0.75
    base = math.log(share / (1 - share))

    def scores(noise: float) -> Any:
        off = random.normal(size=_N_DAYS)[days] * 0.5 if clustered else 0.0
        return expit(base + signal + noise * random.normal(size=n) + off)

    return (
        Outcomes(y, scores(noise), days if clustered else None),
        Outcomes(y, scores(1.0), days if clustered else None),
    )


def _line(where: str, n: int, found: dict[str, Counter[str]], trials: int) -> Sequence[str]:
    shares = [
        f"{found[kind][way] / trials:.1%}"
        for kind in _NOISE
        for way in ("gate", "superiority", "larger", "thresholds")
    ]
    return (where, str(n), *shares)


def _figures(
    where: str, found: dict[int, dict[str, Counter[str]]], n: int, level: float
) -> list[Figure]:
    def rate(kind: str, way: str) -> float:
        return sum(one[kind][way] for one in found.values()) / n

    most = level + 3 * math.sqrt(level * (1 - level) / n)
    return [
        figure(
            f"{where}: useless challengers promoted ({way})",
            rate("useless", way),
            "",
            below=most,
            peer="larger ROC AUC",
            peer_measured=rate("useless", "larger"),
        )
        for way in ("gate", "superiority")
    ] + [
        figure(
            f"{where}: better challengers promoted",
            rate("better", "gate"),
            "",
            peer="larger ROC AUC",
            peer_measured=rate("better", "larger"),
        )
    ]
