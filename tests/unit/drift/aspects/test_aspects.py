from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Baseline
from mlops_tasks.drift.effects import Readings
from tests.unit.drift.samples import Dial, profile, words


def aspects(values: object) -> list[str]:
    return [aspect.name for aspect in Baseline(profile(x=values)).aspects if aspect.columns]


def spread(readings: Readings) -> Any:
    return np.broadcast_to(readings.spread, readings.n.shape)


def test_each_kind_of_column_has_its_aspects() -> None:
    assert aspects([1.0, 2.0]) == ["missing", "shape", "level"]
    assert aspects(words("aab")) == ["missing", "shares", "unseen"]
    assert aspects(pa.array([0, 1], pa.timestamp("us"))) == ["missing"]
    assert aspects(pa.array([None], pa.float64())) == ["missing"]
    assert aspects(words(f"{i}" for i in range(5000))) == ["missing", "shares", "concentration"]


def test_an_aspect_reads_zero_from_its_own_reference() -> None:
    random = np.random.default_rng(0)
    letters = words("aaabbc")
    for values in (random.normal(size=700), random.integers(0, 2, 500), np.full(40, 3.0), letters):
        for aspect in aspects(values):
            assert Dial(aspect, values).squared(values, values) == 0.0


def test_shares_of_two_categories_give_cohens_h() -> None:
    n = 40_000
    old, new = (words(["a"] * int(n * s) + ["b"] * int(n * (1 - s))) for s in (0.5, 0.6))
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
        assert pooled.spread == pytest.approx(spread(own)[0], rel=1e-9, abs=1e-6)


def test_columns_and_profiles_side_by_side_read_as_one_by_one() -> None:
    random = np.random.default_rng(8)
    tables = [
        {
            "x": random.normal(size=n),
            "flag": random.integers(0, 2, n).astype(float),
            "letter": words(random.choice(list("abcdefg")[: 3 + n % 5], n)),
            "word": words(f"{i}" for i in random.integers(0, 90, n)),
        }
        for n in (400, 201, 77)
    ]
    lacking = [{"word": tables[1]["word"], "x": tables[1]["x"]}, {"flag": tables[2]["flag"]}]
    profiles = [profile(**one) for one in (*tables, *lacking)]
    for aspect in Baseline(profile(**tables[0])).aspects:
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
                assert spread(found)[d, i] == spread(alone)[0, 0]
                assert found.values[d, i, :n_cuts] == pytest.approx(alone.values[0, 0])
                assert not found.values[d, i, n_cuts:].any()


def test_aspects_of_a_profile_without_rows() -> None:
    assert aspects(pa.array([], pa.float64())) == ["missing"]
    assert Dial("missing", pa.array([], pa.float64())).read(pa.array([], pa.float64())).n == 0
    assert aspects(words([])) == ["missing"]
