"""What a reference expects of a new day where its own rows chose what is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Baseline
from tests.unit.drift.samples import profile


def expected(baseline: Baseline, name: str) -> Any:
    """Return the shares that a new day is compared with, of the only column."""
    (found,) = (one for one in baseline.aspects if one.name == name)
    return found.reference.values[0, 0]


def test_a_name_of_one_day_is_new_to_all_others() -> None:
    own = [profile(x=["a"] * 60 + [f"of day {i}"] * 40) for i in range(6)]
    assert expected(Baseline.of(own), "unseen")[0] == pytest.approx(0.4)
    assert expected(Baseline.of(own), "shares")[-1] == pytest.approx(0.4)


def test_without_days_new_rows_are_those_seen_once() -> None:
    whole = profile(x=["a"] * 60 + ["b"] * 37 + ["c", "d", "e"])
    assert expected(Baseline(whole), "unseen")[0] == pytest.approx(3 / 100)
    assert expected(Baseline.of([whole] * 4), "unseen")[0] == 0.0


@pytest.mark.parametrize(("n_names", "n"), [(200, 100), (200, 5000)])
def test_the_share_of_all_others_is_that_of_a_new_day(n_names: int, n: int) -> None:
    """The most frequent of equals were lucky; a new day has less of them."""
    random, names = np.random.default_rng(3), np.array([f"c{i}" for i in range(n_names)])
    off, naive = [], []
    for _ in range(12):
        own = [profile(x=names[random.integers(0, n_names, n)]) for _ in range(30)]
        baseline = Baseline.of(own)
        counts = sorted(baseline.whole.columns["x"].counts.values(), reverse=True)  # type: ignore[union-attr]
        others = expected(baseline, "shares")
        n_chosen = len(others) - 1
        assert 40 <= n_chosen <= 64
        true = 1 - n_chosen / n_names
        off.append(others[-1] - true)
        naive.append(1 - sum(counts[:n_chosen]) / (30 * n) - true)
    assert abs(np.mean(off)) < 0.5 * abs(np.mean(naive))


def test_of_categories_that_tie_none_is_chosen() -> None:
    equal = profile(x=[f"c{i}" for i in range(100)] * 5)
    assert expected(Baseline(equal), "shares").tolist() == [1.0]
    some = profile(x=pa.array([f"c{i}" for i in range(100)] * 5 + ["c7"]))
    assert len(expected(Baseline(some), "shares")) == 2


def test_categories_beyond_those_counted_are_chosen_by_the_same_rule() -> None:
    often = np.repeat([f"c{i}" for i in range(10)], 50).tolist()
    whole = profile(x=often + [f"d{i}" for i in range(2000)])
    assert not whole.columns["x"].is_exact  # type: ignore[union-attr]
    assert len(expected(Baseline(whole), "shares")) == 11
