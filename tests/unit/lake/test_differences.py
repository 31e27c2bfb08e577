"""`verify_pin` names what differs: columns, how many rows, or the one row and its cells."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake import Lake

DAY = "2024-03-01"
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "price": pa.float64(),
        "shop": pa.string(),
        "gift": pa.bool_(),
        "at": pa.timestamp("us", tz="UTC"),
        "due": pa.date32(),
    }
)


def rows(n: int) -> list[dict[str, Any]]:
    return [
        {
            "id": i,
            "price": i / 4,
            "shop": f"shop {i % 3}",
            "gift": i % 2 == 0,
            "at": datetime(2024, 3, 1, 12, i % 60, tzinfo=UTC),
            "due": date(2024, 3, 1 + i % 28),
        }
        for i in range(n)
    ]


def damaged(lake: Lake, now: pa.Table | list[dict[str, Any]], n: int = 40) -> str:
    """Commit n rows, put others in their place behind the lake's back, and see what it says."""
    lake.overwrite_partition("t", DAY, pa.Table.from_pylist(rows(n), SCHEMA), token=1)
    pin = lake.pin("t", first=DAY, last=DAY)
    lake.verify_pin(pin)
    (file,) = (lake.root / "t" / f"partition_key={DAY}").glob("*.parquet")
    table = now if isinstance(now, pa.Table) else pa.Table.from_pylist(now, SCHEMA)
    pq.write_table(table, file, row_group_size=7)
    with pytest.raises(DamagedTableError, match=f"partition {DAY}: content has digest") as error:
        lake.verify_pin(pin)
    return str(error.value).split(": ", 2)[2]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("id", 777, "'id' was 20, is 777"),
        ("id", None, "'id' was 20, is None"),
        ("price", -1.5, "'price' was 5.0, is -1.5"),
        ("shop", "elsewhere", "'shop' was another text, is 'elsewhere'"),
        ("gift", False, "'gift' was True, is False"),
        ("at", datetime(1999, 1, 1, tzinfo=UTC), "'at' was '2024-03-01T12:20:00+00:00', is"),
        ("due", date(1999, 1, 1), "'due' was '2024-03-21T00:00:00+00:00', is"),
    ],
)
def test_one_changed_cell_is_named_with_its_value_before(
    lake: Lake, column: str, value: Any, said: str
) -> None:
    now = rows(40)
    now[20][column] = value
    found = damaged(lake, now)
    assert "row 21 of part-" in found
    assert f"was changed: {said}" in found


def test_a_null_that_was_filled_is_named(lake: Lake) -> None:
    before = pa.table({"n": pa.array([None, 2, None], pa.int64()), "t": ["a", None, "c"]})
    lake.overwrite_partition("u", DAY, before, token=1)
    (file,) = (lake.root / "u" / f"partition_key={DAY}").glob("*.parquet")
    pq.write_table(pa.table({"n": [5, 2, None], "t": ["a", None, "c"]}), file)
    with pytest.raises(DamagedTableError, match=r"row 1 of .* was changed: 'n' was None, is 5"):
        lake.verify_pin(lake.pin("u", first=DAY, last=DAY))


def test_several_changed_cells_of_one_row_are_named(lake: Lake) -> None:
    now = rows(40)
    now[39] |= {"id": 0, "price": 0.0}
    assert "'id' was 39, is 0, 'price' was 9.75, is 0.0" in damaged(lake, now)


def test_an_added_row_is_named(lake: Lake) -> None:
    now = rows(41)
    assert "row 41 of part-" in (said := damaged(lake, now))
    assert said.endswith("was added")


def test_a_removed_row_is_told_from_what_is_left(lake: Lake) -> None:
    now = rows(40)
    del now[7]
    said = damaged(lake, now)
    assert said.endswith(
        "the row at='2024-03-01T12:07:00+00:00', due='2024-03-08T00:00:00+00:00', gift=False, "
        "id=7, price=1.75, … was removed"
    )


def test_the_last_row_removed_leaves_nothing_to_look_through(lake: Lake) -> None:
    one = pa.table({"n": [4]})
    lake.overwrite_partition("u", DAY, one, token=1)
    (file,) = (lake.root / "u" / f"partition_key={DAY}").glob("*.parquet")
    pq.write_table(one.slice(0, 0), file)
    with pytest.raises(DamagedTableError, match="the row n=4 was removed"):
        lake.verify_pin(lake.pin("u", first=DAY, last=DAY))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (rows(45), "5 rows were added"),
        (rows(38), "2 rows were removed"),
        (rows(38) + rows(1), "1 rows were removed"),
        ([*rows(39), rows(1)[0] | {"id": 99}, rows(1)[0]], "1 rows were added"),
        (
            [row | ({"price": 0.5, "id": 3} if row["id"] < 2 else {}) for row in rows(40)],
            "as many rows, but cells of ['id', 'price'] were changed in more than one of them",
        ),
        (
            [row | ({"price": (1 - row["id"]) / 4} if row["id"] < 2 else {}) for row in rows(40)],
            "the same cells stand in other rows",
        ),
    ],
)
def test_more_than_one_row_is_counted(lake: Lake, now: list[dict[str, Any]], said: str) -> None:
    assert damaged(lake, now).endswith(said)


def test_columns_that_are_gone_new_or_of_another_type_are_named(lake: Lake) -> None:
    whole = pa.Table.from_pylist(rows(40), SCHEMA)
    other = whole.set_column(0, "id", whole.column("id").cast(pa.float64())).drop_columns(["shop"])
    said = damaged(lake, other.append_column("note", pa.array(["x"] * 40)))
    assert said.endswith(
        "column 'shop' is gone, column 'note' was added, column 'id' is float, was int"
    )


def test_a_time_beyond_the_calendar_is_told_as_a_number(lake: Lake) -> None:
    far = pa.table({"at": pa.array([2**62, 5], pa.timestamp("us"))})
    lake.overwrite_partition("u", DAY, far, token=1)
    (file,) = (lake.root / "u" / f"partition_key={DAY}").glob("*.parquet")
    pq.write_table(far.slice(1), file)
    with pytest.raises(DamagedTableError, match=f"the row at={2**62} was removed"):
        lake.verify_pin(lake.pin("u", first=DAY, last=DAY))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 39), st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1))
def test_whatever_stood_in_the_cell_is_recovered(
    tmp_path_factory: pytest.TempPathFactory, place: int, price: float, number: int
) -> None:
    lake, before = Lake(tmp_path_factory.mktemp("lake")), rows(40)
    before[place] |= {"price": price, "id": number}
    lake.overwrite_partition("t", DAY, pa.Table.from_pylist(before, SCHEMA), token=1)
    pin = lake.pin("t", first=DAY, last=DAY)
    (file,) = (lake.root / "t" / f"partition_key={DAY}").glob("*.parquet")
    now = [dict(row) for row in before]
    now[place] |= {"price": None, "id": number ^ 1}
    pq.write_table(pa.Table.from_pylist(now, SCHEMA), file)
    with pytest.raises(DamagedTableError) as error:
        lake.verify_pin(pin)
    assert f"row {place + 1} of" in str(error.value)
    assert f"'id' was {number}, is {number ^ 1}" in str(error.value)
    assert f"'price' was {price + 0.0!r}, is None" in str(error.value)
