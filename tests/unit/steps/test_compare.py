"""One look at a watch window: which rows are enough, and what the window's own limits do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops_tasks.gate.plan import GatePlan
from mlops_tasks.monitoring.side_by_side import SideBySide
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.registry.watch_window import WatchWindow
from mlops_tasks.specs import GateSpec
from mlops_tasks.steps.compare import Comparison, judge_rows

PLAN = GatePlan.make(GateSpec(n_bootstrap=50), "regression")
DAYS = tuple(f"2024-03-{number:02}" for number in range(1, 15))
WINDOW = WatchWindow("2", "1", 2, DAYS[0], DAYS[-1], 14, 0.01, 0.0, roll_back=True)


def rows(n: int, *, ours: float = 1.0, rival: float = 1.0, days: int = 14) -> SideBySide:
    """Make rows whose errors are so large, each as the one before."""
    y_true = np.linspace(-1, 1, n)
    codes = np.arange(n) % days
    noise = np.random.default_rng(1).uniform(0.9, 1.1, n)
    return SideBySide(
        DAYS[:days],
        *(Outcomes(y_true, y_true + error * noise, days=codes) for error in (ours, rival)),
    )


def judged(found: SideBySide, **window: Any) -> Comparison:
    return judge_rows(PLAN, replace(WINDOW, **window), found)


@pytest.mark.parametrize(("n", "answer"), [(29, "cannot_tell"), (30, "worse")])
def test_so_many_rows_are_needed(n: int, answer: str) -> None:
    found = judged(rows(n, ours=2.0))
    assert (found.answer, found.n_rows) == (answer, n)
    assert found.reason.startswith("29 rows, fewer than 30") == (n == 29)
    assert bool(found.gains) == (n == 30)


def test_nothing_in_common_cannot_tell() -> None:
    found = judged(SideBySide(()))
    assert (found.answer, found.n_rows, found.partitions) == ("cannot_tell", 0, ())
    assert found.reason == "0 rows, fewer than 30: too few to tell"


def test_too_few_of_a_class_cannot_tell() -> None:
    y_true = np.r_[np.ones(9, np.int64), np.zeros(91, np.int64)]
    one = Outcomes(y_true, np.linspace(0.1, 0.9, 100))
    found = judge_rows(GatePlan.make(GateSpec(), "binary"), WINDOW, SideBySide(DAYS, one, one))
    assert found.answer == "cannot_tell"
    assert "too few to tell, at least 10 of each are needed" in found.reason


def test_what_is_compared_is_named() -> None:
    found = judged(rows(280, ours=2.0, days=7))
    assert (found.version, found.previous, found.generation) == ("2", "1", 2)
    assert (found.partitions, found.n_partitions, found.is_last) == (DAYS[:7], 14, False)
    assert found.gains[0].share == 0.5
    assert found.reason.startswith(
        "version 2 beside version 1 on 280 rows of 7 of 14 partitions: mean absolute error worse by"
    )
    assert judged(rows(280)).is_last


@pytest.mark.parametrize(
    ("max_loss", "answer"), [(0.0, "worse"), (0.9, "worse"), ("90%", "worse"), (1.2, "cannot_tell")]
)
def test_the_limit_is_that_of_the_window(max_loss: float | str, answer: str) -> None:
    """The loss is about 1, in the unit of the target and as a share of the rival's error."""
    assert judged(rows(280, ours=2.0), max_loss=max_loss).answer == answer


def test_a_share_is_one_of_the_champion_before() -> None:
    found = rows(280, ours=3.0, rival=2.0)
    assert judged(found, max_loss="40%").answer == "worse", "less than 1 of 2"
    assert judged(found, max_loss="60%").answer != "worse"


def test_equal_predictions_are_fine() -> None:
    found = judged(rows(280))
    assert found.answer == "fine"
    assert "not worse by more than" in found.reason


def test_more_partitions_than_planned_are_all_there_is() -> None:
    assert judged(rows(280), n_partitions=7).gains[0].share == 1.0
