"""What extractions from a real PostgreSQL and a real MariaDB have in common."""

from __future__ import annotations

import gc
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    SchemaMismatchError,
    SourceAccessError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.sources import ColumnPlan
from tests.system.extraction import peak_memory_mb, wide_query
from tests.system.shops import MARIADB, POSTGRES, WRONG_PASSWORD, Kind, Shop

if TYPE_CHECKING:
    from pathlib import Path

DIALECTS = [POSTGRES.dialect, MARIADB.dialect]

each_kind = pytest.mark.parametrize("kind", [POSTGRES, MARIADB], ids=DIALECTS)


def cases(postgres: list[Any], mariadb: list[Any]) -> list[Any]:
    """Name the kind of database that each case is for."""
    both = ((POSTGRES, postgres), (MARIADB, mariadb))
    return [
        pytest.param(kind, *case, id=f"{kind.dialect}-{'-'.join(map(str, case[:2]))}")
        for kind, some in both
        for case in some
    ]


@pytest.mark.parametrize(
    ("kind", "more"),
    [(POSTGRES, {}), (MARIADB, {"n": 1, "gift": True, "distance": 0.1})],
    ids=DIALECTS,
)
def test_types_are_kept_and_times_are_instants(shop: Shop, more: dict[str, Any]) -> None:
    first, second = shop.take(shop.orders(timezone="UTC"))
    assert first == {
        "order_id": "007",
        "ordered_at": datetime(2024, 3, 1, 8, 0, 0, 123456, UTC),
        "shipped_at": datetime(2024, 3, 1, 9, tzinfo=UTC),
        "due": date(2024, 3, 5),
        "items": 1,
        "distance": 0.5,
        "price": 1.1,
        "express": True,
        "note": 'ä → ß 😀\n"x" 100%',
        **more,
    }
    last = datetime(2024, 3, 1, 23, 59, 59, 999999, UTC)
    assert second == dict.fromkeys(shop.kind.columns) | {"order_id": "NA", "ordered_at": last}


@pytest.mark.parametrize(
    ("kind", "where", "expected"),
    cases(
        postgres=[
            ("ordered_at >= :start AND ordered_at < :end", ["007", "8", "NA"]),
            ("shipped_at >= :start AND shipped_at < :end", ["007"]),
            ("shipped_at >= :local_start AND shipped_at < :local_end", ["007"]),
            ("due > :local_start AND due <= :local_end", ["8"]),
            ("due = :partition", []),
            ("due - 4 = :partition::date -- the day", ["007"]),
            ("ordered_at::date::text = :partition;", ["007", "NA"]),
            (
                "ordered_at >= :start AND ordered_at < :end AND note LIKE '%\\:%' OR due = :end",
                ["8"],
            ),
        ],
        mariadb=[
            ("ordered_at >= :start AND ordered_at < :end", ["007", "8", "NA"]),
            ("shipped_at >= :local_start AND shipped_at < :local_end", ["007"]),
            ("due = :partition + INTERVAL 4 DAY AND note LIKE '%100%' -- the day", ["007"]),
            ("date(ordered_at) = :partition AND '12\\:30' > ''", ["007", "NA"]),
            ("due = :partition", []),
        ],
    ),
)
def test_the_day_is_bound_as_the_query_wants_it(
    shop: Shop, where: str, expected: list[str]
) -> None:
    zone = "UTC" if "ordered_at::date" in where else "America/New_York"
    spec = shop.orders(f"SELECT * FROM orders WHERE {where}", timezone=zone)
    if not expected:
        assert "no rows for" in shop.fails(EmptyPartitionError, spec)
        return
    assert [row["order_id"] for row in shop.take(spec)] == expected


TYPED = {
    POSTGRES.dialect: (
        "SELECT *, 'good'::mood AS mood, gen_random_uuid() AS id, '1.5'::money AS cash,"
        " array[1] AS tags FROM orders WHERE due BETWEEN :start AND :end OR true"
    ),
    MARIADB.dialect: (
        "SELECT *, x'ff' AS raw, time('10:00') AS at FROM orders"
        " WHERE ordered_at BETWEEN :start AND :end"
    ),
}


@pytest.mark.parametrize(
    ("kind", "column", "declared", "change", "parts"),
    cases(
        postgres=[
            ("price", "float64?", {"convert": {}}, ("numeric", "declare it in `convert`")),
            ("price", "string?", {"convert": {}}, ("numeric", "'string?'")),
            ("shipped_at", "timestamp?", {"timezone": None}, ("declare `timezone`",)),
            ("due", "timestamp?", {}, ("date", "`convert` and `timezone`")),
            ("items", "float64?", {}, ("int2", "'float64?'")),
            ("express", "int64?", {}, ("bool", "'int64?'")),
            ("note", "int64?", {}, ("text", "'int64?'")),
            ("id", "string", {}, ("uuid", "cast it in the query")),
            ("cash", "int64", {}, ("money", "numeric")),
            ("tags", "string", {}, ("_int4",)),
        ],
        mariadb=[
            ("price", "float64?", {"convert": {}}, ("decimal", "declare it in `convert`")),
            ("price", "string?", {"convert": {}}, ("decimal", "'string?'")),
            ("shipped_at", "timestamp?", {"timezone": None}, ("declare `timezone`",)),
            ("due", "timestamp?", {}, ("date", "`convert` and `timezone`")),
            ("items", "float64?", {}, ("int64", "'float64?'")),
            ("note", "int64?", {}, ("string", "'int64?'")),
            ("raw", "string", {}, ("binary", "'string'")),
            ("at", "string", {}, ("time64", "'string'")),
        ],
    ),
)
def test_another_type_is_named_before_a_row_is_read(
    shop: Shop, column: str, declared: str, change: Any, parts: tuple[str, ...]
) -> None:
    columns = shop.kind.columns | {column: declared}
    spec = shop.orders(TYPED[shop.kind.dialect], columns=columns, **change)
    text = shop.fails(SchemaMismatchError, spec)
    assert not [part for part in (f"column '{column}'", *parts) if part not in text], text


@pytest.mark.parametrize(
    ("kind", "value", "declared", "part"),
    cases(
        postgres=[
            ("'2024-03-10 02:30'::timestamp", "timestamp", "never was in America/New_York"),
            ("'2024-11-03 01:30'::timestamp", "timestamp", "ambiguous"),
            ("'infinity'::timestamp", "timestamp", "infinity"),
            ("'-infinity'::timestamptz", "timestamp", "infinity"),
        ],
        mariadb=[
            ("18446744073709551615", "int64", "18446744073709551615"),
            ("cast(2 AS signed)", "bool", "bool"),
            ("timestamp('2024-03-10 02:30')", "timestamp", "never was in America/New_York"),
            ("timestamp('2024-11-03 01:30')", "timestamp", "ambiguous"),
        ],
    ),
)
def test_a_value_that_has_no_place_is_refused(
    shop: Shop, value: str, declared: str, part: str
) -> None:
    query = f"SELECT '1' AS order_id, {value} AS x FROM orders WHERE :partition > ''"
    spec = shop.orders(query, columns={"order_id": "string", "x": declared})
    text = shop.fails(SchemaMismatchError, spec)
    assert "column 'x'" in text
    assert part in text


@pytest.mark.parametrize(
    ("kind", "query", "part"),
    cases(
        postgres=[
            ("SELECT * FROM nowhere WHERE :partition > ''", 'relation "nowhere" does not exist'),
            ("SELECT nothing FROM orders WHERE :partition > ''", 'column "nothing" does not exist'),
            ("SELECT 1/0 WHERE :partition > ''", "division by zero"),
            (
                "SELECT n::text AS order_id, 1/(200000 - n) FROM generate_series(1, 300000) n"
                " WHERE :partition > ''",
                "by zero",
            ),
            ("DELETE FROM orders WHERE order_id = :partition RETURNING *", "read-only transaction"),
            ("SELECT 1; DROP TABLE orders; SELECT :partition", "multiple commands"),
        ],
        mariadb=[
            ("SELECT * FROM nowhere WHERE :partition > ''", "nowhere' doesn't exist"),
            ("SELECT nothing FROM orders WHERE :partition > ''", "Unknown column 'nothing'"),
            ("SELEC :partition", "error in your SQL syntax"),
            ("DELETE FROM orders WHERE order_id = :partition", "READ ONLY transaction"),
            ("SELECT 1; DROP TABLE orders; SELECT :partition", "error in your SQL syntax"),
        ],
    ),
)
def test_what_the_server_refuses_is_told(shop: Shop, query: str, part: str) -> None:
    spec = shop.orders(query, columns={"order_id": "string"})
    text = shop.fails(SourceQueryError, spec)
    assert part in text
    assert "the source 'shop_source' cannot give 2024-03-01" in text
    assert len(shop.take(shop.orders())) == 3


@each_kind
def test_a_missing_column_of_the_contract_is_named(shop: Shop) -> None:
    spec = shop.orders(columns=shop.kind.columns | {"weight": "float64"})
    assert "no column ['weight']" in shop.fails(SchemaMismatchError, spec)


@pytest.mark.parametrize(
    ("kind", "refused", "unknown"),
    [
        (POSTGRES, "password authentication failed", 'database "nowhere" does not exist'),
        (MARIADB, "Access denied for user", "nowhere"),
    ],
    ids=DIALECTS,
)
def test_a_refused_login_is_not_tried_again(shop: Shop, refused: str, unknown: str) -> None:
    text = shop.fails(SourceAccessError, shop.orders(), password=WRONG_PASSWORD)
    assert refused in text
    assert unknown in shop.fails(SourceAccessError, shop.orders(), database="nowhere")


@each_kind
def test_a_server_that_is_not_there_is_worth_a_retry(shop: Shop) -> None:
    text = shop.fails(SourceUnavailableError, shop.orders(), port=1)
    assert "Connection refused" in text
    text = shop.fails(SourceUnavailableError, shop.orders(), host="no.such.invalid")
    assert "no.such.invalid" in text


@each_kind
def test_a_server_killed_in_the_middle_publishes_nothing(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = ColumnPlan.convert
    with kind.start() as doomed:

        def killing(plan: ColumnPlan, batch: Any) -> Any:
            doomed.kill()
            return convert(plan, batch)

        monkeypatch.setattr(ColumnPlan, "convert", killing)
        shop = Shop(kind, doomed, tmp_path)
        query, columns = wide_query(kind.dialect, 400_000)
        text = shop.fails(SourceUnavailableError, shop.orders(query, columns=columns))
    assert "does not answer" in text
    left = list(shop.lake.root.rglob("*.parquet*"))
    assert not left, "files of the broken attempt are left"
    gc.collect()  # what was left open would speak up now


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [(POSTGRES, (200_000, 1_000_000)), (MARIADB, (200_000,))],  # 34 and 170 MB
    ids=DIALECTS,
)
def test_memory_does_not_grow_with_the_partition(
    shop: Shop, sizes: tuple[int, ...], record_property: Any
) -> None:
    peaks = {}
    for n_rows in sizes:
        query, columns = wide_query(shop.kind.dialect, n_rows)
        folder = shop.folder / str(n_rows)
        peaks[n_rows] = peak_memory_mb(folder, shop.database().url, query, columns, n_rows)
    record_property("peak_mb", peaks)
    assert max(peaks.values()) < 400, peaks
    assert peaks[sizes[-1]] < peaks[sizes[0]] + 80, peaks
