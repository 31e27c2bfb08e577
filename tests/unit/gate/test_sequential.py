"""A test that is looked at every night: how often it cries wolf, and how soon it sees a loss.

The figures of ADR 33 come from `simulated` with more windows: see its table.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from mlops_tasks.gate.plan import GatePlan
from mlops_tasks.gate.sequential import SequentialGain, sequential_gains
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.metrics.resampling import MIN_DAYS, estimate
from mlops_tasks.specs import GateSpec
from mlops_tasks.steps.compare import judge_gains

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS, LEVEL = 14, 0.01
PLAN = GatePlan.make(GateSpec(n_bootstrap=50), "regression", seed=3)


def window(
    random: np.random.Generator,
    *,
    loss: float = 0.0,
    of_days: float = 0.0,
    sizes: Sequence[int] = (40,) * DAYS,
) -> tuple[Outcomes, Outcomes]:
    """Make the rows of a window: errors of a champion and of the one before it, in units of noise.

    `loss` is by how much the first one's are larger, `of_days` by how much days move that.
    """
    days = np.repeat(np.arange(len(sizes)), sizes)
    y_true = random.normal(size=len(days))
    moved = random.normal(0, of_days, len(sizes))[days]
    ours = y_true + np.exp(loss + moved) * random.normal(size=len(days))
    theirs = y_true + np.exp(-moved) * random.normal(size=len(days))
    return tuple(Outcomes(y_true, one, days=days) for one in (ours, theirs))  # type: ignore[return-value]


def first_worse(ours: Outcomes, rival: Outcomes, n_days: int = DAYS) -> int:
    """Return the night on which the champion is called worse, looking every night; 0 for never."""
    for seen in range(1, n_days + 1):
        rows = np.flatnonzero(ours.days < seen)  # type: ignore[operator]
        parts = [
            Outcomes(one.y_true[rows], one.y_pred[rows], days=one.days[rows])  # type: ignore[index]
            for one in (ours, rival)
        ]
        gains = sequential_gains(PLAN, *parts, share=seen / n_days, level=LEVEL)
        if judge_gains(gains, 0.0)[0] == "worse":
            return seen
    return 0


def simulated(n: int, seed: int = 1, **world: Any) -> tuple[float, float]:
    """Return the share of `n` windows in which the champion is called worse, and the median night.

    With intervals by formula and not by resampling, which takes a thousandth of the time: from ten
    days on that of Student over the sums of days, before that the wider one of rows and of days.
    """
    random = np.random.default_rng(seed)
    nights = np.zeros(n, np.int64)
    for number in range(n):
        ours, rival = window(random, **world)
        gain = np.abs(rival.y_true - rival.y_pred) - np.abs(ours.y_true - ours.y_pred)
        nights[number] = _first_night(gain, np.bincount(ours.days))  # type: ignore[arg-type]
    found = nights[nights > 0]
    return len(found) / n, float(np.median(found)) if len(found) else math.nan


def _first_night(gain: Any, sizes: Any) -> int:
    sums, squares = (np.add.reduceat(one, np.r_[0, sizes.cumsum()[:-1]]) for one in (gain, gain**2))
    for seen in range(2, len(sizes) + 1):
        n, total = sizes[:seen].sum(), sums[:seen].sum()
        mean = total / n
        if seen < MIN_DAYS:
            of_rows = math.sqrt((squares[:seen].sum() / n - mean**2) / n)
            of_days = np.std(sums[:seen] / sizes[:seen], ddof=1) / math.sqrt(seen)
            reach = 1.0
            error = max(
                -float(ndtri(LEVEL / 2)) * of_rows,
                -float(stdtrit(seen - 1, LEVEL / 2)) * float(of_days),
            )
        else:
            left = sums[:seen] - mean * sizes[:seen]
            error = math.sqrt((left**2).sum() * seen / (seen - 1)) / n
            reach = -float(stdtrit(seen - 1, LEVEL / 2))
        if mean + reach * error / math.sqrt(seen / len(sizes)) < 0:
            return seen
    return 0


@pytest.mark.parametrize(
    ("world", "most"),
    [({}, 0.015), ({"sizes": tuple(range(10, 80, 5))}, 0.015), ({"of_days": 0.1}, 0.02)],
    ids=["even days", "growing days", "days that differ"],
)
def test_an_equal_champion_is_rarely_called_worse(world: dict[str, Any], most: float) -> None:
    """At 1 % over all 14 looks; 1,000 windows show more than 2 % with a chance below 1 in 300."""
    share, _ = simulated(1000, **world)
    assert share <= most + 0.005


def test_a_clear_loss_is_seen_before_the_window_ends() -> None:
    share, night = simulated(200, loss=0.4)
    assert share > 0.97
    assert night <= 9


@pytest.mark.slow
def test_resampling_answers_as_the_formula_does() -> None:
    """So that what is simulated holds of what is run."""
    random = np.random.default_rng(4)
    for loss in (0.0, 0.5):
        ours, rival = window(random, loss=loss)
        gain = np.abs(rival.y_true - rival.y_pred) - np.abs(ours.y_true - ours.y_pred)
        night = _first_night(gain, np.bincount(ours.days))  # type: ignore[arg-type]
        assert abs(first_worse(ours, rival) - night) <= 1
        assert (night > 0) == (loss > 0)


def test_early_looks_ask_for_more_by_the_square_root_of_what_is_missing() -> None:
    ours, rival = window(np.random.default_rng(5))
    (whole,) = sequential_gains(PLAN, ours, rival, share=1.0, level=LEVEL)
    (early,) = sequential_gains(PLAN, ours, rival, share=0.25, level=LEVEL)
    plain = estimate(PLAN.metric, ours, rival, confidence=0.99, n_bootstrap=50, seed=3)
    interval = plain.interval(0.99)
    assert (whole.value, whole.lower, whole.upper) == pytest.approx(
        (interval.value, interval.lower, interval.upper)
    )
    assert early.value == whole.value
    for end in ("lower", "upper"):
        reach = getattr(whole, end) - whole.value
        assert getattr(early, end) - early.value == pytest.approx(2 * reach)


def test_a_smaller_level_asks_for_more() -> None:
    ours, rival = window(np.random.default_rng(5))
    wide, narrow = (
        sequential_gains(PLAN, ours, rival, share=1.0, level=level)[0] for level in (0.002, 0.1)
    )
    assert wide.lower < narrow.lower < narrow.upper < wide.upper  # type: ignore[operator]


def test_each_metric_of_superiority_is_compared_the_primary_one_first() -> None:
    random = np.random.default_rng(2)
    y_true = random.integers(0, 2, 400)
    good = np.clip(y_true * 0.5 + random.uniform(0.1, 0.4, 400), 0.01, 0.99)
    plan = GatePlan.make(GateSpec(n_bootstrap=50), "binary")
    gains = sequential_gains(
        plan,
        Outcomes(y_true, good),
        Outcomes(y_true, random.uniform(0.1, 0.9, 400)),
        share=1.0,
        level=LEVEL,
    )
    assert [one.metric for one in gains] == ["roc_auc", "log_loss"]
    assert [one.margin for one in gains] == [0.02, 0.01]
    assert all(one.lower > 0 for one in gains)  # type: ignore[operator]
    assert gains[0].text.startswith("ROC AUC better by 0.")


def test_what_rows_do_not_define_has_no_interval() -> None:
    plan = GatePlan.make(GateSpec(n_bootstrap=50), "binary")
    ones = Outcomes(np.ones(40, np.int64), np.full(40, 0.5))
    auc, _ = sequential_gains(plan, ones, ones, share=0.5, level=LEVEL)
    assert (auc.value, auc.lower, auc.upper) == (None, None, None)
    assert auc.text == "ROC AUC is not defined on these rows"
    assert judge_gains([auc], 0.0) == ("cannot_tell", auc.text)


def gain(lower: float, upper: float, name: str = "roc_auc", margin: float = 0.02) -> SequentialGain:
    value = (lower + upper) / 2
    return SequentialGain(name, name, value, lower, upper, margin, LEVEL, 0.5)


@pytest.mark.parametrize(
    ("lower", "upper", "max_loss", "answer"),
    [
        (-0.05, -0.001, 0.0, "worse"),
        (-0.05, 0.0, 0.0, "cannot_tell"),
        (-0.05, 0.001, 0.0, "cannot_tell"),
        (-0.05, -0.0101, 0.01, "worse"),
        (-0.05, -0.01, 0.01, "cannot_tell"),
        (-0.02, 0.03, 0.0, "fine"),
        (-0.0201, 0.03, 0.0, "cannot_tell"),
        (0.01, 0.03, 0.0, "fine"),
        (-0.015, -0.005, 0.0, "worse"),
        (-0.015, -0.005, 0.01, "fine"),
    ],
)
def test_three_answers(lower: float, upper: float, max_loss: float, answer: str) -> None:
    found, words = judge_gains([gain(lower, upper)], max_loss)
    assert found == answer
    assert words.endswith("which shows neither") == (answer == "cannot_tell")


def test_worse_in_one_metric_and_better_in_another_is_for_a_person() -> None:
    worse = gain(-0.05, -0.01)
    answer, words = judge_gains([worse, gain(0.001, 0.02, "log_loss")], 0.0)
    assert answer == "cannot_tell"
    assert words.startswith("roc_auc worse by 0.0300")
    assert words.endswith("a person has to weigh one against the other")
    assert judge_gains([worse, gain(0.0, 0.02, "log_loss")], 0.0)[0] == "worse"
