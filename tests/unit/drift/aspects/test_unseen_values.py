"""Numbers that come again and again, and those that the reference never had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Baseline, detect_drift
from mlops_tasks.drift.aspects.unseen_values import UnseenNumbers
from mlops_tasks.profiles.store import roll_up
from tests.unit.drift.samples import profile

if TYPE_CHECKING:
    from mlops_tasks.drift import Evidence

Random = np.random.Generator


def degrees(random: Random, n: int = 500) -> Any:
    return random.normal(15, 8, n).round()


def month(seed: int = 0, n_days: int = 28) -> tuple[Random, Baseline]:
    random = np.random.default_rng(seed)
    return random, Baseline.of([profile(x=degrees(random)) for _ in range(n_days)])


def unseen(baseline: Baseline, values: Any) -> Evidence:
    report = detect_drift(baseline, profile(x=values), window="today")
    (found,) = [one for one in report.columns[0].evidence if one.aspect == "unseen"]
    return found


def expected(baseline: Baseline) -> float:
    """Return the share of new numbers that a new day is expected to have."""
    (aspect,) = (one for one in baseline.aspects if one.name == "unseen")
    return float(aspect.reference.values[0, 0, 0])


def aspects(baseline: Baseline) -> set[str]:
    return {aspect.name for aspect in baseline.aspects}


def looked_for_one_by_one(baseline: Baseline) -> bool:
    return any(isinstance(aspect, UnseenNumbers) for aspect in baseline.aspects)


def test_a_small_offset_of_whole_numbers_is_found_where_its_shape_hardly_moves() -> None:
    random, baseline = month()
    report = detect_drift(baseline, profile(x=degrees(random) + 0.4), window="today")
    alarms = {one.aspect for one in report.columns[0].evidence if one.alarm}
    assert alarms == {"unseen"}


def test_the_words_name_the_share_and_the_commonest_new_numbers() -> None:
    random, baseline = month()
    values = degrees(random)
    values[:100], values[100:130], values[130:132] = -99.5, 0.25, 777.0
    values[132] = 888.0
    told = unseen(baseline, values)
    assert told.alarm
    assert told.text == ("new numbers in 26.6 % of the rows: -99.5, 0.25, 777 and 1 more")


def test_the_same_numbers_computed_another_way_are_known() -> None:
    random, baseline = month()
    told = unseen(baseline, degrees(random).astype(np.float32) * (1 + 1e-9))
    assert told.effect == pytest.approx(0.0, abs=0.02)
    assert not told.alarm


def test_a_code_beyond_the_sample_of_a_large_day_is_found() -> None:
    """2 % of 50,000 rows: some of the 512 points that are kept."""
    random = np.random.default_rng(1)
    baseline = Baseline.of([profile(x=random.integers(0, 50, 50_000)) for _ in range(28)])
    values = random.integers(0, 50, 50_000)
    values[random.random(50_000) < 0.02] = 51
    assert unseen(baseline, values).alarm


@pytest.mark.parametrize("day", [7.0, 40.0])
def test_of_a_number_per_day_neither_a_new_nor_a_known_one_is_drift(day: float) -> None:
    """As the day of the month: all days of the reference are new to each other."""
    baseline = Baseline.of([profile(x=np.full(500, float(i))) for i in range(28)])
    assert expected(baseline) == pytest.approx(1.0)
    assert not unseen(baseline, np.full(500, day)).alarm


def test_the_share_of_new_numbers_is_that_of_a_new_day() -> None:
    random = np.random.default_rng(2)

    def prices() -> Any:
        return random.lognormal(3, 1.5, 400).round()

    off = []
    for _ in range(20):
        baseline = Baseline.of([profile(x=prices()) for _ in range(28)])
        (aspect,) = (one for one in baseline.aspects if isinstance(one, UnseenNumbers))
        new = aspect.read_new([profile(x=prices()) for _ in range(40)]).values.mean()
        off.append(expected(baseline) - new)
    assert np.mean(off) == pytest.approx(0.0, abs=0.002)


def test_new_degrees_of_a_warm_day_are_no_news() -> None:
    """Hourly whole degrees that move by day: a record day has some that no other day had."""
    random = np.random.default_rng(6)

    def day(*warmest: float) -> Any:
        hours = random.normal(random.normal(15, 5), 3, 24)
        return np.repeat([*hours[len(warmest) :], *warmest], 40).round()

    days = [day() for _ in range(28)]
    baseline = Baseline.of([profile(x=one) for one in days])
    record = float(max(one.max() for one in days))
    assert unseen(baseline, day(record + 1, record + 2, record + 3)).effect == 0.0
    assert unseen(baseline, day() + 0.5).alarm


def test_a_code_next_to_the_last_one_is_found() -> None:
    """The days' own ends do not differ, so that the next number is far out."""
    random = np.random.default_rng(7)
    baseline = Baseline.of([profile(x=random.integers(0, 20, 800)) for _ in range(28)])
    values = random.integers(0, 20, 800)
    values[:24] = 20
    assert unseen(baseline, values).alarm


def test_numbers_that_never_repeat_are_not_looked_for_one_by_one() -> None:
    random = np.random.default_rng(3)
    parts = [profile(x=random.normal(size=600)) for _ in range(28)]
    assert not looked_for_one_by_one(Baseline.of(parts))


def test_points_that_a_merge_doubles_do_not_count_as_repeats() -> None:
    random = np.random.default_rng(3)
    halves = [[profile(x=random.normal(size=600)) for _ in range(14)] for _ in range(2)]
    made = [roll_up({str(i): day for i, day in enumerate(half)}) for half in halves]
    wholes = [one.pop("whole") for one in made]
    thin = [day for one in made for day in one.values()]
    baseline = Baseline.of(wholes, days=thin)
    points = baseline.whole.numbers.points
    assert np.any(points[1:] == points[:-1])  # else this shows nothing
    assert not looked_for_one_by_one(baseline)


def test_moments_in_time_have_no_such_aspect() -> None:
    day = pa.array([0] * 500, pa.timestamp("us"))
    assert "unseen" not in aspects(Baseline.of([profile(x=day) for _ in range(28)]))


def test_too_few_days_cannot_tell() -> None:
    assert "unseen" not in aspects(month(n_days=4)[1])
    assert "unseen" in aspects(month(n_days=5)[1])


def test_a_column_that_only_some_days_have_is_told_from_those() -> None:
    random = np.random.default_rng(4)
    old = [profile(y=degrees(random)) for _ in range(10)]
    new = [profile(y=degrees(random), x=degrees(random)) for _ in range(10)]
    baseline = Baseline.of([*old, *new])
    report = detect_drift(
        baseline, profile(y=degrees(random), x=degrees(random) + 0.5), window="today"
    )
    assert [one.name for one in report.alarms] == ["x"]


def test_long_codes_are_told_apart_and_written_in_full() -> None:
    random, codes = np.random.default_rng(5), 4_006_381_333_000 + np.arange(40)
    baseline = Baseline.of([profile(x=random.choice(codes, 500)) for _ in range(10)])
    values = random.choice(codes, 500)
    values[:50] = codes[20] + 1000
    told = unseen(baseline, values)
    assert told.alarm
    assert told.text.endswith(": 4006381334020")
