"""Files and Delta tables in a real S3 server, by an Airflow connection."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from pyarrow import csv, fs

from mlops_airflow.hooks.source import SourceHook
from mlops_tasks.exceptions import (
    MlopsError,
    SourceAccessError,
    SourceNotFoundError,
    SourceUnavailableError,
)
from mlops_tasks.lake import Lake
from mlops_tasks.sources import ColumnPlan
from mlops_tasks.specs.source import DeltaSource, FileSource
from mlops_tasks.steps.ingest import ingest
from tests.system import servers
from tests.system.extraction import DAY, dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.steps.ingest import IngestResult

KEY, SECRET = "landing-key", "l4nding/secret+x"
COLUMNS = {"order_id": "string", "items": "int64", "note": "string?"}
PARQUET = FileSource(conn_id="shop_source", path="orders/{partition}/*.parquet")


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    with servers.object_store() as running:
        yield running


@pytest.fixture(scope="module")
def bucket(server: servers.Server) -> fs.S3FileSystem:
    """Return the file system of the one who delivers, with three kinds of files of one day."""
    made = store(server)
    fill(made)
    return made


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def store(server: servers.Server) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=KEY,
        secret_key=SECRET,
        endpoint_override=f"{server.host}:{server.port}",
        scheme="http",
        allow_bucket_creation=True,
        allow_delayed_open=True,  # small files in one request: moto fails on a part's checksum
    )


def rows(first: int, n: int) -> pa.Table:
    numbers = range(first, first + n)
    ids, notes = [f"{i:09}" for i in numbers], [None if i % 3 else f"ä {i}" for i in numbers]
    return pa.table({"order_id": ids, "items": pa.array(numbers, pa.int64()), "note": notes})


def fill(bucket: fs.S3FileSystem, n: int = 500) -> None:
    bucket.create_dir("landing")
    for number in range(2):
        path = f"landing/shop/orders/{DAY}/part-{number}.parquet"
        pq.write_table(rows(number * n, n), path, filesystem=bucket)
    pq.write_table(rows(0, 9), "landing/shop/orders/2024-03-02/x.parquet", filesystem=bucket)
    with bucket.open_output_stream(f"landing/shop/{DAY}.csv") as stream:
        csv.write_csv(rows(0, n), stream)


@pytest.fixture
def connect(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_it(**changes: Any) -> None:
        extra = {
            "path": "s3://landing/shop",
            "endpoint_url": f"http://{server.host}:{server.port}",
            "region_name": "us-east-1",
        }
        extra |= changes.pop("extra", {})
        fields = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra} | changes
        monkeypatch.setenv("AIRFLOW_CONN_SHOP_SOURCE", json.dumps(fields))

    set_it()
    return set_it


def take(tmp_path: Path, lake: Lake, source: Any = PARQUET) -> IngestResult:
    spec = dataset(tmp_path, source, columns=COLUMNS)
    connection = SourceHook("shop_source").get_source(source)
    return ingest(spec, DAY, source=connection, lake=lake, token=1)


def raw(lake: Lake) -> pa.Table:
    return lake.table("orders__raw").read(first=DAY, last=DAY).sort_by("order_id")


def fails(error: type[MlopsError], tmp_path: Path, lake: Lake, source: Any = PARQUET) -> str:
    """Run it; nothing is published, and the secret is nowhere in what a person may read."""
    with pytest.raises(error) as raised:
        take(tmp_path, lake, source)
    assert lake.table("orders__raw").partitions() == []
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    return str(raised.value)


def test_the_files_of_a_day_are_taken(
    tmp_path: Path, lake: Lake, bucket: Any, connect: Any
) -> None:
    result = take(tmp_path, lake)
    assert raw(lake) == rows(0, 1000)
    assert result.described.startswith("2 parquet files")


def test_a_csv_is_taken(tmp_path: Path, lake: Lake, bucket: Any, connect: Any) -> None:
    source = FileSource(conn_id="shop_source", path="{partition}.csv", format="csv")
    take(tmp_path, lake, source)
    assert raw(lake) == rows(0, 500)


def test_a_delta_table_is_taken(
    tmp_path: Path, lake: Lake, server: servers.Server, bucket: Any, connect: Any
) -> None:
    source = DeltaSource(conn_id="shop_source", path="table", time_column="day")
    options = SourceHook("shop_source").get_source(source).options  # type: ignore[union-attr]
    table = rows(0, 100).append_column("day", pa.array([DAY] * 60 + ["2024-03-02"] * 40))
    write_deltalake(
        "s3://landing/shop/table",
        table,
        storage_options={**options, "AWS_S3_ALLOW_UNSAFE_RENAME": "true"},
    )
    take(tmp_path, lake, source)
    assert raw(lake).drop(["day"]) == rows(0, 60)
    gone = DeltaSource(conn_id="shop_source", path="nowhere", time_column="day")
    other = Lake(tmp_path / "other")
    assert "nowhere" in fails(SourceNotFoundError, tmp_path, other, gone)


def test_a_day_without_files_is_named(
    tmp_path: Path, lake: Lake, bucket: Any, connect: Any
) -> None:
    for path in ("orders/{partition}/*.csv", "nowhere/{partition}", "{partition}.parquet"):
        source = FileSource(conn_id="shop_source", path=path)
        assert DAY in fails(SourceNotFoundError, tmp_path, lake, source)


def test_a_bucket_that_is_not_there_is_named(
    tmp_path: Path, lake: Lake, bucket: Any, connect: Any
) -> None:
    connect(extra={"path": "s3://no-such-bucket/shop"})
    assert "no-such-bucket" in fails(SourceNotFoundError, tmp_path, lake)


def test_a_server_that_is_not_there_is_worth_a_retry(
    tmp_path: Path, lake: Lake, bucket: Any, connect: Any
) -> None:
    connect(extra={"endpoint_url": "http://127.0.0.1:1"})
    assert "does not answer" in fails(SourceUnavailableError, tmp_path, lake)
    source = DeltaSource(conn_id="shop_source", path="table", time_column="day")
    assert "does not answer" in fails(SourceUnavailableError, tmp_path, lake, source)


def test_a_server_killed_in_the_middle_publishes_nothing(
    tmp_path: Path, lake: Lake, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = ColumnPlan.convert
    with servers.object_store() as doomed:
        fill(store(doomed), n=200_000)
        connect(extra={"endpoint_url": f"http://{doomed.host}:{doomed.port}"})

        def killing(plan: ColumnPlan, batch: Any) -> Any:
            doomed.kill()
            return convert(plan, batch)

        monkeypatch.setattr(ColumnPlan, "convert", killing)
        text = fails(SourceUnavailableError, tmp_path, lake)
    assert "does not answer" in text
    assert not list(lake.root.rglob("*.parquet*")), "files of the broken attempt are left"


def test_a_refused_key_is_not_tried_again(
    tmp_path: Path, lake: Lake, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INITIAL_NO_AUTH_ACTION_COUNT", "0")  # from the first call on, check keys
    with servers.object_store() as strict:
        connect(extra={"endpoint_url": f"http://{strict.host}:{strict.port}"})
        assert "cannot be used" in fails(SourceAccessError, tmp_path, lake)
        source = DeltaSource(conn_id="shop_source", path="table", time_column="day")
        assert "cannot be used" in fails(SourceAccessError, tmp_path, lake, source)
