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
from mlops_tasks.drift.cells import cell_counts
from mlops_tasks.drift.pairs import CategoryPair, NumberPairs
from mlops_tasks.exceptions import SchemaMismatchError
from tests.unit.drift.samples import column, profile, texts

Numbers = list[float]
NUMBERS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=200)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS)
def test_small_samples_agree_with_scipy_exactly(old: list[float], new: list[float]) -> None:
    p, q = column(old), column(new)
    with np.errstate(all="ignore"):  # its p-value, which nobody asks for
        expected = ks_2samp(old, new, method="asymp").statistic
    assert measures.kolmogorov_smirnov_statistic(p, q) == pytest.approx(expected, abs=1e-12)
    spread, moved = float(np.std(old)), wasserstein_distance(old, new)
    found = measures.wasserstein_distance(p, q)
    if spread > 0:
        assert found == pytest.approx(moved / spread, rel=1e-9, abs=1e-12)
    else:
        assert found == (math.inf if moved else 0.0)


def of_numbers(old: object, new: object) -> dict[str, float | None]:
    sides = (profile(x=pa.array(side, pa.float64())) for side in (old, new))
    return measures.measure_numbers(NumberPairs(*sides, ["x"]))["x"]


def of_texts(old: Iterable[str | None], new: Iterable[str | None]) -> dict[str, float | None]:
    return measures.measure_categories(CategoryPair(texts(old), texts(new)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_all_columns_at_once_measure_as_one_by_one(columns: list[tuple[Numbers, Numbers]]) -> None:
    sides = [{f"x{i}": pa.array(pair[side]) for i, pair in enumerate(columns)} for side in range(2)]
    rows = max(len(values) for side in sides for values in side.values())
    old, new = (
        profile(**{k: pa.concat_arrays([v, pa.nulls(rows - len(v), v.type)]) for k, v in s.items()})
        for s in sides
    )
    found = measures.measure_numbers(NumberPairs(old, new, list(old.columns)))
    for name, told in found.items():
        p, q = old.columns[name], new.columns[name]
        for measure, value in told.items():
            alone = getattr(measures, measure)(p, q)
            assert value == (pytest.approx(alone, abs=1e-9) if math.isfinite(alone) else None)


def test_times_measure_as_their_microseconds() -> None:
    random = np.random.default_rng(4)
    old, new = (random.integers(0, 10**15, n) for n in (900, 400))
    times = (profile(x=pa.array(side, pa.timestamp("us"))) for side in (old, new))
    found = measures.measure_numbers(NumberPairs(*times, ["x"]))["x"]
    assert found == of_numbers(old.astype(float), new.astype(float))


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.5])
def test_large_samples_agree_with_scipy_within_the_sketch(shift: float) -> None:
    random = np.random.default_rng(3)
    old, new = random.normal(0, 1, 60_000), random.normal(shift, 1.1, 40_000)
    p, q = column(old), column(new)
    tolerance = 1 / 512 + p.rank_error + q.rank_error
    assert measures.kolmogorov_smirnov_statistic(p, q) == pytest.approx(
        ks_2samp(old, new, method="asymp").statistic, abs=tolerance
    )
    exact = wasserstein_distance(old, new) / old.std()
    assert measures.wasserstein_distance(p, q) == pytest.approx(exact, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.integers(2, 12))
def test_binned_measures_agree_with_numpy(old: list[float], new: list[float], bins: int) -> None:
    p, q = column(old), column(new)
    inner = np.unique(np.quantile(old, np.arange(1, bins) / bins, method="inverted_cdf"))
    edges = [-np.inf, *np.nextafter(inner, np.inf), np.inf]
    counts = [np.histogram(side, edges)[0].astype(float) for side in (old, new)]
    for ours, exact in zip(cell_counts(p, q, bins), counts, strict=True):
        assert ours == pytest.approx(exact, abs=1e-9)
    used = sum(counts) > 0
    a, b = ((side[used] + 0.5) / (side[used] + 0.5).sum() for side in counts)
    assert measures.population_stability_index(p, q, bins=bins) == pytest.approx(
        float(np.sum((b - a) * np.log(b / a))), abs=1e-9
    )
    a, b = (side / side.sum() for side in counts)
    assert measures.jensen_shannon_distance(p, q, bins=bins) == pytest.approx(
        float(np.nan_to_num(jensenshannon(a, b, base=2))), abs=1e-6
    )
    assert measures.total_variation_distance(p, q, bins=bins) == pytest.approx(
        float(np.abs(a - b).sum() / 2), abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(*[st.lists(st.sampled_from("abcdé🙂"), min_size=1, max_size=60)] * 2)
def test_categories_agree_with_counting(old: list[str], new: list[str]) -> None:
    p, q = texts(old), texts(new)
    names = sorted(set(old) | set(new))
    a, b = (np.array([side.count(n) for n in names]) / len(side) for side in (old, new))
    assert measures.jensen_shannon_distance(p, q) == pytest.approx(
        float(np.nan_to_num(jensenshannon(a, b, base=2))), abs=1e-6
    )
    assert measures.new_category_share(p, q) == pytest.approx(float(b[a == 0].sum()))
    assert measures.vanished_category_share(p, q) == pytest.approx(float(a[b == 0].sum()))
    assert measures.total_variation_distance(p, q) == pytest.approx(
        measures.total_variation_distance(q, p)
    )


def test_own_edges_are_taken_as_they_are() -> None:
    p, q = column([1.0, 2.0, 3.0, 4.0]), column([3.0, 4.0])
    old, new = cell_counts(p, q, [2.0, 3.0])
    assert (old.tolist(), new.tolist()) == ([2.0, 1.0, 1.0], [0.0, 1.0, 1.0])


def test_missing_values_count_apart() -> None:
    old, new = column([1.0, 2.0, 3.0, 4.0]), column([1.0, None, math.nan, math.inf])
    assert measures.missing_share_change(old, new) == 0.75
    assert measures.missing_share_change(new, old) == -0.75
    assert measures.missing_share_change(texts([None, "a"]), texts("ab")) == -0.5
    assert measures.kolmogorov_smirnov_statistic(old, new) == 0.75


def test_nothing_to_compare_is_nan_and_none() -> None:
    empty, full = column(pa.array([None, None], pa.float64())), column([1.0, 2.0])
    for measure in (
        measures.population_stability_index,
        measures.jensen_shannon_distance,
        measures.total_variation_distance,
        measures.kolmogorov_smirnov_statistic,
        measures.wasserstein_distance,
    ):
        assert math.isnan(measure(empty, full))
        assert math.isnan(measure(full, empty))
    none = column(pa.array([], pa.float64()))
    assert math.isnan(measures.missing_share_change(none, full))
    assert math.isnan(measures.new_category_share(texts("ab"), texts([None])))
    assert set(of_numbers([None, None], [1.0, 2.0]).values()) == {None, -1.0}
    assert of_texts([None, "a"], [None])["population_stability_index"] is None
    assert of_texts([None, "a"], [None])["missing_share_change"] == 0.5


def test_an_unknown_past_has_no_new_categories() -> None:
    many = texts(f"{i}" for i in range(5000))
    assert not many.is_exact
    assert math.isnan(measures.new_category_share(many, texts("a")))
    assert measures.wasserstein_distance(column([2.0, 2.0]), column([2.0])) == 0.0
    assert measures.population_stability_index(many, texts("a")) > 1


def test_bins_that_no_row_is_in() -> None:
    empty, full = column(pa.array([None], pa.float64())), column([1.0, 2.0])
    old, new = cell_counts(full, empty, 2)
    assert (old.tolist(), new.tolist()) == ([1.0, 1.0], [0.0, 0.0])


def test_each_kind_has_its_measures_as_plain_numbers() -> None:
    numbers = of_numbers([1.0, 1.0], [2.0, 2.0])
    assert numbers["wasserstein_distance"] is None  # infinite: no spread to scale by
    assert numbers["kolmogorov_smirnov_statistic"] == 1.0
    categories = of_texts("aab", "ccc")
    assert categories["jensen_shannon_distance"] == 1.0
    assert categories["new_category_share"] == 1.0


def test_categories_are_not_compared_with_numbers() -> None:
    with pytest.raises(SchemaMismatchError, match="reference profile is category"):
        measures.population_stability_index(texts("ab"), column([1.0]))
    with pytest.raises(SchemaMismatchError):
        cell_counts(column([1.0]), texts("ab"))
