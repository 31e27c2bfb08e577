"""Functions as sources: rows in any form, by the types of the contract."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    SchemaMismatchError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.sources import FunctionRows
from mlops_tasks.specs import DatasetSpec, FunctionSource
from mlops_tasks.steps.ingest import ingest

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions import Partition

KEY = "2024-03-04"
NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)
ROW: dict[str, Any] = {"id": 2**60, "name": "a", "at": NOON, "share": None}


def dataset(**changes: Any) -> DatasetSpec:
    fields: dict[str, Any] = {
        "name": "calls",
        "description": "Calls.",
        "source": FunctionSource(),
        "columns": {"id": "int64", "name": "string", "at": "timestamp", "share": "float64?"},
        "key": ("id",),
        "start": date(2024, 1, 1),
    }
    return DatasetSpec(**(fields | changes))


def taken(lake: Lake, made: Any, **changes: Any) -> pa.Table:
    def function(partition: Partition) -> Any:
        assert (partition.key, partition.start.isoformat()) == (KEY, "2024-03-04T00:00:00+00:00")
        return made

    spec = dataset(**changes)
    result = ingest(spec, KEY, source=FunctionRows(function), lake=lake, token=1, known_at=KEY)
    return lake.table(result.raw.table).read()


def frame(rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("name", pa.string()),
            ("at", pa.timestamp("us", "UTC")),
            ("share", pa.float64()),
        ]
    )
    return pa.Table.from_pylist(rows, schema)


FORMS: dict[str, Callable[[pa.Table], Any]] = {
    "arrow": lambda rows: rows,
    "stream": lambda rows: rows.to_reader(),
    "dicts": lambda rows: rows.to_pylist(),
    "pandas": lambda rows: rows.to_pandas(types_mapper=pd.ArrowDtype),
    "objects": lambda rows: pd.DataFrame(
        {name: pd.Series(rows[name].to_pylist(), dtype=object) for name in rows.column_names}
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_every_form_are_the_same(lake: Lake, form: str) -> None:
    rows = frame([ROW, ROW | {"id": 1, "share": 0.5}])
    assert taken(lake, FORMS[form](rows)).equals(rows)


def test_polars_frames_are_rows(lake: Lake) -> None:
    import polars

    rows = frame([ROW])
    assert taken(lake, polars.from_arrow(rows)).equals(rows)


def test_the_type_is_the_contract_s_whatever_the_values_are(lake: Lake) -> None:
    """Of no row a share is known: as values they would be of no type."""
    assert taken(lake, [ROW]).schema.field("share").type == pa.float64()


def test_what_no_contract_names_has_no_type_and_is_left_out(lake: Lake) -> None:
    assert "more" not in taken(lake, [ROW | {"more": "x"}]).column_names


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"id": "one"}, "column 'id': the contract says 'int64'"),
        ({"at": datetime(2024, 3, 4, 12)}, "column 'at'.*a time without a zone"),
        ({"share": "half"}, "column 'share'"),
    ],
)
def test_a_value_of_another_type_is_named(lake: Lake, wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(SchemaMismatchError, match=f"(?s){text}"):
        taken(lake, [ROW | wrong])


def test_what_is_no_rows_is_refused(lake: Lake) -> None:
    with pytest.raises(SourceQueryError, match=r"it returns NoneType; return a pyarrow\.Table"):
        taken(lake, None)
    with pytest.raises(EmptyPartitionError, match="'function of the task' has no rows"):
        taken(lake, [])


def failing(partition: Partition) -> Any:
    if partition.key == KEY:
        raise KeyError("token")
    raise SourceUnavailableError("the service is down")


def test_an_error_of_the_function_names_it_and_keeps_its_cause(lake: Lake) -> None:
    source = FunctionSource(function="tests.unit.sources.test_function:failing")
    spec = dataset(source=source)
    where = {"source": FunctionRows(), "lake": lake, "token": 1}
    with pytest.raises(SourceQueryError, match=r"failing'.*it fails: KeyError") as found:
        ingest(spec, KEY, **where)
    assert isinstance(found.value.__cause__, KeyError)
    with pytest.raises(SourceUnavailableError):
        ingest(spec, "2024-03-05", **where)


def test_a_function_that_nobody_names_is_said(lake: Lake) -> None:
    with pytest.raises(SourceQueryError, match="no function is named; write FunctionSource"):
        ingest(dataset(), KEY, source=FunctionRows(), lake=lake, token=1)
