"""A kind of source is a class of one protocol, the class of its spec, and one entry."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pyarrow as pa
import pytest

from mlops_airflow.hooks.source import SourceHook
from mlops_tasks.exceptions import SchemaMismatchError, SourceAccessError, SourceUnavailableError
from mlops_tasks.sources import SOURCES, SourceStream, unusable_connection
from mlops_tasks.sources.database import DIALECTS
from mlops_tasks.sources.errors import attempt, guarded
from mlops_tasks.sources.files import FORMATS
from mlops_tasks.specs import DeltaSource, FileSource, SourceSpec, SqlSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.lake import Lake
    from mlops_tasks.sources import Connection, Request


class IpcSource(SourceSpec):
    """Files of Arrow's own format, one for each day."""

    kind: Literal["ipc"] = "ipc"
    suffix: str = ".arrow"


@dataclass(frozen=True)
class IpcFolder:
    """A folder of such files."""

    folder: Path

    @property
    def secrets(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        if not connection.host:
            raise unusable_connection(connection.conn_id, "it has no host; set it to the folder")
        return cls(Path(connection.host))

    @contextmanager
    def open(self, request: Request[IpcSource]) -> Iterator[SourceStream]:
        path = self.folder / f"{request.partition.key}{request.source.suffix}"

        def explain(error: Exception) -> MlopsError | None:
            return request.errors.unavailable(error) if isinstance(error, OSError) else None

        with attempt(lambda: pa.ipc.open_stream(path), explain) as reader:
            yield SourceStream(reader.schema, guarded(reader, explain), f"Arrow file {path.name}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(SOURCES, "ipc", IpcFolder)
    folder = tmp_path / "drop"
    folder.mkdir()
    connection = {"conn_type": "file", "host": str(folder)}
    monkeypatch.setenv("AIRFLOW_CONN_DROP", json.dumps(connection))
    return folder


def taken(tmp_path: Path, lake: Lake, **changes: Any) -> list[Any]:
    source = IpcSource(conn_id="drop")
    columns = {"id": "string", "items": "int64"}
    spec = orders_dataset(tmp_path, source=source, columns=columns, key=("id",), **changes)
    found = SourceHook("drop").get_source(source)
    ingest(spec, day(0), source=found, lake=lake, token=1)
    return (
        lake.table("orders__raw").read(first=day(0), last=day(0)).select(list(columns)).to_pylist()
    )


def write(path: Path, rows: dict[str, pa.Array]) -> None:
    table = pa.table(rows)
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=1)


def test_a_kind_of_ones_own_is_taken_in(tmp_path: Path, folder: Path, lake: Lake) -> None:
    write(folder / f"{day(0)}.arrow", {"id": ["a", "b"], "items": pa.array([1, 2], pa.int16())})
    assert taken(tmp_path, lake) == [{"id": "a", "items": 1}, {"id": "b", "items": 2}]


def test_it_keeps_the_contract_like_any_other(tmp_path: Path, folder: Path, lake: Lake) -> None:
    write(folder / f"{day(0)}.arrow", {"id": ["a"], "items": ["x"]})
    with pytest.raises(SchemaMismatchError, match="column 'items': the contract says 'int64'"):
        taken(tmp_path, lake)


def test_its_errors_name_dataset_and_connection(
    tmp_path: Path, folder: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnavailableError, match=r"dataset 'orders': connection 'drop' does"):
        taken(tmp_path, lake)
    monkeypatch.setenv("AIRFLOW_CONN_DROP", json.dumps({"conn_type": "file"}))
    with pytest.raises(SourceAccessError, match="'drop' cannot be used: it has no host"):
        taken(tmp_path, lake)


def test_every_kind_dialect_and_format_is_listed() -> None:
    for spec in (DeltaSource, FileSource, SqlSource):
        assert spec.model_fields["kind"].default in SOURCES
    formats = FileSource.model_fields["format"].annotation
    assert set(FORMATS) == set(formats.__args__)  # type: ignore[union-attr]
    assert {"mariadb", "mysql", "postgresql", "sqlite"} == set(DIALECTS)
