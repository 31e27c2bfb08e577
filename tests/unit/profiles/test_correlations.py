from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.correlations import MAX_CORRELATED, Correlations
from tests.unit.profiles.rows import profile

N = 150_000


@pytest.fixture(scope="module")
def frame() -> Any:
    """Correlated columns, one with holes, one far from zero, one constant."""
    import pandas as pd

    random = np.random.default_rng(4)
    x = random.normal(size=N)
    holes = np.where(random.random(N) < 0.3, np.nan, x + random.normal(size=N))
    far = 1e9 - 2 * x + random.normal(size=N)
    return pd.DataFrame({"x": x, "holes": holes, "far": far, "one": 1.0, "y": random.random(N)})


def as_table(frame: Any) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    nulls = pa.array(frame["holes"].to_numpy(), from_pandas=True)
    return table.set_column(1, "holes", nulls)


def test_pairs_equal_those_of_pandas(frame: Any) -> None:
    found = profile(as_table(frame)).correlations
    expected = frame.corr().to_numpy()
    assert found.names == tuple(frame.columns)
    # pandas loses digits in the column far from zero.
    np.testing.assert_allclose(found.matrix(), expected, atol=1e-7)
    assert found.n[0, 1] == found.n[1, 1] == frame["holes"].notna().sum()
    assert found.between("x", "far") == pytest.approx(expected[0, 2], abs=1e-7)


@pytest.mark.parametrize("cut", [1, 777, 100_000])
def test_a_merge_equals_the_whole(frame: Any, cut: int) -> None:
    table = as_table(frame)
    merged = profile(table.slice(cut)).merge(profile(table.slice(0, cut))).correlations
    whole = profile(table).correlations
    assert (merged.n == whole.n).all()
    np.testing.assert_allclose(merged.matrix(), whole.matrix(), atol=1e-9)


def test_a_column_that_came_later_has_fewer_rows() -> None:
    table = pa.table({"x": [1.0, 2.0, 4.0], "y": [2.0, 4.0, 8.0]})
    merged = profile(table.select(["y"])).merge(profile(table)).correlations
    assert merged.names == ("y", "x")
    assert merged.n.tolist() == [[6, 3], [3, 3]]
    assert merged.between("x", "y") == pytest.approx(1)


def test_infinities_belong_to_no_pair() -> None:
    table = pa.table({"x": [1.0, 2.0, np.inf, 3.0], "y": [1.0, np.nan, 5.0, 3.0]})
    found = profile(table).correlations
    assert found.n.tolist() == [[3, 2], [2, 3]]
    assert found.between("x", "y") == pytest.approx(1)


def test_only_the_first_columns_are_correlated() -> None:
    table = pa.table({f"x{i}": [1.0, 2.0] for i in range(MAX_CORRELATED + 2)})
    found = profile(table)
    assert len(found.columns) == MAX_CORRELATED + 2
    assert found.correlations.names == tuple(f"x{i}" for i in range(MAX_CORRELATED))
    both = found.merge(profile(table.rename_columns([f"y{n}" for n in table.column_names])))
    assert len(both.correlations.names) == MAX_CORRELATED


def test_a_table_without_numbers_has_no_pairs() -> None:
    table = pa.table({"text": ["a"]})
    assert profile(table).correlations.matrix().shape == (0, 0)
    assert Profile.from_bytes(profile(table).to_bytes()).correlations.names == ()


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(KeyError, match=r"no correlations of \['z'\]"):
        Correlations.nothing(("x",)).between("x", "z")
