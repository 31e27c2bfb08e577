"""CSV files: types come from the contract, never from the look of the values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.csv_blocks import first_row, row_blocks
from mlops_tasks.sources.formats import BLOCK_BYTES, OpenedFile, naming
from mlops_tasks.sources.text_values import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs.source import FileSource

__all__ = ["open_csv"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_ENDS = b"\r\n"
_ROW = re.compile(r"Row #(\d+)")


def open_csv(
    filesystem: Any, paths: Sequence[str], request: Request[FileSource]
) -> list[OpenedFile]:
    """Open CSV files.

    A column whose type is not known is text. An empty value is null, unless the column is text that
    may not be null: then it is empty text.
    """
    return [_opened(filesystem, path, request) for path in paths]


def _opened(filesystem: Any, path: str, request: Request[FileSource]) -> OpenedFile:
    import pyarrow as pa

    delimiter, errors = request.source.delimiter, request.errors

    def batches() -> Iterator[pa.RecordBatch]:
        with naming(path, errors), filesystem.open_input_stream(path) as stream:
            for texts in _texts(row_blocks(stream, delimiter, BLOCK_BYTES), delimiter, names):
                yield _parsed(texts, schema, request, path)

    with naming(path, errors), filesystem.open_input_stream(path) as stream:
        names = _header(next(row_blocks(stream, delimiter, BLOCK_BYTES), b""), delimiter)
    schema = pa.schema([_field(name, request) for name in names])
    return OpenedFile(path, schema, batches)


def _header(block: bytes, delimiter: str) -> list[str]:
    """Return the names in the first row."""
    row = first_row(block, delimiter)
    if not row.strip(_LINE_ENDS):
        raise ValueError("it is empty: there is not even a row that names the columns")
    return [column[0].as_py() for column in _read(row, delimiter).columns]


def _texts(
    blocks: Iterator[bytes], delimiter: str, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read all values as the texts that they are."""
    n_before = 0
    for number, block in enumerate(blocks):
        if not number:
            block = block[len(first_row(block, delimiter)) :]
        if block.strip(_LINE_ENDS):
            texts = _read(block, delimiter, len(names), n_before)
            _refuse_second_header(texts, names, n_before)
            n_before += texts.num_rows
            yield texts


def _read(
    block: bytes, delimiter: str, n_columns: int | None = None, n_before: int = 0
) -> pa.RecordBatch:
    """Read whole rows; a number of columns is kept, or any is taken."""
    import pyarrow as pa
    from pyarrow import csv

    if block.startswith(_BYTE_ORDER_MARK):  # Arrow would leave it out; it is part of a value here
        block = b"\n" + block
    if not block.endswith((b"\n", b"\r")):  # without it Arrow finds no columns in a single row
        block += b"\n"
    names = None if n_columns is None else [str(number) for number in range(n_columns)]
    reading = csv.ReadOptions(
        block_size=len(block) + 1,
        use_threads=False,
        column_names=names,
        autogenerate_column_names=names is None,
    )
    parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    as_text = csv.ConvertOptions(
        default_column_type=pa.string(), null_values=[], strings_can_be_null=False
    )
    try:
        table = csv.read_csv(pa.BufferReader(block), reading, parsing, as_text)
    except pa.ArrowInvalid as error:
        raise ValueError(_counted(str(error), n_before)) from None
    return table.combine_chunks().to_batches()[0]


def _refuse_second_header(texts: pa.RecordBatch, names: Sequence[str], n_before: int) -> None:
    """Refuse a row that is the header again, as in files that were joined."""
    import pyarrow as pa
    import pyarrow.compute as pc

    again = pa.array([len(names) > 1] * len(texts))  # a single name may well be a value
    for column, name in zip(texts.columns, names, strict=True):
        if not again.true_count:
            return
        again = pc.and_(again, pc.equal(column, name))
    if again.true_count:
        row = n_before + again.index(True).as_py() + 1
        raise ValueError(f"row {row} below the header names the columns again; were files joined?")


def _counted(text: str, n_before: int) -> str:
    """Count the rows of the file, not of the block."""
    return _ROW.sub(lambda found: f"row {n_before + int(found[1])} below the header", text, count=1)


def _field(name: str, request: Request[FileSource]) -> pa.Field:
    import pyarrow as pa

    return request.schema.field(name) if request.knows(name) else pa.field(name, pa.string())


def _parsed(
    texts: pa.RecordBatch, schema: pa.Schema, request: Request[FileSource], path: str
) -> pa.RecordBatch:
    """Read texts as what their columns are declared to be."""
    import pyarrow as pa

    arrays = []
    for column, field in zip(texts.columns, schema, strict=True):
        try:
            arrays.append(_column(column, field, request))
        except pa.ArrowInvalid as error:
            raise request.errors.value(field.name, field.type, f"{error} (file {path})") from error
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)


def _column(array: pa.Array, field: pa.Field, request: Request[FileSource]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_text = pa.types.is_string(field.type)
    if field.nullable or not is_text:
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    return array if is_text else parse_text(array, field.type, request.rules(field.name))
