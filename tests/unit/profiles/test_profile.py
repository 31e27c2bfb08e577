from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.exceptions import SchemaMismatchError
from mlops_tasks.profiles import CategoryProfile, Profile
from tests.unit.profiles.rows import ROWS, SCHEMA, numbers, profile, table

fast = settings(max_examples=25, deadline=None)
Rows = list[dict[str, Any]]

EXACT = {
    "numeric": ("n", "n_nan", "n_pos_inf", "n_neg_inf", "n_finite"),
    "time": ("n", "n_finite"),
    "category": ("n", "n_null", "n_other", "error", "is_exact", "counts"),
}


def facts(column: Any) -> dict[str, Any]:
    return {name: getattr(column, name) for name in EXACT[column.kind]}


def assert_same(left: Profile, right: Profile) -> None:
    """Hold two profiles of few rows together: all is exact but rounding in the moments."""
    assert left.n_rows == right.n_rows
    assert list(left.columns) == list(right.columns)
    for name, one in left.columns.items():
        other: Any = right.columns[name]
        assert facts(one) == facts(other)
        if isinstance(one, CategoryProfile):
            assert list(one.counts.items()) == list(other.counts.items())
            continue
        assert one.sketch.points.tolist() == other.sketch.points.tolist()
        assert one.rank_error == other.rank_error == 0
        np.testing.assert_array_equal([one.minimum, one.maximum], [other.minimum, other.maximum])
        scale = max(1.0, abs(one.quantiles([0.0, 1.0])).max(initial=0.0))
        np.testing.assert_allclose(one.mean / scale, other.mean / scale, atol=1e-12)
        if scale < 1e150:
            np.testing.assert_allclose(
                one.variance / scale**2, other.variance / scale**2, atol=1e-12
            )


@fast
@given(ROWS, st.integers(1, 7), st.data())
def test_a_merge_of_any_split_equals_the_whole(rows: Rows, n_parts: int, data: Any) -> None:
    whole = table(rows)
    owner = data.draw(st.lists(st.integers(0, n_parts - 1), min_size=len(rows), max_size=len(rows)))
    parts = [
        profile(whole.filter(pa.array([part == own for own in owner], pa.bool_())))
        for part in range(n_parts)
    ]
    merged = Profile.merged(parts)
    assert_same(merged, profile(whole))
    assert_same(Profile.merged(parts[::-1]), merged)
    half = n_parts // 2
    left, right = parts[:half], parts[half:]
    nested = Profile.merged([*(Profile.merged(side) for side in (left, right) if side)])
    assert_same(nested, merged)


@fast
@given(ROWS, st.integers(1, 5))
def test_batches_do_not_matter(rows: Rows, size: int) -> None:
    whole = table(rows)
    assert_same(profile(whole, size), profile(whole))


@fast
@given(ROWS)
def test_the_stored_form_comes_back(rows: Rows) -> None:
    before = profile(table(rows))
    after = Profile.from_bytes(before.to_bytes())
    assert_same(after, before)
    assert after.to_bytes() == before.to_bytes()
    assert_same(Profile.merged([after, before]), Profile.merged([before, after]))


def test_chunks_of_any_size_give_the_same_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.table(
        {
            "x": pa.array(numbers(150_000, 1), mask=np.random.default_rng(2).random(150_000) < 0.1),
            "y": numbers(150_000, 3),
            "text": pa.array(["a", "b", None] * 50_000),
        }
    )
    found = [profile(rows), profile(rows, 1000), profile(rows, 65_537)]
    monkeypatch.setenv("MLOPS_THREADS", "1")
    found.append(profile(rows, 40_000))
    for other in found[1:]:
        assert other.numbers.points.tolist() == found[0].numbers.points.tolist()
        assert other.numbers.moments.tolist() == found[0].numbers.moments.tolist()
        assert other.columns["text"].counts == found[0].columns["text"].counts  # type: ignore[union-attr]


def test_a_large_merge_is_within_its_error() -> None:
    parts = [numbers(70_000, seed) + seed / 10 for seed in range(4)]
    whole = np.sort(np.concatenate(parts))
    stored = [profile(pa.table({"x": part})).to_bytes() for part in parts]
    column: Any = Profile.merged(map(Profile.from_bytes, stored)).columns["x"]
    at = whole[::97]
    error = np.abs(column.cdf(at) - np.searchsorted(whole, at, side="right") / len(whole)).max()
    assert 0 < error <= column.rank_error < 0.002
    assert column.mean == pytest.approx(whole.mean(), rel=1e-12)
    assert column.variance == pytest.approx(whole.var(), rel=1e-12)
    assert column.n_finite == len(whole)


def test_an_empty_partition_has_a_profile() -> None:
    empty = Profile.of([], SCHEMA)
    assert empty.n_rows == 0
    assert [column.n for column in empty.columns.values()] == [0] * len(SCHEMA)
    kinds = [column.kind for column in empty.columns.values()]
    assert (kinds.count("numeric"), kinds.count("time")) == (3, 2)
    full = profile(table([{"real": 1.0, "text": "a", "moment": None}]))
    assert_same(Profile.merged([empty, full]), full)


def test_columns_can_be_chosen() -> None:
    rows = pa.table({"x": [1], "tags": [["a"]], "y": [2.0]})
    with pytest.raises(TypeError, match="tags"):
        profile(rows)
    chosen = Profile.of(rows.to_batches(), rows.schema, columns=["y", "x"])
    assert list(chosen.columns) == ["y", "x"]
    assert Profile.of(rows.to_batches(), rows.schema, columns=[]).n_rows == 1
    with pytest.raises(SchemaMismatchError, match=r"\['z'\]"):
        Profile.of([], rows.schema, columns=["z"])


def test_a_column_that_came_later_counts_its_own_rows() -> None:
    before = profile(pa.table({"x": [1.0], "t": ["a"]}))
    after = profile(pa.table({"new": [5], "x": [2.0], "word": ["b"], "t": ["a"]}))
    merged = Profile.merged([before, after])
    assert list(merged.columns) == ["x", "t", "new", "word"]
    assert [column.n for column in merged.columns.values()] == [2, 2, 1, 1]
    assert dict(merged.columns["word"].counts) == {"b": 1}  # type: ignore[union-attr]


def test_a_column_that_changed_its_kind_is_named() -> None:
    number, text = (profile(pa.table({"x": values})) for values in ([1], ["1"]))
    with pytest.raises(SchemaMismatchError, match="'x' is numeric in one profile and category"):
        Profile.merged([number, text])


def test_a_batch_of_other_columns_is_refused() -> None:
    rows = pa.table({"x": [1], "y": [1]})
    other = pa.record_batch({"x": ["1"]})
    with pytest.raises(SchemaMismatchError, match=r"x: string, not int64\n  y: missing, not int64"):
        Profile.of([other], rows.schema)


def test_nothing_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="no profiles to merge"):
        Profile.merged([])


def test_profiles_are_read_only() -> None:
    found = profile(pa.table({"x": ["a"]}))
    column: Any = found.columns
    with pytest.raises(TypeError):
        column["x"] = None
    counts: Any = found.columns["x"]
    with pytest.raises(TypeError):
        counts.counts["a"] = 2


def test_some_columns_are_those_columns() -> None:
    whole = profile(pa.table({"x": [1.0, 2.0], "y": [3.0, 4.0], "kind": ["a", "b"]}))
    some = whole.only(["kind", "x", "nowhere"])
    assert list(some.columns) == ["kind", "x"]
    assert (some.n_rows, some.columns["x"].mean) == (2, 1.5)  # type: ignore[union-attr]
