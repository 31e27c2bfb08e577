from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.profiles.zero_copy import integers, texts, valid, view


@pytest.mark.parametrize("start", [0, 3, 9, 20])
def test_slices_are_seen_as_they_are(start: int) -> None:
    array = pa.array([None if i % 3 == 0 else i for i in range(20)]).slice(start)
    assert valid(array).tolist() == [x is not None for x in array.to_pylist()] or not len(array)
    assert view(array.drop_null(), np.int64).tolist() == array.drop_null().to_pylist()


def test_the_way_back() -> None:
    assert integers(np.array([3, 1])).to_pylist() == [3, 1]
    assert texts(["", "é", "🦆"]).to_pylist() == ["", "é", "🦆"]
    assert texts([]).type == pa.large_string()


def test_a_profile_does_without_pandas() -> None:
    code = """
import sys, pyarrow as pa
from mlops_tasks.profiles import Profile
columns = [pa.nulls(3, pa.float64()), pa.nulls(3, pa.string())]
batch = pa.RecordBatch.from_arrays(columns, ["x", "y"])
profile = Profile.of([batch], batch.schema)
assert Profile.from_bytes(Profile.merged([profile, profile]).to_bytes()).n_rows == 6
sys.exit("pandas" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
