"""Tables without time: taken whole on each day, in time or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pc
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from pyarrow import fs

from mlops_tasks.exceptions import SourceNotFoundError, SpecError
from mlops_tasks.sources import Database, DeltaStore, FileStore
from mlops_tasks.specs import DatasetSpec, InputSpec
from mlops_tasks.specs.source import DeltaSource, FileSource, SqlSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.machines import failures, project, readings

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.sources import Source
    from mlops_tasks.specs import SourceSpec

WHOLE = {"conn_id": "shop", "snapshot": True}
PRICES = {"product": ["bread", "milk"], "price": [2.5, 1.25]}


def prices(folder: Path, source: SourceSpec, **changes: Any) -> DatasetSpec:
    suite = folder / "prices.json"
    suite.write_text('{"name": "prices", "expectations": []}')
    fields: dict[str, Any] = {
        "name": "prices",
        "description": "What each product costs.",
        "source": source,
        "columns": {"product": "string", "price": "float64"},
        "key": ("product",),
        "expectations": suite,
        "start": date(2024, 1, 1),
        "cron": "0 0 * * *",
    }
    return DatasetSpec(**fields | changes)


def days_ago(n: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=n)).isoformat()


def database(folder: Path) -> Database:
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE prices (product TEXT NOT NULL, price REAL)")
        rows = zip(*PRICES.values(), strict=True)
        connection.executemany("INSERT INTO prices VALUES (?, ?)", rows)
    return Database(sa.make_url(f"sqlite:///{folder}/shop.db"))


def files(folder: Path) -> FileStore:
    pc.write_csv(pa.table(PRICES), folder / "prices.csv")
    return FileStore(fs.LocalFileSystem(), str(folder))


def delta(folder: Path) -> DeltaStore:
    write_deltalake(folder / "prices", pa.table(PRICES))
    return DeltaStore(str(folder))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (SqlSource(table="prices", **WHOLE), database),
        (SqlSource(query="SELECT * FROM prices", **WHOLE), database),
        (FileSource(path="prices.csv", format="csv", **WHOLE), files),
        (DeltaSource(path="prices", **WHOLE), delta),
    ],
    ids=["table", "query", "file", "delta"],
)
def test_all_rows_are_taken_on_each_day(
    source: SourceSpec, place: Any, lake: Lake, tmp_path: Path
) -> None:
    spec, shop = prices(tmp_path, source), place(tmp_path)
    for token, key in enumerate((days_ago(1), days_ago(0)), 1):  # the newest, and today's so far
        result = ingest(spec, key, source=shop, lake=lake, token=token)
        assert result.raw.n_rows == 2
    rows = lake.table("prices__raw").read(first=days_ago(0), last=days_ago(0))
    assert sorted(rows.to_pylist(), key=lambda row: row["product"]) == [
        {"product": "bread", "price": 2.5},
        {"product": "milk", "price": 1.25},
    ]


def test_a_day_that_was_missed_is_never_taken_later(lake: Lake, tmp_path: Path) -> None:
    shop: Source = database(tmp_path)
    spec = prices(tmp_path, SqlSource(table="prices", **WHOLE))
    with pytest.raises(SourceNotFoundError, match=f"{days_ago(2)} was not taken in time") as error:
        ingest(spec, days_ago(2), source=shop, lake=lake, token=1, known_at=days_ago(1))
    assert f"shows the state of {days_ago(1)} by now" in str(error.value)
    assert not lake.table("prices__raw").exists
    late = prices(tmp_path, SqlSource(table="prices", **WHOLE), delay="1d")
    assert ingest(late, days_ago(2), source=shop, lake=lake, token=1).raw.n_rows == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SqlSource(table="prices", time_column="at", **WHOLE), "remove `time_column`"),
        (lambda: SqlSource(query="SELECT :partition", **WHOLE), r"must not bind \[':partition'\]"),
        (lambda: FileSource(path="{partition}.csv", **WHOLE), r"path has \['partition'\]"),
        (lambda: SqlSource(conn_id="shop", table="prices"), "by `snapshot=True`"),
        (lambda: FileSource(conn_id="shop", path="prices.csv"), "snapshot=True"),
        (lambda: DeltaSource(conn_id="shop", path="prices"), "snapshot=True"),
    ],
    ids=["time", "parameter", "day of path", "table", "file", "delta"],
)
def test_what_says_a_day_is_no_snapshot_and_the_other_way_round(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_a_snapshot_is_never_taken_again(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a snapshot shows no day but the newest"):
        prices(tmp_path, SqlSource(table="prices", **WHOLE), refresh_after="1d")


def test_a_model_reads_it_as_of_each_row_and_does_not_wait_for_it(tmp_path: Path) -> None:
    whole = prices(tmp_path, SqlSource(table="prices", **WHOLE), timezone="UTC")
    rows = readings(tmp_path, grain="day", timezone="UTC")
    label = failures(tmp_path, grain="day", timezone="UTC")
    spec = project(
        tmp_path,
        "day",
        inputs=(InputSpec(dataset=rows), InputSpec(dataset=whole)),
        label={"dataset": label, "target": "failed"},
        observed_at=("price_known_at",),
    )
    assert [spec.is_snapshot(item) for item in spec.inputs] == [False, True]
    assert [dataset.name for dataset in spec.triggers] == [rows.name]
    scored = project(
        tmp_path,
        "day",
        inputs=(InputSpec(dataset=rows.model_copy(update={"source": whole.source})),),
        label={"dataset": label, "target": "failed"},
    )
    assert len(scored.triggers) == 1, "rows that are scored every day are waited for"
    with pytest.raises(SpecError, match="select the labels of each partition"):
        project(
            tmp_path,
            "day",
            inputs=(InputSpec(dataset=rows),),
            label={"dataset": label.model_copy(update={"source": whole.source}), "target": "1"},
        )
