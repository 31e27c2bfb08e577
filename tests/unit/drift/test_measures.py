from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from mlops_tasks.drift import measures
from mlops_tasks.drift.samples import ContingencyTable, NumberSamples, TwoSamples
from tests.unit.drift.samples import column, profile, texts

Numbers = list[float]
Measures = dict[str, float | None]
NUMBERS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=200)


def of_numbers(old: object, new: object) -> Measures:
    sides = (profile(x=pa.array(side, pa.float64())) for side in (old, new))
    return measures.measure_all(TwoSamples(*sides))["x"]


def of_texts(old: Iterable[str | None], new: Iterable[str | None]) -> Measures:
    sides = (profile(x=pa.array(list(side), pa.string())) for side in (old, new))
    return measures.measure_all(TwoSamples(*sides))["x"]


def histogram(old: object, new: object, edges: object) -> list[list[float]]:
    sides = [profile(x=pa.array(side, pa.float64())) for side in (old, new)]
    found = NumberSamples(sides, ("x",)).histogram(np.array([edges]))
    return found[:, 0].tolist()


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS)
def test_small_samples_agree_with_scipy_exactly(old: list[float], new: list[float]) -> None:
    found = of_numbers(old, new)
    with np.errstate(all="ignore"):  # its p-value, which nobody asks for
        expected = ks_2samp(old, new, method="asymp").statistic
    assert found["kolmogorov_smirnov_statistic"] == pytest.approx(expected, abs=1e-12)
    spread, moved = float(np.std(old)), wasserstein_distance(old, new)
    if spread > 0:
        assert found["wasserstein_distance"] == pytest.approx(moved / spread, rel=1e-9, abs=1e-12)
    else:
        assert found["wasserstein_distance"] == (None if moved else 0.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_all_columns_at_once_measure_as_one_by_one(columns: list[tuple[Numbers, Numbers]]) -> None:
    sides = [{f"x{i}": pa.array(pair[side]) for i, pair in enumerate(columns)} for side in range(2)]
    rows = max(len(values) for side in sides for values in side.values())
    old, new = (
        profile(**{k: pa.concat_arrays([v, pa.nulls(rows - len(v), v.type)]) for k, v in s.items()})
        for s in sides
    )
    found = measures.measure_all(TwoSamples(old, new))
    for name, together in found.items():
        alone = measures.measure_all(TwoSamples(old.only([name]), new))[name]
        assert together == {measure: pytest.approx(value) for measure, value in alone.items()}


def test_times_measure_as_their_microseconds() -> None:
    random = np.random.default_rng(4)
    old, new = (random.integers(0, 10**15, n) for n in (900, 400))
    times = (profile(x=pa.array(side, pa.timestamp("us"))) for side in (old, new))
    found = measures.measure_all(TwoSamples(*times))["x"]
    assert found == of_numbers(old.astype(float), new.astype(float))


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.5])
def test_large_samples_agree_with_scipy_within_the_sketch(shift: float) -> None:
    random = np.random.default_rng(3)
    old, new = random.normal(0, 1, 60_000), random.normal(shift, 1.1, 40_000)
    found = of_numbers(old, new)
    tolerance = 1 / 512 + column(old).rank_error + column(new).rank_error
    assert found["kolmogorov_smirnov_statistic"] == pytest.approx(
        ks_2samp(old, new, method="asymp").statistic, abs=tolerance
    )
    exact = wasserstein_distance(old, new) / old.std()
    assert found["wasserstein_distance"] == pytest.approx(exact, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.integers(2, 12))
def test_binned_measures_agree_with_numpy(old: list[float], new: list[float], bins: int) -> None:
    inner = np.unique(np.quantile(old, np.arange(1, bins) / bins, method="inverted_cdf"))
    edges = [-np.inf, *np.nextafter(inner, np.inf), np.inf]
    counts = [np.histogram(side, edges)[0].astype(float) for side in (old, new)]
    sides = [np.array(side) for side in histogram(old, new, inner)]
    for ours, exact in zip(sides, counts, strict=True):
        assert ours == pytest.approx(exact, abs=1e-9)
    used = sum(counts) > 0
    a, b = ((side[used] + 0.5) / (side[used] + 0.5).sum() for side in counts)
    assert measures.population_stability_index(*sides) == pytest.approx(
        float(np.sum((b - a) * np.log(b / a))), abs=1e-9
    )
    a, b = (side / side.sum() for side in counts)
    assert measures.jensen_shannon_distance(*sides) == pytest.approx(
        float(np.nan_to_num(jensenshannon(a, b, base=2))), abs=1e-6
    )
    assert measures.total_variation_distance(*sides) == pytest.approx(
        float(np.abs(a - b).sum() / 2), abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(*[st.lists(st.sampled_from("abcdé🙂"), min_size=1, max_size=60)] * 2)
def test_categories_agree_with_counting(old: list[str], new: list[str]) -> None:
    found, back = of_texts(old, new), of_texts(new, old)
    names = sorted(set(old) | set(new))
    a, b = (np.array([side.count(n) for n in names]) / len(side) for side in (old, new))
    assert found["jensen_shannon_distance"] == pytest.approx(
        float(np.nan_to_num(jensenshannon(a, b, base=2))), abs=1e-6
    )
    assert found["new_category_share"] == pytest.approx(float(b[a == 0].sum()))
    assert found["vanished_category_share"] == pytest.approx(float(a[b == 0].sum()))
    assert found["total_variation_distance"] == pytest.approx(back["total_variation_distance"])


def test_a_value_on_an_edge_belongs_to_the_bin_below() -> None:
    found = histogram([1.0, 2.0, 3.0, 4.0], [3.0, 4.0], [2.0, 3.0])
    assert found == [[2.0, 1.0, 1.0], [0.0, 1.0, 1.0]]


def test_missing_values_count_apart() -> None:
    old, new = [1.0, 2.0, 3.0, 4.0], [1.0, None, math.nan, math.inf]
    assert of_numbers(old, new)["missing_share_change"] == 0.75
    assert of_numbers(new, old)["missing_share_change"] == -0.75
    assert of_texts([None, "a"], "ab")["missing_share_change"] == -0.5
    assert of_numbers(old, new)["kolmogorov_smirnov_statistic"] == 0.75


def test_nothing_to_compare_is_none() -> None:
    for sides in (([None, None], [1.0, 2.0]), ([1.0, 2.0], [None, None])):
        found = of_numbers(*sides)
        assert abs(found.pop("missing_share_change") or 0.0) == 1.0
        assert set(found.values()) == {None}
    assert of_numbers([], [1.0, 2.0])["missing_share_change"] is None
    assert of_texts("ab", [None])["new_category_share"] is None
    nothing = of_texts([None, "a"], [None])
    assert nothing.pop("missing_share_change") == 0.5
    assert nothing.pop("vanished_category_share") == 1.0
    assert set(nothing.values()) == {None}
    assert set(of_texts([None], [None]).values()) == {0.0, None}


def test_an_unknown_past_has_no_new_categories() -> None:
    many = [f"{i}" for i in range(5000)]
    assert not texts(many).is_exact
    found = of_texts(many, "a")
    assert found["new_category_share"] is None
    assert (found["population_stability_index"] or 0.0) > 1
    assert of_texts("a", many)["new_category_share"] == 0.0  # none was counted


def test_a_constant_has_no_spread_to_scale_by() -> None:
    assert of_numbers([2.0, 2.0], [2.0])["wasserstein_distance"] == 0.0
    moved = of_numbers([1.0, 1.0], [2.0, 2.0])
    assert moved["wasserstein_distance"] is None  # infinite
    assert moved["kolmogorov_smirnov_statistic"] == 1.0


def test_bins_that_no_row_is_in() -> None:
    assert histogram([1.0, 2.0], [None], [1.0]) == [[1.0, 1.0], [0.0, 0.0]]


def test_categories_without_one_in_common() -> None:
    found = of_texts("aab", "ccc")
    assert found["jensen_shannon_distance"] == 1.0
    assert found["new_category_share"] == 1.0


def test_a_contingency_table_has_a_cell_for_what_was_not_counted() -> None:
    table = ContingencyTable.of(texts("aab"), texts(f"{i}" for i in range(5000)))
    assert (table.labels, table.n_named) == (["a", "b", "(other)"], 2)
    assert table.rows.tolist() == [[2.0, 1.0, 0.0], [0.0, 0.0, 5000.0]]
