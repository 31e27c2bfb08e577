"""Suggested ranges hold what was seen, exactly, whatever its size."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa
import pytest

from mlops_tasks.validation.suggestion.column_summary import ColumnSummary

MOST, BIG, LARGEST = 2**63 - 1, 2**53, sys.float_info.max


def seen(kind: str, values: list[Any]) -> ColumnSummary:
    facts = ColumnSummary("x", kind)
    type_ = pa.int64() if kind == "int64" else pa.float64()
    facts.add(pa.chunked_array([pa.array(values, type_)]))
    facts.end("2024-03-01")
    return facts


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([4, 17], (0, 30)),
        ([0, 0], (0, 0)),
        ([-5, -3], (-7, -1)),
        ([BIG + 1, BIG + 3], (9 * 10**15, 91 * 10**14)),
        ([-MOST - 1, MOST], (-28 * 10**18, 28 * 10**18)),
        ([MOST, MOST], (0, 19 * 10**18)),
    ],
)
def test_whole_numbers_have_whole_limits(values: list[int], limits: tuple[int, int]) -> None:
    low, high = seen("int64", values).range()
    assert (low, high) == limits
    assert isinstance(low, int)
    assert isinstance(high, int)
    assert low <= min(values) <= max(values) <= high


@pytest.mark.parametrize(
    "values", [[0.1, 3.7], [-LARGEST, LARGEST], [1e308, LARGEST], [5e-324, 1e-320], [0.0, -0.0]]
)
def test_doubles_have_finite_limits_that_hold_them(values: list[float]) -> None:
    low, high = seen("float64", values).range()
    assert -LARGEST <= low <= min(values) <= max(values) <= high <= LARGEST
