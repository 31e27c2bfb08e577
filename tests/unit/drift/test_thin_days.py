"""Decisions from roll-ups, whose days have few points, against those from full days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlops_tasks.drift import Baseline, DriftPolicy, detect_drift
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.store import roll_up
from tests.unit.drift.samples import profile

if TYPE_CHECKING:
    from mlops_tasks.drift import DriftReport

N_DAYS, MONTH = 56, 28


def windy_day(random: np.random.Generator, n: int, shift: float = 0.0) -> Profile:
    """Draw a day whose weather moves every row of it."""
    weather = random.normal(shift, 0.1)
    return profile(
        flat=random.normal(shift, 1, n),
        windy=random.normal(weather, 1, n),
        long=random.lognormal(0, 1 + weather, n),
        degrees=random.normal(15 + 10 * weather + 3 * shift, 8, n).round(),
        kind=random.choice(list("abcd"), n, p=np.array([0.5, 0.3, 0.15, 0.05])),
    )


def references(days: list[Profile]) -> tuple[Baseline, Baseline]:
    """Make the same reference from days, and from two roll-ups."""
    halves = days[:MONTH], days[MONTH:]
    made = [roll_up({str(i): day for i, day in enumerate(half)}) for half in halves]
    wholes = [one.pop("whole") for one in made]
    thin = [day for one in made for day in one.values()]
    return Baseline.of(days), Baseline.of(wholes, days=thin)


def evidence(report: DriftReport) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (column.name, one.aspect): (one.effect or 0.0, one.threshold or 0.0)
        for column in report.columns
        for one in column.evidence
    }


@pytest.mark.parametrize("n", [300, 5000])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_roll_ups_decide_as_days_do(n: int, shift: float) -> None:
    random = np.random.default_rng([1, n])
    full, thin = references([windy_day(random, n) for _ in range(N_DAYS)])
    today = windy_day(random, n, shift)
    found = [detect_drift(one, today, window="today") for one in (full, thin)]
    assert found[0].answer is found[1].answer
    assert {c.name for c in found[0].alarms} == {c.name for c in found[1].alarms}
    for aspect, (effect, threshold) in evidence(found[0]).items():
        other = evidence(found[1])[aspect]
        if aspect[1] == "unseen":  # half the days with half the points know fewer numbers
            assert other[1] < 2 * threshold, aspect
            continue
        assert other[0] == pytest.approx(effect, abs=0.005), aspect
        assert other[1] == pytest.approx(threshold, rel=0.05), aspect
        if aspect[1] != "shape":  # no quantiles in it: only rounding differs
            assert other == pytest.approx((effect, threshold), abs=2e-6), aspect


def test_false_alarms_keep_their_level_with_thin_days() -> None:
    """No smallest effect: only the threshold for noise is left. 10 % stated, so that it shows."""
    policy, alarms, days = DriftPolicy(level=0.1, min_effect=0.0), 0, 0
    for seed in range(5):
        random = np.random.default_rng([2, seed])
        _, thin = references([windy_day(random, 1000) for _ in range(N_DAYS)])
        for _ in range(30):
            report = detect_drift(thin, windy_day(random, 1000), window="today", policy=policy)
            alarms, days = alarms + bool(report.alarms), days + 1
    assert alarms / days < 0.1 + 3 * math.sqrt(0.1 * 0.9 / days)
