"""Expectations that cannot be made are failures that say why, and nothing is lost on the way."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import (
    DamagedTableError,
    SchemaMismatchError,
    SuiteError,
    ValidationFailedError,
)
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.validation.arrow_values import readable
from mlops_tasks.validation.check_outcomes import Finding, suite_outcome
from mlops_tasks.validation.gx import GreatExpectations
from mlops_tasks.validation.partition_rows import PartitionRows
from mlops_tasks.validation.publication import publish
from mlops_tasks.validation.row_flags import RowFlags
from mlops_tasks.validation.suite import load_suite
from tests.unit.orders import day, orders_dataset, write_suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.validation.suite import Expectation
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]

OWN = """
import great_expectations.expectations as gxe

class ExpectEnoughOrders(gxe.ExpectTableRowCountToBeBetween):
    min_value: int = 1000
"""


def expectation(folder: Path, kind: str, **kwargs: Any) -> Expectation:
    suite = load_suite(write_suite(folder, "one", [{"type": kind, "kwargs": kwargs}]))
    return suite.expectations[0]


def test_what_raises_inside_is_a_failure_with_its_reason(
    night: Nights, tmp_path: Path, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "expect_column_values_to_match_json_schema"
    item = {"type": kind, "kwargs": {"column": "shop", "json_schema": {"type": "string"}}}
    for memory in ("1GB", "1B"):
        monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", memory)
        spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "own", [item]))
        with pytest.raises(ValidationFailedError, match=f"{kind}:shop .*Expecting value"):
            night(spec, 0, orders())


def test_the_first_error_of_the_chunks_stays(tmp_path: Path) -> None:
    chunks = (
        Finding(success=True, row_wise=True, n_rows=5),
        Finding(success=False, error="first"),
        Finding(success=False, error="second"),
        Finding(success=True, row_wise=True, n_rows=5),
    )
    wanted = expectation(tmp_path, "expect_column_to_exist", column="a")
    outcome = suite_outcome(wanted, reduce(Finding.joined, chunks), "")
    assert (outcome.passed, outcome.error, outcome.n_rows) == (False, "first", None)


def test_an_expectation_that_was_never_made_has_failed(tmp_path: Path) -> None:
    wanted = expectation(tmp_path, "expect_column_to_exist", column="a")
    outcome = suite_outcome(wanted, None, "")
    assert (outcome.passed, outcome.error) == (False, "it was not made")


def test_a_result_that_gx_keeps_to_itself_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from great_expectations.validator.validator import Validator

    monkeypatch.setattr(Validator, "graph_validate", lambda *_, **__: [])
    wanted = expectation(tmp_path, "expect_column_to_exist", column="a")
    with pytest.raises(SuiteError, match=r"no result for \['expect_column_to_exist:a'\]"):
        GreatExpectations().findings(pd.DataFrame({"a": [1]}), [wanted])


def test_a_check_of_ones_own_may_read_the_whole_table(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orders: Orders
) -> None:
    (tmp_path / "own_counts.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_counts", raising=False)
    path = tmp_path / "own.json"
    item = {"type": "expect_enough_orders", "severity": "warning"}
    path.write_text(json.dumps({"meta": {"imports": ["own_counts"]}, "expectations": [item]}))
    for memory in ("1GB", "1B"):
        monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", memory)
        spec = orders_dataset(tmp_path, expectations=path)
        assert night(spec, 0, orders()).warnings == ("expect_enough_orders: observed 80",)


def test_values_that_are_all_missing_pass_and_it_is_said(
    night: Nights, tmp_path: Path, orders: Orders
) -> None:
    item = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "distance", "min_value": 0},
    }
    spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "own", [item]))
    result = night(spec, 0, orders(distance=dict.fromkeys(range(80))))
    (check,) = [c for c in result.checks if c.source == "suite"]
    assert check.passed
    assert check.observed == "no value to judge, all are missing"


def test_a_raw_partition_without_a_column_of_the_contract_is_refused(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    night(orders_dataset(tmp_path), 0, orders())
    columns = {**orders_dataset(tmp_path).columns, "colour": "string"}
    raw = lake.table("orders__raw").commits(first=day(0), last=day(0))[0]
    spec = orders_dataset(tmp_path, columns=columns)
    from mlops_tasks.lake import PartitionVersion
    from mlops_tasks.steps.validate import validate

    part = PartitionVersion("orders__raw", day(0), raw.version, raw.n_rows, raw.digest)
    with pytest.raises(SchemaMismatchError, match=r"has no column \['colour'\] of the contract"):
        validate(spec, part, lake=lake, token=50)


def test_columns_beyond_the_contract_are_published_too(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path)
    more = orders().append_column("colour", pa.array(["red"] * 80))
    raw = overwrite_partition(lake.table("orders__raw"), day(0), more, token=1)
    from mlops_tasks.steps.validate import validate

    validate(spec, raw, lake=lake, token=2)
    assert (
        lake.table("orders").read(first=day(0), last=day(0)).column("colour").to_pylist()[0]
        == "red"
    )


def test_rows_that_appear_or_vanish_on_the_way_are_noticed(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path)
    night.raw(spec, 0, orders())
    (commit,) = lake.table("orders__raw").commits(first=day(0), last=day(0))
    rows = PartitionRows(lake.table("orders__raw"), replace(commit, n_rows=81), 1000)
    table = lake.table(spec.name)
    with pytest.raises(
        DamagedTableError, match="81 rows were read, 80 published and 0 quarantined"
    ):
        publish(spec, rows, RowFlags(81), table, lake=lake, token=9, known_at=day(0))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**60, str(2**60)),
        (0.1 + 0.2, "0.3"),
        (Decimal("2.50"), "2.5"),
        (b"raw", "b'raw'"),
        (float("inf"), "inf"),
        (float("nan"), "null"),
        (pd.NaT, "null"),
        (pd.Timestamp("2024-03-01T05:00:00Z"), "2024-03-01T05:00:00Z"),
        (True, "True"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_values_of_any_kind_can_be_read(value: Any, text: str) -> None:
    assert readable(value) == text
