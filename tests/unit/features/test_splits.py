"""A random split by a hash of the key: the same rows on every machine, whatever else is there."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.features import is_held_out
from mlops_tasks.lake import RandomSplit


def keyed(*key: str) -> Any:
    return SimpleNamespace(key=key, features=("a", "b"), as_of="at")


def rows(n: int = 4000) -> pa.Table:
    ids = pa.array(range(n), pa.int64())
    return pa.table({"a": ids, "b": pa.array([str(i % 7) for i in range(n)]), "at": ids})


def test_one_row_in_five_is_kept_from_the_training() -> None:
    share = is_held_out(keyed("a"), rows(), RandomSplit(3)).mean()
    assert share == pytest.approx(0.2, abs=0.02)
    assert is_held_out(keyed("a"), rows(), RandomSplit(3, one_in=2)).mean() == pytest.approx(
        0.5, abs=0.03
    )


def test_a_row_is_kept_whatever_other_rows_there_are() -> None:
    whole = is_held_out(keyed("a"), rows(), RandomSplit(3))
    part = is_held_out(keyed("a"), rows().slice(1000, 500), RandomSplit(3))
    assert np.array_equal(whole[1000:1500], part)


def test_another_seed_keeps_other_rows() -> None:
    first, second = (is_held_out(keyed("a"), rows(), RandomSplit(seed)) for seed in (3, 4))
    assert (first & second).mean() == pytest.approx(0.04, abs=0.015)


def test_it_is_the_hash_that_the_decision_describes() -> None:
    """So that a reproduction elsewhere keeps the same rows."""
    found = is_held_out(keyed("a", "b"), rows(50), RandomSplit(9))
    salt = (9).to_bytes(16, "big")
    wanted = [
        int.from_bytes(
            hashlib.blake2b(f"{i}\x1f{i % 7}".encode(), digest_size=8, salt=salt).digest(), "big"
        )
        % 5
        == 0
        for i in range(50)
    ]
    assert found.tolist() == wanted
    assert 0 < sum(wanted) < 50


def test_without_a_key_equal_rows_are_on_one_side() -> None:
    twice = pa.concat_tables([rows(200), rows(200)])
    found = is_held_out(keyed(), twice, RandomSplit(0))
    assert np.array_equal(found[:200], found[200:])
    nulls = pa.table({"a": pa.array([None, 1], pa.int64()), "b": ["x", None], "at": [1, 1]})
    assert is_held_out(keyed(), nulls, RandomSplit(0)).shape == (2,)
