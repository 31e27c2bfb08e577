"""Texts of which there are too many to count them all, and one that takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.drift import Baseline, detect_drift
from tests.unit.drift.samples import profile

if TYPE_CHECKING:
    from mlops_tasks.drift import Evidence

Random = np.random.Generator


def keys(random: Random, n: int = 1000) -> list[str]:
    return [f"{key:x}" for key in random.integers(0, 2**60, n).tolist()]


def month() -> tuple[Random, Baseline]:
    random = np.random.default_rng(0)
    return random, Baseline.of([profile(x=keys(random)) for _ in range(28)])


def concentration(baseline: Baseline, values: Any) -> Evidence:
    report = detect_drift(baseline, profile(x=values), window="today")
    (found,) = [one for one in report.columns[0].evidence if one.aspect == "concentration"]
    return found


def test_texts_that_all_became_one_are_told() -> None:
    told = concentration(month()[1], ["n/a"] * 1000)
    assert told.alarm
    assert told.text == "99.9 % of the rows repeat the commonest value: n/a"


@pytest.mark.parametrize(("share", "alarm"), [(0.05, True), (0.005, False)])
def test_a_share_of_one_text_is_told_from_some_size_on(share: float, alarm: bool) -> None:
    random, baseline = month()
    n = round(1000 * share)
    told = concentration(baseline, ["n/a"] * n + keys(random, 1000 - n))
    assert told.alarm is alarm


def test_all_different_texts_are_not_drift_on_a_larger_or_smaller_day() -> None:
    random, baseline = month()
    for n in (100, 1000, 20_000):
        assert not concentration(baseline, keys(random, n)).alarm


def test_a_commonest_text_that_is_rarer_is_no_drift() -> None:
    random = np.random.default_rng(1)
    days = [profile(x=["n/a"] * 300 + keys(random, 700)) for _ in range(28)]
    baseline = Baseline.of(days)
    assert concentration(baseline, keys(random)).effect == 0.0
    assert detect_drift(baseline, profile(x=keys(random)), window="today").alarms  # by its share


def test_categories_that_are_all_counted_have_no_such_aspect() -> None:
    baseline = Baseline.of([profile(x=["a", "b"] * 100) for _ in range(28)])
    assert not any(aspect.name == "concentration" for aspect in baseline.aspects)
