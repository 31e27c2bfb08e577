from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_tasks.drift import domain_classifier_auc
from mlops_tasks.exceptions import EmptyPartitionError, SchemaMismatchError


def rows(random: np.random.Generator, n: int, kind: str = "a") -> pd.DataFrame:
    x = random.normal(size=n)
    return pd.DataFrame(
        {
            "x": np.where(random.random(n) < 0.1, np.nan, x),
            "kind": random.choice(["a", "b", kind], n),
            "flag": random.random(n) < 0.5,
            "at": pd.to_datetime(random.integers(0, 10**9, n), unit="s"),
        }
    )


def test_two_samples_of_one_law_cannot_be_told_apart() -> None:
    random = np.random.default_rng(0)
    told = domain_classifier_auc(rows(random, 300), rows(random, 250), max_rows=200)
    assert (told.n_reference, told.n_current) == (200, 200)
    assert abs(told.auc - 0.5) < 5 * told.standard_error
    assert set(told.importance) == {"x", "kind", "flag", "at"}


def test_a_new_category_is_told_apart_and_named() -> None:
    random = np.random.default_rng(1)
    sides = [pa.Table.from_pandas(rows(random, 200, kind), preserve_index=False) for kind in "ac"]
    told, again = (domain_classifier_auc(*sides) for _ in range(2))
    assert told.auc > 0.6
    assert next(iter(told.importance)) == "kind"
    assert told == again


def test_what_cannot_be_compared_is_refused() -> None:
    random = np.random.default_rng(2)
    with pytest.raises(SchemaMismatchError, match="'flag'"):
        domain_classifier_auc(rows(random, 99), rows(random, 99).drop(columns="flag"))
    with pytest.raises(EmptyPartitionError, match="at least 50 of each"):
        domain_classifier_auc(rows(random, 99), rows(random, 49))
