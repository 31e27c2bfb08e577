from __future__ import annotations

import os
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.quantiles import (
    MERGED_POINTS,
    STORED_POINTS,
    QuantileAccumulator,
    QuantileSketch,
)
from tests.unit.profiles.rows import numbers

# The long form is for a quiet hour: MLOPS_SKETCH_VALUES=10000000.
N_VALUES = int(os.environ.get("MLOPS_SKETCH_VALUES", "1000000"))

fast = settings(max_examples=30, deadline=None)
Floats = np.ndarray[Any, np.dtype[np.float64]]

ORDERS = {
    "random": lambda x: np.random.default_rng(5).permutation(x),
    "rising": np.sort,
    "falling": lambda x: np.sort(x)[::-1],
    "zig-zag": lambda x: np.sort(x)[np.argsort(np.arange(len(x)) % 2, kind="stable")],
    "in from both ends": lambda x: np.ravel(
        np.column_stack([np.sort(x)[: len(x) // 2], np.sort(x)[::-1][: len(x) // 2]])
    ),
    "one end of each stride": lambda x: np.sort(x).reshape(-1, 1000).T.ravel(),
    "few values": lambda x: np.round(x),
}


def summary(values: Floats, limit: int = STORED_POINTS) -> QuantileSketch:
    return QuantileSketch.of_sorted(np.sort(values), limit)


def worst(found: QuantileSketch, values: Floats) -> float:
    """Return the largest error of the distribution function, looked at on both sides of jumps."""
    ordered = np.sort(values)
    at = np.unique(np.concatenate([ordered[:: max(1, len(ordered) // 5000)], found.points]))
    at = np.concatenate([at, np.nextafter(at, -np.inf)])
    true = np.searchsorted(ordered, at, side="right") / len(ordered)
    return float(np.abs(found.cdf(at) - true).max())


@pytest.mark.parametrize("order", ORDERS)
def test_the_rank_error_holds_in_every_order(order: str) -> None:
    values = ORDERS[order](numbers(N_VALUES, 1))
    rows = pa.table({"x": values})
    column: Any = Profile.of(rows.to_batches(), rows.schema).columns["x"]
    assert 1 / 1024 < column.rank_error < 0.0016
    assert worst(column.sketch, values) <= column.rank_error
    assert column.quantiles([0, 1]).tolist() == [values.min(), values.max()]


@fast
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=80))
def test_few_values_are_kept_exactly(values: list[float]) -> None:
    found = summary(np.array(values))
    shares = np.linspace(0, 1, 17)  # exact in binary
    assert found.rank_error == 0
    expected = np.quantile(values, shares, method="inverted_cdf")
    assert found.quantiles(shares).tolist() == expected.tolist()
    assert found.cdf(values).tolist() == [np.mean(np.array(values) <= x) for x in values]


@fast
@given(
    st.lists(st.lists(st.integers(-50, 50), max_size=60), min_size=1, max_size=6),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_a_merge_is_within_its_error_and_knows_no_order(
    parts: list[list[int]], limit: int, random: Any
) -> None:
    summaries = [summary(np.array(part, np.float64), limit) for part in parts]
    merged = QuantileSketch.merged(summaries, limit)
    shuffled = random.sample(summaries, len(summaries))
    assert QuantileSketch.merged(shuffled, limit).points.tolist() == merged.points.tolist()
    nested = QuantileSketch.merged(
        [QuantileSketch.merged(summaries[:2], limit), *summaries[2:]], limit
    )
    whole = np.array([x for part in parts for x in part], np.float64)
    for found in (merged, nested):
        assert found.n == len(whole)
        assert len(found.points) == min(found.n, limit)
        if len(whole):
            assert worst(found, whole) <= found.rank_error + 1e-12


@pytest.mark.parametrize("n_parts", [2, 30, 365])
def test_a_window_of_partitions_is_close(n_parts: int) -> None:
    parts = [numbers(3000 + 10 * i, i) * (1 + i / n_parts) for i in range(n_parts)]
    whole = np.concatenate(parts)
    merged = QuantileSketch.merged([summary(part) for part in parts])
    assert len(merged.points) == MERGED_POINTS
    assert worst(merged, whole) <= merged.rank_error < (0.0013 if n_parts <= 64 else 0.0075)
    assert worst(merged, whole) < 0.003


def test_a_chain_of_merges_states_what_it_adds() -> None:
    parts = [numbers(600, i) for i in range(40)]
    chain = summary(parts[0])
    for part in parts[1:]:
        chain = QuantileSketch.merged([chain, summary(part)])
    whole = np.concatenate(parts)
    assert worst(chain, whole) <= chain.rank_error < 0.007


def test_memory_is_bounded() -> None:
    stream, chunk = QuantileAccumulator(), np.arange(5000.0)
    for _ in range(16 * 17):
        stream.add(chunk)
    assert sum(len(one.points) for level in stream._levels for one in level) <= 3 * 16 * 4096
    assert len(stream.finish().points) == STORED_POINTS


def test_weights_follow_the_sizes_of_the_parts() -> None:
    large, small = summary(np.zeros(100_000), 100), summary(np.ones(1000), 100)
    merged = QuantileSketch.merged([large, small])
    assert merged.cdf(0.5) == pytest.approx(100_000 / 101_000, abs=merged.rank_error)


def test_nothing_has_no_quantiles() -> None:
    nothing = QuantileSketch.merged([])
    assert nothing.n == nothing.rank_error == 0
    assert np.isnan(nothing.cdf([0.0, 1.0])).all()
    assert np.isnan(nothing.quantiles([0.0, 1.0])).all()


def test_nan_has_no_rank() -> None:
    assert np.isnan(summary(np.arange(3.0)).cdf(np.nan))


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_is_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match=r"shares in \[0, 1\]"):
        summary(np.arange(3.0)).quantiles([0.5, share])
