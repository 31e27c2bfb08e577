"""Numbers far beyond all that the reference had, where nearly every number is a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Baseline, detect_drift
from tests.unit.drift.samples import profile

if TYPE_CHECKING:
    from mlops_tasks.drift import Evidence

Random = np.random.Generator


def prices(random: Random, n: int = 3000) -> Any:
    return random.lognormal(3, 0.7, n)


def month(n_days: int = 28, weather: float = 0.0) -> tuple[Random, Baseline]:
    random = np.random.default_rng(0)
    days = [profile(x=prices(random) + random.normal(0, weather)) for _ in range(n_days)]
    return random, Baseline.of(days)


def unseen(baseline: Baseline, values: Any) -> Evidence:
    report = detect_drift(baseline, profile(x=values), window="today")
    (found,) = [one for one in report.columns[0].evidence if one.aspect == "unseen"]
    return found


@pytest.mark.parametrize(("sentinel", "end"), [(-1.0, "down to -1"), (99999.0, "up to 99999")])
def test_a_sentinel_in_a_few_rows_is_told_and_named(sentinel: float, end: str) -> None:
    random, baseline = month()
    values = prices(random)
    values[:90] = sentinel
    told = unseen(baseline, values)
    assert told.alarm
    assert told.text.startswith("2.9")
    assert told.text.endswith(f", the range of the reference: {end}")


def test_a_few_rows_far_out_that_no_point_shows_are_counted() -> None:
    random = np.random.default_rng(1)
    baseline = Baseline.of([profile(x=prices(random, 50_000)) for _ in range(28)])
    values = prices(random, 50_000)
    values[0] = -1000.0
    told = unseen(baseline, values)
    assert told.effect is not None
    assert 0 < told.effect < 0.02
    assert told.text.startswith("a few of the rows outside")


def test_a_little_beyond_the_range_is_no_alarm() -> None:
    random, baseline = month()
    values = prices(random)
    values[:100] = baseline.whole.columns["x"].maximum + 1  # type: ignore[union-attr]
    told = unseen(baseline, values)
    assert told.effect == 0.0
    assert not told.alarm


def test_a_day_warmer_than_all_others_is_no_news() -> None:
    """All of its rows may lie beyond; how far the days' own extremes differ is what counts."""
    random = np.random.default_rng(2)
    days = [random.normal(random.normal(0, 3), 1, 900) for _ in range(28)]
    baseline = Baseline.of([profile(x=day) for day in days])
    warm = random.normal(max(day.max() for day in days) + 1, 1, 900)
    assert unseen(baseline, warm).effect == 0.0


def test_columns_that_some_days_lack_are_told_from_the_others() -> None:
    random = np.random.default_rng(3)
    empty = pa.array([None] * 500, pa.float64())
    days = [profile(x=empty if i % 3 else random.normal(size=500)) for i in range(30)]
    values = random.normal(size=500)
    values[:50] = -50.0
    assert unseen(Baseline.of(days), values).alarm
    assert unseen(Baseline.of(days), random.normal(size=500)).effect == 0.0


def test_too_few_days_cannot_tell() -> None:
    for n_days, there in ((4, False), (5, True)):
        aspects = month(n_days)[1].aspects
        assert any(aspect.name == "unseen" for aspect in aspects) is there
