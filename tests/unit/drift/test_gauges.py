from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift.gauges import (
    LevelGauge,
    Readings,
    SplitGauge,
    gauges_of,
    sparse_moments,
)
from mlops_tasks.drift.movement import Movement, movement_of, noise_quantile
from tests.unit.drift.samples import column, profile, texts


def aspects(of: object) -> list[str]:
    return [gauge.aspect for gauge in gauges_of(of)]  # type: ignore[arg-type]


def test_each_kind_of_column_has_its_aspects() -> None:
    assert aspects(column([1.0, 2.0])) == ["missing", "shape", "level"]
    assert aspects(texts("aab")) == ["missing", "shares", "unseen"]
    assert aspects(column(pa.array([0, 1], pa.timestamp("us")))) == ["missing"]
    assert aspects(column(pa.array([None], pa.float64()))) == ["missing"]
    assert aspects(texts(f"{i}" for i in range(5000))) == ["missing", "shares"]


def test_a_gauge_reads_zero_from_its_own_reference() -> None:
    random = np.random.default_rng(0)
    for values in (random.normal(size=700), random.integers(0, 2, 500), np.full(40, 3.0)):
        reference = column(values)
        for gauge in gauges_of(reference):
            own = gauge.read(reference)
            assert gauge.squared_effect(own, own) == 0.0
    letters = texts("aaabbc")
    for gauge in gauges_of(letters):
        assert gauge.squared_effect(gauge.read(letters), gauge.read(letters)) == 0.0


def test_shares_of_two_categories_give_cohens_h() -> None:
    n = 40_000
    old, new = (texts(["a"] * int(n * s) + ["b"] * int(n * (1 - s))) for s in (0.5, 0.6))
    gauge = gauges_of(old)[1]
    effect = float(np.sqrt(gauge.squared_effect(gauge.read(old), gauge.read(new))))
    h = 2 * np.arcsin(np.sqrt(0.6)) - 2 * np.arcsin(np.sqrt(0.5))
    # A third cut, all other categories, has not moved and weighs a sixth.
    assert effect == pytest.approx(h * np.sqrt(5 / 6), rel=1e-3)


def test_the_level_is_cohens_d_with_the_larger_deviation() -> None:
    gauge = LevelGauge()
    old, new = (gauge.read(column(side)) for side in ([-1.0, 1.0], [1.0, 5.0]))
    assert gauge.squared_effect(old, new) == pytest.approx(3.0**2 / 4)
    constant = [gauge.read(column([x, x])) for x in (1.0, 2.0)]
    assert gauge.squared_effect(constant[0], constant[1]) > 1e20
    assert gauge.squared_effect(constant[0], constant[0]) == 0.0


def test_values_outside_the_reference_are_seen() -> None:
    flags = column(np.repeat([0.0, 1.0], 500))
    gauge = gauges_of(flags)[1]
    inside = gauge.read(column(np.repeat([0.0, 1.0], [450, 550])))
    below = gauge.read(column(np.repeat([-9.0, 0.0, 1.0], [450, 50, 500])))
    above = gauge.read(column(np.repeat([0.0, 1.0, 9.0], [500, 50, 450])))
    own = gauge.read(flags)
    small = gauge.squared_effect(own, inside)
    assert gauge.squared_effect(own, below) > 2 * small
    assert gauge.squared_effect(own, above) > 2 * small


def test_a_union_reads_what_its_parts_read_together() -> None:
    random = np.random.default_rng(1)
    sides = [random.normal(size=n) for n in (300, 500, 40)]
    parts, whole = [column(side) for side in sides], column(np.concatenate(sides))
    for gauge in gauges_of(whole):
        pooled = gauge.pooled(Readings.stacked([gauge.read(part) for part in parts]))
        own = gauge.read(whole)
        assert pooled.n == own.n
        assert pooled.values == pytest.approx(own.values, abs=2e-3)
        assert pooled.spread == pytest.approx(own.spread, rel=1e-9, abs=1e-6)


def test_moments_of_few_rows_are_those_of_poisson() -> None:
    random = np.random.default_rng(2)
    for rows in (0.05, 1.0, 6.0, 150.0):
        drawn = random.poisson(rows, 400_000)
        squared = 4 * (np.sqrt(drawn + 0.375) - np.sqrt(rows + 0.375)) ** 2
        mean, half_variance, _ = sparse_moments(np.array(rows))
        assert mean == pytest.approx(squared.mean(), rel=0.03, abs=0.002)
        assert half_variance == pytest.approx(squared.var() / 2, rel=0.06, abs=0.002)
    assert sparse_moments(np.array([1e6])) == pytest.approx(1, abs=0.02)


def test_quantiles_of_a_weighted_sum_are_close() -> None:
    weights = 1 / (np.arange(1, 400) * np.arange(2, 401))  # Anderson and Darling's limit
    curvature = float(np.sum(weights**2)), float(np.sum(weights**3))
    # Their table: 2.492 at 5 %, 3.857 at 1 %; 5.967 at 0.1 % (Marsaglia and Marsaglia 2004).
    for level, exact in ((0.05, 2.492), (0.01, 3.857), (0.001, 5.967)):
        assert noise_quantile(curvature, level, 0.0, 0) == pytest.approx(exact, rel=0.02)
    alone, moving = (noise_quantile(curvature, 0.001, share, 30) for share in (0.0, 0.5))
    assert moving > alone


@pytest.mark.parametrize(
    ("cells", "n"),
    [(np.ones(33), 100), (np.ones(33), 5000), ([0.95, *[0.01] * 5], 500), ([0.7, 0.3], 200)],
)
def test_sampling_exceeds_its_quantile_as_often_as_it_says(cells: list[float], n: int) -> None:
    random, shares = np.random.default_rng(4), np.asarray(cells) / np.sum(cells)
    draws, m = 20_000, 30 * n
    sides = [
        Readings(
            np.cumsum(random.multinomial(k, shares, draws), 1)[:, :-1] / k,
            np.full(draws, float(k)),
            np.zeros(draws),
        )
        for k in (m, n)
    ]
    cuts = len(shares) - 1
    gauge = SplitGauge(
        "shape", np.ones(cuts) / cuts, np.cumsum(shares)[:-1], np.arange(float(cuts))
    )
    effect, noise = gauge.squared_effect(*sides), gauge.noise(*sides)
    assert effect.mean() == pytest.approx(noise.mean(), rel=0.05)
    for level in (0.01, 0.001):
        over = np.mean(effect > noise * noise_quantile(gauge.curvature(n), level, 0.0, 0))
        assert over < 1.6 * level + 3 * np.sqrt(level / draws)
    over = np.mean(effect > noise * noise_quantile(gauge.curvature(n), 0.01, 0.0, 0))
    assert over > 0.003, "so wide a quantile has no power"


def test_the_movement_of_days_is_found_and_only_then() -> None:
    random = np.random.default_rng(5)
    gauge = LevelGauge()

    def readings(effect: float, n_days: int = 60) -> Readings:
        means = effect * random.normal(size=n_days) + random.normal(size=n_days) / np.sqrt(500)
        return Readings(means[:, None], np.full(n_days, 500.0), np.ones(n_days))

    still = movement_of(gauge, readings(0.0))
    assert still.excess < 0.001
    moving = movement_of(gauge, readings(0.5))
    assert moving.excess == pytest.approx(0.25, rel=0.5)
    assert moving.largest > 3
    assert moving.expected(0.002, 1.0) == pytest.approx(0.002 + moving.excess * (1 + 1 / 60))
    assert movement_of(gauge, readings(0.5, 4)) == Movement()


def test_days_with_an_effect_of_their_own_keep_the_level() -> None:
    """One normal effect per day beside sampling: the case the F distribution is there for."""
    random = np.random.default_rng(6)
    gauge, over, draws = LevelGauge(), 0, 0
    for _ in range(400):
        means = 0.1 * random.normal(size=80) + random.normal(size=80) / np.sqrt(500)
        readings = Readings(means[:, None], np.full(80, 500.0), np.ones(80))
        days, new = (
            Readings(*(x[part] for x in (readings.values, readings.n, readings.spread)))
            for part in (slice(0, 30), slice(30, None))
        )
        movement, whole = movement_of(gauge, days), gauge.pooled(days)
        sampling = gauge.noise(whole, new)
        expected = movement.expected(sampling, 1.0)
        quantile = noise_quantile((1.0, 1.0), 0.001, float(1 - sampling[0] / expected[0]), 30)
        over += int(np.sum(gauge.squared_effect(whole, new) > expected * quantile))
        draws += 50
    assert over / draws < 0.003


def test_constants_that_change_from_day_to_day_move_by_themselves() -> None:
    days = [LevelGauge().read(column([float(i)] * 50)) for i in range(6)]
    movement = movement_of(LevelGauge(), Readings.stacked(days))
    assert 0.5 < movement.excess < 2


def test_numbers_too_large_to_square_tell_nothing() -> None:
    days = [LevelGauge().read(column([i * 1e200, -1e200])) for i in range(6)]
    movement = movement_of(LevelGauge(), Readings.stacked(days))
    assert (movement.excess, movement.largest) == (0.0, 0.0)


def test_cuts_that_never_vary_have_one_direction() -> None:
    gauge = SplitGauge("shape", np.ones(1), np.ones(1), np.zeros(1))
    assert gauge.curvature(500.0) == (1.0, 1.0)


def test_gauges_of_a_profile_without_rows() -> None:
    empty = profile(x=pa.array([], pa.float64())).columns["x"]
    (missing,) = gauges_of(empty)
    assert missing.read(empty).n == 0
