"""JSON lines: the contract says the types; those of other columns take a look at every line."""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.errors import UnfitColumnError, UnsurveyedError
from mlops_tasks.sources.formats import BLOCK_BYTES, OpenedFile, naming
from mlops_tasks.sources.jsonl_blocks import line_blocks, objects
from mlops_tasks.sources.text_values import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.sources.jsonl_blocks import Block
    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs.source import FileSource

__all__ = ["open_jsonl"]

# Beyond it neighbouring integers are the same float.
_EXACT_FLOAT = 2**53
_ROW = re.compile(r"in row (\d+)")


def open_jsonl(
    filesystem: Any, paths: Sequence[str], request: Request[FileSource]
) -> list[OpenedFile]:
    """Open files with one JSON object a line, all with the same columns.

    Those of the contract are there in any case, null where a line does not have them. Names and
    types of others are those of all lines of all files, see `Findings`. JSON has numbers, text and
    booleans; times are text.
    """
    others, errors = _Others(request.contract, request), request.errors
    if others.wanted:
        for path in paths:
            with naming(path, errors), filesystem.open_input_stream(path) as stream:
                blocks = line_blocks(stream, BLOCK_BYTES)
                others.look_at(blocks if request.findings.all_lines else islice(blocks, 1))
    schema = others.schema()

    def opened(path: str) -> OpenedFile:
        def batches() -> Iterator[pa.RecordBatch]:
            with naming(path, errors), filesystem.open_input_stream(path) as stream:
                for block in line_blocks(stream, BLOCK_BYTES):
                    yield _parsed(block, schema, others, path)

        return OpenedFile(path, schema, batches)

    return [opened(path) for path in paths]


def _parsed(block: Block, schema: pa.Schema, others: _Others, path: str) -> pa.RecordBatch:
    """Read a block's lines as the columns of a schema."""
    import pyarrow as pa

    wanted, request = _read_as(schema), others.request
    try:
        table = others.confirmed(block, wanted, schema) or _read(block, wanted, "ignore")
    except pa.ArrowInvalid as error:
        raise _culprit(block, wanted, path, request) or error from error
    arrays = []
    for field in schema:
        try:
            array = _column(table, field, request, block)
            _refuse_too_big(block, field, array, request)
            arrays.append(array)
        except pa.ArrowInvalid as error:
            raise request.errors.value(field.name, field.type, f"{error} (file {path})") from error
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)


def _column(
    table: pa.Table, field: pa.Field, request: Request[FileSource], block: Block
) -> pa.Array:
    import pyarrow as pa

    if _is_json(field):
        values = [row.get(field.name) for _, row in objects(block)]
        texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
        return pa.array(texts, pa.string())
    if field.name not in table.schema.names:
        return pa.nulls(len(table), field.type)
    array = table.column(field.name).combine_chunks()
    if not pa.types.is_temporal(field.type):
        return array
    return parse_text(array, field.type, request.rules(field.name))


def _refuse_too_big(
    block: Block, field: pa.Field, array: pa.Array, request: Request[FileSource]
) -> None:
    """Refuse what is infinite only because no float is that large, which Arrow does not say."""
    import pyarrow as pa
    import pyarrow.compute as pc

    name = field.name
    if not pa.types.is_floating(field.type) or name in request.findings.left_out:
        return
    if not pc.any(pc.is_inf(array), min_count=0).as_py():
        return
    for number, line in block:
        if math.isinf(_written(line, name)):
            reason = f"a number in line {number} is too big for a float"
            if name not in request.contract.names:
                raise UnfitColumnError(f"column {name!r}: {reason}", name, reason)
            raise pa.ArrowInvalid(reason)


def _written(line: bytes, name: str) -> float:
    """Return a number that is written with digits, zero for anything else."""
    try:
        # The words for infinity become null.
        value = json.loads(line, parse_int=float, parse_constant=lambda _: None).get(name)
    except ValueError:  # `Inf` is one that Arrow takes
        return 0.0
    return value if isinstance(value, float) else 0.0


def _read(block: Block, wanted: pa.Schema, others: str) -> pa.Table:
    """Have Arrow read the lines: exactly one row for each that is not empty."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    if not block.is_plain:
        _refuse_other_lines(block)
    size = len(block.content) + 1
    parsing = arrow_json.ParseOptions(explicit_schema=wanted, unexpected_field_behavior=others)
    reading = arrow_json.ReadOptions(use_threads=False, block_size=size)
    try:
        table = arrow_json.read_json(pa.BufferReader(block.content), reading, parsing)
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(_with_line(str(error), block)) from None
    if len(table) != block.n_ends and len(table) != block.n_lines:
        _refuse_other_lines(block)
        raise ValueError(f"{block.n_lines} lines from line {block.first} on give {len(table)} rows")
    return table


def _with_line(text: str, block: Block) -> str:
    """Name the file's line, where Arrow counts the rows that it was given."""
    found = _ROW.search(text)
    for number, _ in islice(block, int(found[1]), None) if found else ():
        return _ROW.sub(f"in line {number}", text)
    return text


def _refuse_other_lines(block: Block) -> None:
    for _ in objects(block):
        pass


def _culprit(
    block: Block, wanted: pa.Schema, path: str, request: Request[FileSource]
) -> MlopsError | None:
    """Find the line, or the column, that cannot be read; Arrow does not always say."""
    import pyarrow as pa

    _refuse_other_lines(block)
    for field in wanted:
        try:
            _read(block, pa.schema([field]), "ignore")
        except pa.ArrowInvalid as error:
            if any(part in str(error) for part in ("changed from", "convert")):
                where = f"(file {path}, from line {block.first} on)"
                return request.errors.value(field.name, field.type, f"{error} {where}")
    return None


def _read_as(schema: pa.Schema) -> pa.Schema:
    """Return the columns that are read, in the types in which JSON writes them."""
    import pyarrow as pa

    unread = (pa.types.is_binary, pa.types.is_null)
    return pa.schema(
        [
            (field.name, pa.string() if pa.types.is_temporal(field.type) else field.type)
            for field in schema
            if not any(is_kind(field.type) for is_kind in unread) and not _is_json(field)
        ]
    )


# --- columns beyond the contract


class _Others:
    """The columns beyond the contract: their names, and the kinds of values that they have."""

    def __init__(self, contract: pa.Schema, request: Request[FileSource]) -> None:
        self.contract = contract
        self.request = request
        self.wanted = request.spec.extra_columns == "keep"
        self._kinds: dict[str, set[str]] = {}

    def look_at(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self._add(_kinds(block, self.contract))

    def schema(self) -> pa.Schema:
        """Return the contract and, as far as is seen by now, the columns beyond."""
        import pyarrow as pa

        found = [_field(name, kinds, self.request) for name, kinds in self._kinds.items()]
        return pa.schema([*self.contract, *found])

    def confirmed(self, block: Block, wanted: pa.Schema, schema: pa.Schema) -> pa.Table | None:
        """Read lines that were not looked at before, and see whether they fit what is known.

        Returns nothing if all were. Raises `UnsurveyedError` if they do not fit.
        """
        import pyarrow as pa

        if not self.wanted or self.request.findings.all_lines:
            return None
        try:
            table = _read(block, wanted, "infer")
            self._add(_kinds_in(table, self.contract))
        except pa.ArrowInvalid:  # a value of the contract is wrong, or one of another column
            raise UnsurveyedError("a column has values of several kinds") from None
        if not self.schema().equals(schema):
            raise UnsurveyedError("columns begin, or change their type, behind the first lines")
        return table

    def _add(self, found: dict[str, set[str]]) -> None:
        for name, kinds in found.items():
            self._kinds.setdefault(name, set()).update(kinds)


def _field(name: str, kinds: set[str], request: Request[FileSource]) -> pa.Field:
    """Choose the type that all values of a column have."""
    import pyarrow as pa

    known = request.type_of(name)
    if kinds == {"text"} and known is not None and pa.types.is_temporal(known):
        return pa.field(name, known)
    types = {
        frozenset[str](): pa.null(),
        frozenset({"bool"}): pa.bool_(),
        frozenset({"text"}): pa.string(),
        frozenset({"integer"}): pa.int64(),
        frozenset({"integer", "large integer"}): pa.int64(),
        frozenset({"large integer"}): pa.int64(),
        frozenset({"number"}): pa.float64(),
        frozenset({"integer", "number"}): pa.float64(),
    }
    if found := types.get(frozenset(kinds)):
        as_known = known == pa.float64() and kinds == {"integer"}
        return pa.field(name, known if as_known else found)
    kept = pa.binary() if request.source.query is None else pa.string()
    return pa.field(name, kept, metadata={"SOURCE:type": " and ".join(sorted(kinds))})


def _is_json(field: pa.Field) -> bool:
    """Return whether a query gets the column's values as they are written, in JSON."""
    return field.type == "string" and b"SOURCE:type" in (field.metadata or {})


def _kinds(block: Block, contract: pa.Schema) -> dict[str, set[str]]:
    """Return what kinds of values the columns have that the contract does not name."""
    import pyarrow as pa

    try:
        return _kinds_in(_read(block, _read_as(contract), "infer"), contract)
    except pa.ArrowInvalid:  # values of several kinds, or too large ones, in one column
        found: dict[str, set[str]] = {}
        for _, row in objects(block):
            for name, value in row.items():
                if name not in contract.names:
                    found.setdefault(name, set()).update(_kind_of(value))
        return found


def _kinds_in(table: pa.Table, contract: pa.Schema) -> dict[str, set[str]]:
    names = [name for name in table.schema.names if name not in contract.names]
    return {name: _kinds_of(table.column(name)) for name in names}


def _kinds_of(column: pa.ChunkedArray) -> set[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_null(kind):
        return set()
    if pa.types.is_boolean(kind):
        return {"bool"}
    if pa.types.is_string(kind) or pa.types.is_timestamp(kind):
        return {"text"}
    if not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        return {"nested"}
    ends = [end for end in pc.min_max(column).as_py().values() if end is not None]
    is_large = any(math.isfinite(end) and abs(end) >= _EXACT_FLOAT for end in ends)
    if pa.types.is_integer(kind):
        return {"large integer"} if is_large else {"integer"}
    if is_large:  # digits may have been lost already: look at what is written
        raise pa.ArrowInvalid("large numbers")
    return {"number"}


def _kind_of(value: object) -> set[str]:
    if value is None:
        return set()
    if isinstance(value, bool):
        return {"bool"}
    if isinstance(value, str):
        return {"text"}
    if isinstance(value, float):
        return {"number"}
    if not isinstance(value, int):
        return {"nested"}
    if abs(value) < _EXACT_FLOAT:
        return {"integer"}
    return {"large integer"} if -(2**63) <= value < 2**63 else {"integer beyond 64 bits"}
