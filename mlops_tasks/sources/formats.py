"""File formats: what columns a file has, and its rows batch by batch."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.conversion import parse_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.source_spec import FileSource
    from mlops_tasks.sources.failures import Failures

__all__ = ["OPEN", "Opened", "open_csv", "open_jsonl", "open_parquet"]

_BATCH_ROWS = 65_536
_BLOCK_BYTES = 2**20
_SAMPLE_LINES = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose columns are known.

    Attributes
    ----------
    path : str
        Within its file system.
    size : int
        Bytes.
    schema : Schema
        Its columns.
    batches : callable
        Reads the rows, from the beginning.
    """

    path: str
    size: int
    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]


def open_parquet(
    filesystem: Any, path: str, source: FileSource, known: pa.Schema, failures: Failures
) -> Opened:
    """Open a Parquet file; its own types count, damaged pages are noticed where it has checksums.

    Parameters
    ----------
    filesystem : FileSystem
        Where.
    path : str
        Which file.
    source : FileSource
        Not needed here.
    known : Schema
        Not needed here.
    failures : Failures
        Makes the errors.

    Returns
    -------
    Opened
        The file; one row group's columns are in memory page by page, not whole.
    """
    import pyarrow.parquet as pq

    options = {"pre_buffer": False, "buffer_size": _BLOCK_BYTES, "page_checksum_verification": True}

    def batches() -> Iterator[pa.RecordBatch]:
        with (
            _reported(path, failures),
            pq.ParquetFile(path, filesystem=filesystem, **options) as file,
        ):
            yield from file.iter_batches(_BATCH_ROWS, use_threads=False)

    with _reported(path, failures), pq.ParquetFile(path, filesystem=filesystem, **options) as file:
        schema = file.schema_arrow
    return Opened(path, _size(filesystem, path), schema, batches)


def open_csv(
    filesystem: Any, path: str, source: FileSource, known: pa.Schema, failures: Failures
) -> Opened:
    """Open a CSV file; types come from the contract, never from the look of the values.

    Parameters
    ----------
    filesystem : FileSystem
        Where.
    path : str
        Which file.
    source : FileSource
        Says the delimiter.
    known : Schema
        Types of the columns; others are text. An empty value is null, unless the column is text
        that may not be null: then it is empty text.
    failures : Failures
        Makes the errors.

    Returns
    -------
    Opened
        The file.
    """
    import pyarrow as pa
    from pyarrow import csv

    parsing = csv.ParseOptions(delimiter=source.delimiter, newlines_in_values=True)
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)

    def reader(names: list[str]) -> Any:
        as_text = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[],
            strings_can_be_null=False,
        )
        return csv.open_csv(filesystem.open_input_stream(path), reading, parsing, as_text)

    def batches() -> Iterator[pa.RecordBatch]:
        with _reported(path, failures), reader(schema.names) as rows:
            for texts in rows:
                yield _parsed(texts, schema, path, failures)

    with _reported(path, failures), reader([]) as rows:
        names = rows.schema.names
    schema = pa.schema([_field(name, known) for name in names])
    return Opened(path, _size(filesystem, path), schema, batches)


def open_jsonl(
    filesystem: Any, path: str, source: FileSource, known: pa.Schema, failures: Failures
) -> Opened:
    """Open a file with one JSON object a line.

    Parameters
    ----------
    filesystem : FileSystem
        Where.
    path : str
        Which file.
    source : FileSource
        Not needed here.
    known : Schema
        Types of the columns; JSON has numbers, text and booleans, times are text.
    failures : Failures
        Makes the errors.

    Returns
    -------
    Opened
        The file. Its columns are the names in its first 1,000 lines; a name that is not among
        them is no column, and is said in the log if it turns up later.
    """
    with _reported(path, failures):
        schema = _sampled(filesystem, path, known)

    def batches() -> Iterator[pa.RecordBatch]:
        late: set[str] = set()
        with _reported(path, failures), filesystem.open_input_stream(path) as stream:
            for block in _blocks(stream):
                rows = _objects(block, schema, path, failures)
                late |= set(rows.schema.names) - set(schema.names)
                yield _parsed(rows, schema, path, failures)
        if late:
            log.warning("%s: %s begin after the first lines and are not kept", path, sorted(late))

    return Opened(path, _size(filesystem, path), schema, batches)


OPEN = {"csv": open_csv, "jsonl": open_jsonl, "parquet": open_parquet}


def _field(name: str, known: pa.Schema) -> pa.Field:
    import pyarrow as pa

    return known.field(name) if name in known.names else pa.field(name, pa.string())


def _parsed(
    texts: pa.RecordBatch, schema: pa.Schema, path: str, failures: Failures
) -> pa.RecordBatch:
    """Read the columns that are still text as what they are declared to be."""
    import pyarrow as pa

    arrays = []
    for field in schema:
        try:
            arrays.append(_column(texts.column(field.name), field))
        except pa.ArrowInvalid as error:
            raise failures.value(field.name, field.type, f"{error} (file {path})") from error
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)


def _column(array: pa.Array, field: pa.Field) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(array.type):
        return array
    is_text = pa.types.is_string(field.type)
    if field.nullable or not is_text:
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    return array if is_text else parse_text(array, field.type)


def _sampled(filesystem: Any, path: str, known: pa.Schema) -> pa.Schema:
    """Take the columns from the first lines."""
    import pyarrow as pa

    kinds: dict[str, set[type]] = {}
    with filesystem.open_input_stream(path) as stream:
        block = next(_blocks(stream), b"")
    for line in block.splitlines()[:_SAMPLE_LINES]:
        if line.strip():
            row = _object(line)
            for name, value in row.items():
                kinds.setdefault(name, set()).add(type(value))
    fields = [
        known.field(name) if name in known.names else pa.field(name, _json_type(found))
        for name, found in kinds.items()
    ]
    return pa.schema(fields)


def _object(line: bytes) -> dict[str, Any]:
    import pyarrow as pa

    try:
        row = json.loads(line)
    except ValueError as error:
        raise pa.ArrowInvalid(f"a line is no JSON: {error}") from None
    if not isinstance(row, dict):
        raise pa.ArrowInvalid("a line is no JSON object")
    return row


def _json_type(found: set[type]) -> pa.DataType:
    import pyarrow as pa

    kinds = found - {type(None)}
    if kinds == {int, float}:
        return pa.float64()
    scalars = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    if not kinds:
        return pa.null()
    return scalars.get(next(iter(kinds)), pa.binary()) if len(kinds) == 1 else pa.binary()


def _objects(block: bytes, schema: pa.Schema, path: str, failures: Failures) -> pa.RecordBatch:
    """Read a block of lines; names that no column has are read along, to be told."""
    import pyarrow as pa

    kinds = {field.name: _json_kind(field.type) for field in schema}
    wanted = pa.schema([(name, kind) for name, kind in kinds.items() if kind is not None])
    try:
        table = _read_json(block, wanted, "infer")
    except pa.ArrowInvalid:  # what no column has may hold anything
        try:
            table = _read_json(block, wanted, "ignore")
        except pa.ArrowInvalid as error:
            raise _culprit(block, wanted, path, failures) or error from error
    for name in set(schema.names) - set(table.schema.names):
        table = table.append_column(name, pa.nulls(len(table), schema.field(name).type))
    return table.combine_chunks().to_batches()[0]


def _json_kind(wanted: pa.DataType) -> pa.DataType | None:
    """Return the type in which JSON writes a column; None if the column is not read."""
    import pyarrow as pa

    if pa.types.is_binary(wanted) or pa.types.is_null(wanted):
        return None
    return pa.string() if pa.types.is_temporal(wanted) else wanted


def _read_json(block: bytes, wanted: pa.Schema, unexpected: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    parsing = arrow_json.ParseOptions(explicit_schema=wanted, unexpected_field_behavior=unexpected)
    reading = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    return arrow_json.read_json(pa.BufferReader(block), reading, parsing)


def _culprit(block: bytes, wanted: pa.Schema, path: str, failures: Failures) -> MlopsError | None:
    """Find the column that cannot be read; Arrow does not always say."""
    import pyarrow as pa

    for field in wanted:
        try:
            _read_json(block, pa.schema([field]), "ignore")
        except pa.ArrowInvalid as error:
            if any(part in str(error) for part in ("changed from", "convert")):
                return failures.value(field.name, field.type, f"{error} (file {path})")
    return None


def _blocks(stream: Any) -> Iterator[bytes]:
    """Cut a stream into blocks of whole lines."""
    rest, mark = b"", _BYTE_ORDER_MARK
    while data := stream.read(_BLOCK_BYTES):
        data, mark = data.removeprefix(mark), b""
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            yield rest + head + newline
            rest = tail
        else:
            rest += tail
    if rest.strip():
        yield rest


@contextmanager
def _reported(path: str, failures: Failures) -> Iterator[None]:
    """Name the file in what Arrow says about its content."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise failures.content(path, error) from error
    except OSError as error:  # Arrow's own have no number
        if error.errno is None and type(error) is OSError and "AWS Error" not in str(error):
            raise failures.content(path, error) from error
        raise


def _size(filesystem: Any, path: str) -> int:
    return int(filesystem.get_file_info(path).size or 0)
