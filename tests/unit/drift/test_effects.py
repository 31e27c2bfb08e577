from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift.alarm_rule import noise_quantile
from mlops_tasks.drift.aspects import aspects_of
from mlops_tasks.drift.day_effects import day_effect
from mlops_tasks.drift.effects import CohensD, CohensH, Readings, sparse_moments
from tests.unit.drift.samples import profile


class Dial:
    """One aspect of a column x, with its zero set on some values."""

    def __init__(self, name: str, values: object) -> None:
        (self.aspect,) = (one for one in aspects_of(profile(x=values)) if one.name == name)
        self.effect = self.aspect.effect

    def read(self, *values: object) -> Readings:
        """Read one column, or several as one profile each."""
        return self.aspect.read([profile(x=one) for one in values])

    def squared(self, old: object, new: object) -> float:
        return float(self.effect.squared(self.read(old), self.read(new))[0, 0])


def texts(values: object) -> pa.Array:
    return pa.array(list(values), pa.string())  # type: ignore[call-overload]


def aspects(values: object) -> list[str]:
    return [aspect.name for aspect in aspects_of(profile(x=values)) if aspect.columns]


def test_each_kind_of_column_has_its_aspects() -> None:
    assert aspects([1.0, 2.0]) == ["missing", "shape", "level"]
    assert aspects(texts("aab")) == ["missing", "shares", "unseen"]
    assert aspects(pa.array([0, 1], pa.timestamp("us"))) == ["missing"]
    assert aspects(pa.array([None], pa.float64())) == ["missing"]
    assert aspects(texts(f"{i}" for i in range(5000))) == ["missing", "shares", "concentration"]


def test_an_aspect_reads_zero_from_its_own_reference() -> None:
    random = np.random.default_rng(0)
    letters = texts("aaabbc")
    for values in (random.normal(size=700), random.integers(0, 2, 500), np.full(40, 3.0), letters):
        for aspect in aspects(values):
            assert Dial(aspect, values).squared(values, values) == 0.0


def test_shares_of_two_categories_give_cohens_h() -> None:
    n = 40_000
    old, new = (texts(["a"] * int(n * s) + ["b"] * int(n * (1 - s))) for s in (0.5, 0.6))
    h = 2 * np.arcsin(np.sqrt(0.6)) - 2 * np.arcsin(np.sqrt(0.5))
    # A third cut, all other categories, has not moved and weighs a sixth.
    assert Dial("shares", old).squared(old, new) == pytest.approx(h**2 * 5 / 6, rel=2e-3)


def test_the_level_is_cohens_d_with_the_larger_deviation() -> None:
    dial = Dial("level", [-1.0, 1.0])
    assert dial.squared([-1.0, 1.0], [1.0, 5.0]) == pytest.approx(3.0**2 / 4)
    assert dial.squared([1.0, 1.0], [2.0, 2.0]) > 1e20
    assert dial.squared([1.0, 1.0], [1.0, 1.0]) == 0.0


def test_values_outside_the_reference_are_seen() -> None:
    flags = np.repeat([0.0, 1.0], 500)
    dial = Dial("shape", flags)
    small = dial.squared(flags, np.repeat([0.0, 1.0], [450, 550]))
    assert dial.squared(flags, np.repeat([-9.0, 0.0, 1.0], [450, 50, 500])) > 2 * small
    assert dial.squared(flags, np.repeat([0.0, 1.0, 9.0], [500, 50, 450])) > 2 * small


def test_a_union_reads_what_its_parts_read_together() -> None:
    random = np.random.default_rng(1)
    sides = [random.normal(size=n) for n in (300, 500, 40)]
    whole = np.concatenate(sides)
    for aspect in aspects(whole):
        dial = Dial(aspect, whole)
        pooled, own = dial.effect.pooled(dial.read(*sides)), dial.read(whole)
        assert pooled.n == own.n[0]
        assert pooled.values == pytest.approx(own.values[0], abs=2e-3)
        assert pooled.spread == pytest.approx(own.spread[0], rel=1e-9, abs=1e-6)


def test_columns_and_profiles_side_by_side_read_as_one_by_one() -> None:
    random = np.random.default_rng(8)
    tables = [
        {
            "x": random.normal(size=n),
            "flag": random.integers(0, 2, n).astype(float),
            "letter": texts(random.choice(list("abcdefg")[: 3 + n % 5], n)),
            "word": texts(f"{i}" for i in random.integers(0, 90, n)),
        }
        for n in (400, 201, 77)
    ]
    lacking = [{"word": tables[1]["word"], "x": tables[1]["x"]}, {"flag": tables[2]["flag"]}]
    profiles = [profile(**one) for one in (*tables, *lacking)]
    for aspect in aspects_of(profile(**tables[0])):
        found = aspect.read(profiles)
        for i, name in enumerate(aspect.columns):
            dial = Dial(aspect.name, tables[0][name])
            for d, table in enumerate((*tables, *lacking)):
                if name not in table:
                    assert found.n[d, i] == 0
                    continue
                alone = dial.read(table[name])
                n_cuts = alone.values.shape[2]
                assert found.n[d, i] == alone.n[0, 0]
                assert found.spread[d, i] == alone.spread[0, 0]
                assert found.values[d, i, :n_cuts] == pytest.approx(alone.values[0, 0])
                assert not found.values[d, i, n_cuts:].any()


def test_moments_of_few_rows_are_those_of_poisson() -> None:
    random = np.random.default_rng(2)
    for rows in (0.05, 1.0, 6.0, 150.0):
        drawn = random.poisson(rows, 400_000)
        squared = 4 * (np.sqrt(drawn + 0.375) - np.sqrt(rows + 0.375)) ** 2
        mean, half_variance = sparse_moments(np.array(rows), 2)
        assert mean == pytest.approx(squared.mean(), rel=0.03, abs=0.002)
        assert half_variance == pytest.approx(squared.var() / 2, rel=0.06, abs=0.002)
    assert np.array(sparse_moments(np.array([1e6]), 3)) == pytest.approx(1, abs=0.02)


def test_quantiles_of_a_weighted_sum_are_close() -> None:
    weights = 1 / (np.arange(1, 400) * np.arange(2, 401))  # Anderson and Darling's limit
    curvature = np.sum(weights**2), np.sum(weights**3)
    # Their table: 2.492 at 5 %, 3.857 at 1 %; 5.967 at 0.1 % (Marsaglia and Marsaglia 2004).
    for level, exact in ((0.05, 2.492), (0.01, 3.857), (0.001, 5.967)):
        alone, moving = noise_quantile(curvature, level, np.array([0.0, 0.5]), np.array([0, 30]))
        assert alone == pytest.approx(exact, rel=0.02)
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
    cohens_h = CohensH(np.ones(cuts) / cuts, np.cumsum(shares)[:-1], is_ordered=True)
    curvature, still, none = cohens_h.curvature(np.array(n)), np.array(0.0), np.array(0)
    effect, noise = cohens_h.squared(*sides), cohens_h.noise(*sides)
    assert effect.mean() == pytest.approx(noise.mean(), rel=0.05)
    for level in (0.01, 0.001):
        over = np.mean(effect > noise * noise_quantile(curvature, level, still, none))
        assert over < 1.6 * level + 3 * np.sqrt(level / draws)
    over = np.mean(effect > noise * noise_quantile(curvature, 0.01, still, none))
    assert over > 0.003, "so wide a quantile has no power"


def test_day_effects_are_found_and_only_then() -> None:
    random = np.random.default_rng(5)
    cohens_d = CohensD()

    def readings(effect: float, n_days: int = 60) -> Readings:
        means = effect * random.normal(size=n_days) + random.normal(size=n_days) / np.sqrt(500)
        return Readings(means[:, None], np.full(n_days, 500.0), np.ones(n_days))

    still = day_effect(cohens_d, readings(0.0))
    assert still.excess < 0.001
    moving = day_effect(cohens_d, readings(0.5))
    assert moving.excess == pytest.approx(0.25, rel=0.5)
    assert moving.largest > 3
    assert moving.expected(0.002, 1.0) == pytest.approx(0.002 + moving.excess * (1 + 1 / 60))
    few = day_effect(cohens_d, readings(0.5, 4))
    assert (few.excess, few.n_days, few.largest) == (0.0, 0, 0.0)


def test_days_with_an_effect_of_their_own_keep_the_level() -> None:
    """One normal effect per day beside sampling: the case the F distribution is there for."""
    random = np.random.default_rng(6)
    cohens_d, over, draws = CohensD(), 0, 0
    for _ in range(400):
        means = 0.1 * random.normal(size=80) + random.normal(size=80) / np.sqrt(500)
        readings = Readings(means[:, None], np.full(80, 500.0), np.ones(80))
        days, new = (
            Readings(*(x[part] for x in (readings.values, readings.n, readings.spread)))
            for part in (slice(0, 30), slice(30, None))
        )
        between, whole = day_effect(cohens_d, days), cohens_d.pooled(days)
        sampling = cohens_d.noise(whole, new)
        expected = between.expected(sampling, 1.0)
        quantile = noise_quantile(
            cohens_d.curvature(new.n), 0.001, 1 - sampling / expected, np.array(30)
        )
        over += int(np.sum(cohens_d.squared(whole, new) > expected * quantile))
        draws += 50
    assert over / draws < 0.003


def test_constants_that_change_from_day_to_day_move_by_themselves() -> None:
    days = Dial("level", [0.0]).read(*([float(i)] * 50 for i in range(6)))
    assert 0.5 < day_effect(CohensD(), days).excess[0] < 2


def test_numbers_too_large_to_square_tell_nothing() -> None:
    days = Dial("level", [0.0]).read(*([i * 1e200, -1e200] * 20 for i in range(6)))
    between = day_effect(CohensD(), days)
    assert (between.n_days, between.excess, between.largest) == (6, 0.0, 0.0)


def test_days_of_few_rows_are_left_out_column_by_column() -> None:
    n = np.full((7, 2), 500.0)
    n[:2, 0], n[:3, 1] = 4, 0
    means = np.random.default_rng(9).normal(size=(7, 2, 1))
    between = day_effect(CohensD(), Readings(means, n, np.ones((7, 2))))
    alone = day_effect(CohensD(), Readings(means[2:, :1], n[2:, :1], np.ones((5, 1))))
    assert between.n_days.tolist() == [5, 0]
    assert between.excess.tolist() == [pytest.approx(alone.excess[0]), 0.0]
    assert between.largest.tolist() == [pytest.approx(alone.largest[0]), 0.0]


def test_cuts_that_never_vary_have_one_direction() -> None:
    effect = CohensH(np.ones(1), np.ones(1))
    assert effect.curvature(np.array(500.0)) == (1.0, 1.0)


def test_aspects_of_a_profile_without_rows() -> None:
    assert aspects(pa.array([], pa.float64())) == ["missing"]
    assert Dial("missing", pa.array([], pa.float64())).read(pa.array([], pa.float64())).n == 0
    assert aspects(texts([])) == ["missing"]
