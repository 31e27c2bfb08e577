"""All rows of a source in a DuckDB of their own, in the types that the source declares."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold.file_layout import FileLayout, find_layout
from mlops_tasks.scaffold.sql_text import quoted
from mlops_tasks.sources import Database, Request, UnfitColumnError
from mlops_tasks.sources.conversion import type_name
from mlops_tasks.specs import DatasetSpec, SqlSource
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from mlops_tasks.scaffold.locations import Location

__all__ = [
    "PARTITION",
    "Loaded",
    "load_files",
    "load_query",
    "load_table",
    "tables_of",
    "workspace",
]

#: Column beside those of files: the key that their path names.
PARTITION = "__partition"
#: Beyond, what is looked at is a part, and is reported as one.
MAX_ROWS = 5_000_000
_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}(\.[A-Za-z_][A-Za-z0-9_]{0,127}){0,2}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows in a table of DuckDB.

    Attributes
    ----------
    connection : DuckDBPyConnection
        The database.
    table : str
        The table.
    what : str
        What people call it, for messages: ``table 'orders'``.
    name : str
        What the dataset may be called.
    n_rows : int
        Rows in it.
    is_whole : bool
        Whether these are all rows of the source.
    declared : dict of str to str
        Columns that the source calls something else than DuckDB does: ``decimal``.
    mixed : dict of str to str
        Columns with values of several types, which no contract takes.
    layout : FileLayout or None
        Of files, how they are named.
    delimiter : str
        Of CSV files.
    """

    connection: DuckDBPyConnection
    table: str
    what: str
    name: str
    n_rows: int
    is_whole: bool = True
    declared: dict[str, str] = field(default_factory=dict)
    mixed: dict[str, str] = field(default_factory=dict)
    layout: FileLayout | None = None
    delimiter: str = ","

    @property
    def types(self) -> dict[str, str]:
        """The columns, as DuckDB has them."""
        rows = self.connection.execute(f"DESCRIBE {quoted(self.table)}").fetchall()
        return {row[0]: row[1] for row in rows if row[0] != PARTITION}


@contextmanager
def workspace() -> Iterator[DuckDBPyConnection]:
    """Open a database for what is looked at; it spills to disk and is gone at the end."""
    import tempfile

    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="scaffold-") as folder,
        duckdb.connect(str(Path(folder, "rows.duckdb"))) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        yield connection


def load_table(
    workspace: DuckDBPyConnection, location: Location, model: str, table: str, into: str
) -> Loaded:
    """Load a table or view of a database; names the tables there are if that is none of them."""
    database = Database.from_connection(location.connection)
    tables = tables_of(location, model)
    if table not in tables and table.rpartition(".")[2] not in tables and "." not in table:
        raise ScaffoldError(
            f"table {table!r} is not in the source; {did_you_mean(table, tables)}"
            if tables
            else "the source has no table at all; give another database"
        )
    if not _TABLE_NAME.fullmatch(table):
        raise ScaffoldError(
            f"table {table!r} has a name that needs quotes: give --query 'SELECT * FROM "
            f'"{table}"\' instead of --table'
        )
    quote = database.url.get_dialect()().identifier_preparer.quote
    rows = ".".join(quote(part) for part in table.split("."))
    return _load_sql(workspace, location, model, f"{rows}", f"table {table!r}", into, table)


def load_query(
    workspace: DuckDBPyConnection, location: Location, model: str, query: str, into: str
) -> Loaded:
    """Load what a query gives."""
    body = query.strip().rstrip(";")
    if re.search(r"(?<![:\w\\]):(\w+)\b(?!:(?!:))", body):
        raise ScaffoldError(
            "query: leave out :start, :end and :partition; the query is looked at whole, and the "
            "bounds of a partition are put around it"
        )
    return _load_sql(
        workspace, location, model, f"({body}) AS r", "the query", into, f"{model}_rows"
    )


def load_files(workspace: DuckDBPyConnection, root: Path, folder: str, into: str) -> Loaded:
    """Load the files of a folder; CSV as text, other formats in their own types."""
    layout = find_layout(root, folder)
    files = sorted(layout.partitions)
    delimiter = _delimiter(root / files[0]) if layout.format == "csv" else ","
    keys = [[str(root / file), layout.partitions[file]] for file in files]
    workspace.execute("CREATE OR REPLACE TEMP TABLE files (path VARCHAR, key VARCHAR)")
    workspace.executemany("INSERT INTO files VALUES (?, ?)", keys)
    read = {
        "csv": "read_csv(?, all_varchar = true, header = true, delim = ?, quote = '\"', "
        "union_by_name = true, filename = '__file')",
        "jsonl": "read_json(?, format = 'newline_delimited', union_by_name = true, "
        "maximum_depth = 2, sample_size = -1, filename = '__file')",
        "parquet": "read_parquet(?, union_by_name = true, filename = '__file')",
    }[layout.format]
    values: list[Any] = [[path for path, _ in keys]]
    values += [delimiter] if layout.format == "csv" else []
    what = f"folder {str(root / folder)!r}"
    try:
        workspace.execute(
            f"CREATE TABLE {quoted(into)} AS SELECT r.* EXCLUDE (__file), f.key AS {PARTITION} "
            f"FROM {read} AS r JOIN files AS f ON r.__file = f.path LIMIT {MAX_ROWS}",
            values,
        )
    except Exception as error:
        raise ScaffoldError(
            f"{what} cannot be read as {layout.format}: {str(error).splitlines()[0]}; correct the "
            "file, or leave it out of the folder"
        ) from None
    name = folder.strip("/").rpartition("/")[2] or root.name
    loaded = Loaded(workspace, into, what, name, _count(workspace, into))
    return _checked(
        Loaded(
            workspace,
            into,
            what,
            name,
            loaded.n_rows,
            loaded.n_rows < MAX_ROWS,
            layout=layout,
            delimiter=delimiter,
        )
    )


def tables_of(location: Location, model: str) -> list[str]:
    """Return the tables and views of a database."""
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    database = Database.from_connection(location.connection)
    try:
        engine = sa.create_engine(database.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            return sorted([*inspector.get_table_names(), *inspector.get_view_names()])
    except (SQLAlchemyError, ArgumentError, ImportError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error)
        for secret in database.secrets:
            reason = reason.replace(secret, "***")
        raise ScaffoldError(
            f"the source of {model!r} cannot be opened: {reason}; correct --source, or install the "
            "driver (docs/how-to/sources.md)"
        ) from None


def _load_sql(
    workspace: DuckDBPyConnection,
    location: Location,
    model: str,
    rows: str,
    what: str,
    into: str,
    name: str,
) -> Loaded:
    # Bound as ingestion binds it, so that drivers, types and errors are those of ingestion.
    query = f"SELECT * FROM {rows} WHERE :partition <> ''"
    database = Database.from_connection(location.connection)
    source = SqlSource(conn_id=location.connection.conn_id, query=query)
    # No contract yet: every column is of the type that the source has.
    free: dict[str, Any] = {"columns": {}, "key": (), "grain": "day", "timezone": "UTC"}
    spec = DatasetSpec.model_construct(**free, name=model, source=source)
    request = Request.of(spec, "2000-01-01", secrets=database.secrets)
    declared: dict[str, str] = {}
    mixed: dict[str, str] = {}
    n_rows = 0
    try:
        with database.open(request) as stream:
            for column in stream.schema:
                _note_type(column, declared, mixed)
            for batch in stream.batches:
                _insert(workspace, into, batch, is_first=not n_rows)
                n_rows += batch.num_rows
                if n_rows >= MAX_ROWS:
                    break
    except UnfitColumnError as error:
        raise ScaffoldError(f"{what}: {error}") from None
    name = name.rpartition(".")[2]
    loaded = Loaded(workspace, into, what, name, n_rows, n_rows < MAX_ROWS, declared, mixed)
    return _checked(loaded)


def _note_type(column: pa.Field, declared: dict[str, str], mixed: dict[str, str]) -> None:
    import pyarrow as pa

    found = type_name(column)
    if pa.types.is_binary(column.type) and " and " in found:
        mixed[column.name] = found
    if pa.types.is_decimal(column.type) or found in ("numeric", "money"):
        declared[column.name] = "decimal"


def _insert(
    workspace: DuckDBPyConnection, into: str, batch: pa.RecordBatch, *, is_first: bool
) -> None:
    import pyarrow as pa

    arrays = [_plain(array) for array in batch.columns]
    workspace.register("batch", pa.Table.from_arrays(arrays, names=batch.schema.names))
    if is_first:
        workspace.execute(f"CREATE OR REPLACE TABLE {quoted(into)} AS SELECT * FROM batch")
    else:
        workspace.execute(f"INSERT INTO {quoted(into)} SELECT * FROM batch")
    workspace.unregister("batch")


def _plain(array: pa.Array) -> pa.Array:
    """Return values as DuckDB takes them; decimals of any size as their digits."""
    import pyarrow as pa

    if isinstance(array.type, pa.BaseExtensionType):
        return array.storage
    return array.cast(pa.string()) if pa.types.is_decimal(array.type) else array


def _checked(loaded: Loaded) -> Loaded:
    if not loaded.n_rows:
        raise ScaffoldError(
            f"{loaded.what} has no rows, so nothing can be seen of types, key and days; give a "
            "source with some days of rows"
        )
    return loaded


def _count(workspace: DuckDBPyConnection, table: str) -> int:
    found = workspace.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
    return int(found[0]) if found else 0


def _delimiter(file: Path) -> str:
    """Return what stands most often in the line that names the columns."""
    import pyarrow as pa

    with pa.input_stream(str(file)) as stream:
        head = stream.read(65_536).split(b"\n")[0].decode("utf-8", "replace")
    return max(",;\t|", key=head.count)
