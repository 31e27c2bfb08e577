from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import PartitionKeyError, SchemaMismatchError
from mlops_tasks.partitions import Partition
from mlops_tasks.sources import Request, plan_columns
from mlops_tasks.sources.conversion import convert, lake_type
from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader
from mlops_tasks.sources.text_values import Rules, parse_text
from mlops_tasks.specs.schema import arrow_schema
from tests.unit.orders import orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec

INSTANT = pa.timestamp("us", tz="UTC")
NEW_YORK = Rules(timezone="America/New_York")


def local(*texts: str) -> pa.Array:
    return pa.array([datetime.fromisoformat(text) for text in texts], pa.timestamp("us"))


# --- types


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        (pa.array([1, None], pa.int32()), pa.int64(), [1, None]),
        (pa.array([255], pa.uint8()), pa.int64(), [255]),
        (pa.array([0.5], pa.float32()), pa.float64(), [0.5]),
        (pa.array(["x"], pa.large_string()), pa.string(), ["x"]),
        (pa.array(["x"], pa.string_view()), pa.string(), ["x"]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), pa.string(), ["x", "y", "x"]),
        (pa.array(['{"a": 1}'], pa.json_()), pa.string(), ['{"a": 1}']),
        (pa.array([None, None]), pa.int64(), [None, None]),
        (pa.array([date(2024, 3, 1)], pa.date64()), pa.date32(), [date(2024, 3, 1)]),
        (
            pa.array([datetime(2024, 3, 1, tzinfo=UTC)], pa.timestamp("ns", tz="Asia/Tokyo")),
            INSTANT,
            [datetime(2024, 3, 1, tzinfo=UTC)],
        ),
    ],
)
def test_what_is_safe_is_widened(given: pa.Array, wanted: pa.DataType, expected: Any) -> None:
    found = convert(given, wanted, Rules())
    assert (found.type, found.to_pylist()) == (wanted, expected)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pa.array([1], pa.uint64()), pa.int64()),
        (pa.array([1.0]), pa.int64()),
        (pa.array([1]), pa.float64()),
        (pa.array([1]), pa.string()),
        (pa.array(["1"]), pa.int64()),
        (pa.array(["1"]), pa.float64()),
        (pa.array([1]), pa.bool_()),
        (pa.array([True]), pa.int64()),
        (pa.array([b"x"]), pa.string()),
        (pa.array([b"\0" * 16], pa.uuid()), pa.string()),
        (pa.array([Decimal("1.5")]), pa.float64()),
        (pa.array([Decimal("1.5")]), pa.string()),
        (pa.array([1]), INSTANT),
        (pa.array(["2024-03-01T00:00:00Z"]), INSTANT),
        (pa.array([date(2024, 3, 1)]), INSTANT),
        (local("2024-03-01"), INSTANT),
        (local("2024-03-01"), pa.date32()),
        (pa.array([[1]]), pa.int64()),
    ],
)
def test_what_is_not_is_refused_by_its_type_alone(given: pa.Array, wanted: pa.DataType) -> None:
    with pytest.raises(TypeError):
        convert(given.slice(0, 0), wanted, Rules())


# --- decimals and days, when the spec says so


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        (pa.array([Decimal("1.10"), None]), pa.float64(), [1.1, None]),
        (pa.array([Decimal("1.10")]), pa.string(), ["1.10"]),
        (pa.array([Decimal("2.00")]), pa.int64(), [2]),
    ],
)
def test_decimals_are_converted_when_declared(
    given: pa.Array, wanted: pa.DataType, expected: Any
) -> None:
    assert convert(given, wanted, Rules("decimal")).to_pylist() == expected


def test_a_fraction_is_not_cut_off() -> None:
    with pytest.raises(pa.ArrowInvalid):
        convert(pa.array([Decimal("2.50")]), pa.int64(), Rules("decimal"))
    with pytest.raises(TypeError, match="a decimal"):
        convert(pa.array([Decimal("2.50")]), pa.bool_(), Rules("decimal"))


def test_days_become_midnight_when_declared() -> None:
    found = convert(pa.array([date(2024, 7, 1)]), INSTANT, Rules("date", "America/New_York"))
    assert found.to_pylist() == [datetime(2024, 7, 1, 4, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("America/Sao_Paulo", "2018-11-04", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # begins at 1
        ("America/Havana", "2024-11-03", datetime(2024, 11, 3, 4, tzinfo=UTC)),  # midnight twice
        ("Pacific/Apia", "2011-12-31", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Pacific/Apia", "2011-12-30", None),
    ],
)
def test_a_day_begins_with_its_first_instant(
    zone: str, text: str, expected: datetime | None
) -> None:
    rules = Rules("date", zone)
    for read in (
        lambda: convert(pa.array([date.fromisoformat(text)]), INSTANT, rules),
        lambda: parse_text(pa.array([text]), INSTANT, rules),
    ):
        if expected is None:
            with pytest.raises(pa.ArrowInvalid, match=r"2011-12-30 is a day that .* never"):
                read()
        else:
            assert read().to_pylist() == [expected]


# --- time zones


def test_times_without_a_zone_need_one_in_the_spec() -> None:
    with pytest.raises(TypeError, match="declare `timezone` in the spec"):
        convert(local("2024-03-01"), INSTANT, Rules())
    found = convert(local("2024-03-01T12:00", "2024-07-01T12:00"), INSTANT, NEW_YORK)
    assert [time.hour for time in found.to_pylist()] == [17, 16]


@pytest.mark.parametrize(
    ("text", "why"), [("2024-03-10T02:30", "never was"), ("2024-11-03T01:30", "was twice")]
)
def test_times_that_never_were_or_were_twice_are_refused(text: str, why: str) -> None:
    with pytest.raises(pa.ArrowInvalid, match=why):
        convert(local(text), INSTANT, NEW_YORK)


@pytest.mark.parametrize(("ambiguous", "hour"), [("earlier", 5), ("later", 6)])
def test_the_spec_says_which_instant_a_repeated_time_is(ambiguous: str, hour: int) -> None:
    rules = Rules(timezone="America/New_York", ambiguous=ambiguous)
    expected = [datetime(2024, 11, 3, hour, 30, tzinfo=UTC), datetime(2024, 11, 3, 7, tzinfo=UTC)]
    texts = pa.array(["2024-11-03T01:30:00", "2024-11-03T02:00:00"])
    assert convert(texts.cast(pa.timestamp("ns")), INSTANT, rules).to_pylist() == expected
    assert parse_text(texts, INSTANT, rules).to_pylist() == expected


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/Sao_Paulo", "2018-11-04", datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("Africa/Cairo", "2024-04-26", datetime(2024, 4, 25, 22, tzinfo=UTC)),
        ("Asia/Beirut", "2024-03-31", datetime(2024, 3, 30, 22, tzinfo=UTC)),
    ],
)
def test_a_skipped_midnight_is_the_first_instant_of_its_day(
    zone: str, day: str, expected: datetime
) -> None:
    rules = Rules(timezone=zone)
    assert convert(local(day), INSTANT, rules).to_pylist() == [expected]
    assert Partition(day, zone).start == expected
    with pytest.raises(pa.ArrowInvalid, match=f"{day} 00:30:00 never was in {zone}"):
        convert(local(f"{day}T00:30"), INSTANT, rules)


def test_the_midnight_of_a_day_that_never_was_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid, match="never was"):
        convert(local("2011-12-30"), INSTANT, Rules(timezone="Pacific/Apia"))


def test_fractions_finer_than_microseconds_are_not_cut_off() -> None:
    fine = pa.array([1_700_000_000_000_000_001], pa.timestamp("ns", tz="UTC"))
    with pytest.raises(pa.ArrowInvalid, match="lose data"):
        convert(fine, INSTANT, Rules())


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 253_402_300_800_000_000])
def test_infinity_is_no_time(zone: str | None, value: int) -> None:
    with pytest.raises(pa.ArrowInvalid, match="infinity"):
        convert(pa.array([value], pa.timestamp("us", tz=zone)), INSTANT, NEW_YORK)


# --- text


@pytest.mark.parametrize(
    ("texts", "wanted", "expected"),
    [
        (["7", "-7", "007", None], pa.int64(), [7, -7, 7, None]),
        (["1.5", "1e3"], pa.float64(), [1.5, 1000.0]),
        (["true", "False", "1"], pa.bool_(), [True, False, True]),
        (["+7", "+007", "-7"], pa.int64(), [7, 7, -7]),
        (["inf", "-Infinity"], pa.float64(), [math.inf, -math.inf]),
        (
            ["2024-03-01T05:00:00.123456000Z", "2024-03-01T00:00:00.123456000"],
            INSTANT,
            [datetime(2024, 3, 1, 5, 0, 0, 123_456, UTC)] * 2,
        ),
        (["2024-03-01"], pa.date32(), [date(2024, 3, 1)]),
        (["2024-03-01T05:00:00+05:00"], INSTANT, [datetime(2024, 3, 1, tzinfo=UTC)]),
        (["2024-03-01 05:00:00.5"], INSTANT, [datetime(2024, 3, 1, 10, 0, 0, 500_000, UTC)]),
        (
            ["2024-03-01", None, "2024-03-01T05:00Z", "2024-03-01T00:00"],
            INSTANT,
            [datetime(2024, 3, 1, 5, tzinfo=UTC), None, *[datetime(2024, 3, 1, 5, tzinfo=UTC)] * 2],
        ),
        (["0001-01-02T00:00Z"], INSTANT, [datetime(1, 1, 2, tzinfo=UTC)]),
        (["9999-12-31"], pa.date32(), [date(9999, 12, 31)]),
        ([None], INSTANT, [None]),
        ([], INSTANT, []),
    ],
)
def test_text_is_read_as_what_it_says(texts: Any, wanted: pa.DataType, expected: Any) -> None:
    rules = Rules("date", "America/New_York")
    found = parse_text(pa.array(texts, pa.string()), wanted, rules)
    assert (found.type, found.to_pylist()) == (wanted, expected)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["1.5"], pa.int64()),
        (["0x1F"], pa.int64()),
        ([" 7"], pa.int64()),
        (["9223372036854775808"], pa.int64()),
        (["1,5"], pa.float64()),
        (["yes"], pa.bool_()),
        (["01.03.2024"], pa.date32()),
        (["0000-00-00"], INSTANT),
        (["0000-00-00"], pa.date32()),
        (["0000-01-01"], pa.date32()),
        (["20000-01-01"], pa.date32()),
        (["0000-01-01T00:00Z"], INSTANT),
        (["20000-01-01T00:00Z"], INSTANT),
        (["infinity"], INSTANT),
        (["2024-03-01T23:59:60Z"], INSTANT),
        (["2024-03-01T24:00:00Z"], INSTANT),
        (["2024-03-01T10:00:00.123456789Z"], INSTANT),
        (["2024-03-01"], INSTANT),
        (["yesterday"], INSTANT),
        (["2024-03-01", "2024-03-01T00:00"], INSTANT),
        (["2024-03-01T00:00Z", "2024-03-01T00:00"], INSTANT),
    ],
)
def test_text_that_says_something_else_is_refused(texts: Any, wanted: pa.DataType) -> None:
    with pytest.raises(pa.ArrowInvalid):
        parse_text(pa.array(texts, pa.string()), wanted, Rules())


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        ("1709280000", INSTANT, "'1709280000' is no time in ISO 8601"),
        ("01/03/2024", INSTANT, "'01/03/2024' is no time in ISO 8601"),
        ("20240301T050000Z", INSTANT, "'20240301T050000Z' is no time in ISO 8601"),
        ("1.3.2024", pa.date32(), "'1.3.2024' is no day, as 2024-03-01"),
        ("1e3", pa.int64(), "'1e3' is no whole number of 64 bits"),
        ("++1", pa.int64(), r"'\+\+1' is no whole number"),
        ("1,5", pa.float64(), "'1,5' is no number"),
        ("1e400", pa.float64(), "'1e400' is too big for a float"),
        ("yes", pa.bool_(), "'yes' is no true, false, 1 or 0"),
    ],
)
def test_the_text_that_is_no_value_is_shown(text: str, wanted: pa.DataType, message: str) -> None:
    with pytest.raises(pa.ArrowInvalid, match=message):
        parse_text(pa.array([text]), wanted, Rules(timezone="UTC"))


def test_bytes_that_are_no_text_are_refused() -> None:
    for kind, stored in ((pa.string(), pa.binary()), (pa.large_string(), pa.large_binary())):
        wrong = pa.array([b"fine", b"\xff"], stored).view(kind)
        with pytest.raises(pa.ArrowInvalid, match="UTF8"):
            convert(wrong, pa.string(), Rules())
        with pytest.raises(pa.ArrowInvalid, match="UTF8"):
            convert(wrong.dictionary_encode(), pa.string(), Rules())


# --- values of databases that give Python objects


def converted(spec: DatasetSpec, column: str, *values: Any) -> list[Any]:
    """Take the values as the only ones of their column through an extraction."""
    reader = SqlAlchemyReader(sa.make_url("sqlite://"), Request.of(spec, "2024-03-01"))
    rows = {field.name: pa.nulls(len(values), field.type) for field in arrow_schema(spec)}
    rows[column] = reader._column(values, arrow_schema(spec).field(column))
    batch = pa.RecordBatch.from_pydict(rows)
    result: list[Any] = plan_columns(spec, batch.schema).convert(batch)[column].to_pylist()
    return result


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("items", [2**63]),
        ("items", [1e30]),
        ("items", [float("nan")]),
        ("items", [Decimal("1.5")]),
        ("items", [True]),
        ("shop", ["a", b"a"]),
        ("shop", ["a", 1]),
        ("ordered_at", [datetime(2024, 3, 1)]),
        ("ordered_at", [datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 1)]),
        ("ordered_at", [date(2024, 3, 1)]),
        ("ordered_at", [timedelta(1)]),
    ],
)
def test_what_other_databases_may_give_is_not_guessed(
    tmp_path: Path, column: str, values: list[Any]
) -> None:
    with pytest.raises(SchemaMismatchError, match=f"column '{column}': the contract says"):
        converted(orders_dataset(tmp_path), column, None, *values)


def test_what_other_databases_give_is_taken(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, convert={"distance": "decimal"}, timezone="America/New_York")
    noon = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert converted(spec, "ordered_at", noon, None) == [noon.astimezone(UTC), None]
    local_noon = datetime(2024, 3, 1, 12)
    assert converted(spec, "ordered_at", local_noon) == [datetime(2024, 3, 1, 17, tzinfo=UTC)]
    assert converted(spec, "ordered_at", noon, local_noon) == [
        noon.astimezone(UTC),
        datetime(2024, 3, 1, 17, tzinfo=UTC),
    ]
    assert converted(spec, "items", 2**53 + 1, 2.0) == [2**53 + 1, 2]
    assert converted(spec, "distance", Decimal("1.5"), None) == [1.5, None]
    assert converted(spec, "express", 1, 0, True, None) == [True, False, True, None]
    days = orders_dataset(tmp_path, columns={"order_id": "string", "due": "date?"})
    assert converted(days, "due", date(2024, 3, 1), None) == [date(2024, 3, 1), None]
    assert converted(days, "due", "2024-03-01") == [date(2024, 3, 1)]
    with pytest.raises(SchemaMismatchError, match="datetime found"):
        converted(days, "due", datetime(2024, 3, 1))


# --- columns


def test_every_column_that_differs_is_named_with_old_and_new(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path)
    found = arrow_schema(spec)
    for name, kind in [("items", pa.float64()), ("zone", pa.int64()), ("distance", pa.float32())]:
        index = found.get_field_index(name)
        found = found.set(index, pa.field(name, kind))
    with pytest.raises(SchemaMismatchError) as error:
        plan_columns(spec, found)
    text = str(error.value)
    assert "column 'items': the contract says 'int64', the source has double" in text
    assert "column 'zone': the contract says 'string', the source has int64" in text
    assert "'distance'" not in text


def test_a_column_beyond_the_contract_is_widened_or_left_out_as_the_table_has_it(
    tmp_path: Path,
) -> None:
    spec = orders_dataset(tmp_path)
    table = arrow_schema(spec).append(pa.field("weight", pa.float64()))
    small = arrow_schema(spec).append(pa.field("weight", pa.float32()))
    assert plan_columns(spec, small, table).schema.field("weight").type == pa.float64()
    text = arrow_schema(spec).append(pa.field("weight", pa.string()))
    plan = plan_columns(spec, text, table)
    assert plan.schema.field("weight").type == pa.float64()
    assert plan.kept == frozenset()
    assert plan.notes[0].startswith(
        "column 'weight' (string) is not kept: it is double, and string"
    )


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (pa.int16(), pa.int64()),
        (pa.uint64(), None),
        (pa.float32(), pa.float64()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.date64(), pa.date32()),
        (pa.timestamp("ns", tz="Asia/Tokyo"), INSTANT),
        (pa.timestamp("us"), None),
        (pa.decimal128(5, 2), None),
        (pa.list_(pa.int64()), None),
        (pa.null(), None),
    ],
)
def test_columns_beyond_the_contract_have_few_types(
    found: pa.DataType, kept: pa.DataType | None
) -> None:
    assert lake_type(found, Rules()) == kept


def test_local_times_beyond_the_contract_are_kept_where_the_zone_is_known() -> None:
    assert lake_type(pa.timestamp("us"), NEW_YORK) == INSTANT


# --- days


def test_a_day_with_a_clock_change_has_another_length() -> None:
    spring, autumn = (
        Partition("2024-03-10", "America/New_York"),
        Partition("2024-11-03", "America/New_York"),
    )
    assert spring.end - spring.start == timedelta(hours=23)
    assert autumn.end - autumn.start == timedelta(hours=25)
    assert Partition("2024-03-10").start == datetime(2024, 3, 10, tzinfo=UTC)


def test_a_day_whose_midnight_never_was_begins_with_its_first_instant() -> None:
    day = Partition("2018-11-04", "America/Sao_Paulo")
    assert day.start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert day.end == datetime(2018, 11, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(("day", "zone"), [("9999-12-31", "UTC"), ("0001-01-01", "Asia/Kolkata")])
def test_a_day_at_the_end_of_all_years_is_refused(day: str, zone: str) -> None:
    with pytest.raises(PartitionKeyError, match=f"day {day} in {zone} does not lie within"):
        _ = Partition(day, zone).start, Partition(day, zone).end
