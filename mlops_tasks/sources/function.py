"""A Python function as a source: called for a partition, it gives its rows."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from mlops_tasks.exceptions import MlopsError
from mlops_tasks.sources.source import SourceStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.partitions import Partition
    from mlops_tasks.sources.connection import Connection
    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs.source import FunctionSource

__all__ = ["FunctionRows"]

_FORMS = "a pyarrow.Table or RecordBatchReader, a pandas or Polars DataFrame, or a list of dicts"


@dataclass(frozen=True, slots=True)
class FunctionRows:
    """A function of anyone's.

    Attributes
    ----------
    function : callable or None
        Takes the `Partition`, returns its rows; None imports the one that the spec names.
    """

    function: Callable[[Partition], Any] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What it knows is its own."""
        return ()

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return the function that the spec will name: it needs no connection."""
        return cls()

    @contextmanager
    def open(self, request: Request[FunctionSource]) -> Iterator[SourceStream]:
        """Call the function and give what it returns, by the types of the contract."""
        reader, notes = _reader(request, self._made(request))
        described = f"what {request.source.called} gave"
        yield SourceStream(reader.schema, iter(reader), described, notes=notes)

    def _made(self, request: Request[FunctionSource]) -> Any:
        try:
            return (self.function or _imported(request.source))(request.partition)
        except (MemoryError, MlopsError):
            raise
        except Exception as error:  # of a function of anyone's
            raise request.errors.query(f"it fails: {type(error).__name__}: {error}") from error


def _imported(source: FunctionSource) -> Callable[[Partition], Any]:
    if source.function is None:
        raise LookupError(
            "no function is named; write FunctionSource(function='package.module:function'), or "
            "let the task be the function, with @task.mlops_ingest"
        )
    module, name = source.function.split(":")
    found: Callable[[Partition], Any] = getattr(importlib.import_module(module), name)
    return found


def _reader(
    request: Request[FunctionSource], made: Any
) -> tuple[pa.RecordBatchReader, tuple[str, ...]]:
    """Return rows of any form as a stream, and what a person should know of it."""
    import pyarrow as pa

    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if isinstance(made, pa.RecordBatchReader):
        return made, ()
    if isinstance(made, pa.Table):
        return made.to_reader(), ()
    if polars is not None and isinstance(made, polars.DataFrame):
        return made.to_arrow().to_reader(), ()
    if pandas is not None and isinstance(made, pandas.DataFrame):
        return _of_pandas(request, made)
    if isinstance(made, list | tuple) and all(isinstance(row, dict) for row in made):
        return _of_dicts(request, made)
    raise request.errors.query(f"it returns {type(made).__name__}; return {_FORMS}")


def _of_pandas(
    request: Request[FunctionSource], made: Any
) -> tuple[pa.RecordBatchReader, tuple[str, ...]]:
    """Read a column of objects by its type in the contract, never by the values at hand."""
    import pyarrow as pa

    columns, left_out = {}, []
    for name in map(str, made.columns):
        values = made[name]
        if str(values.dtype) != "object":
            columns[name] = pa.Table.from_pandas(values.to_frame(), preserve_index=False).column(0)
        elif (kind := request.type_of(name)) is not None:
            given = [None if value != value else value for value in values]  # NaN is missing
            columns[name] = _column(request, name, kind, given)
        else:
            left_out.append(name)
    note = (f"columns {left_out} may hold anything (dtype object) and are left out",)
    return pa.table(columns).to_reader(), note if left_out else ()


def _of_dicts(
    request: Request[FunctionSource], rows: Sequence[dict[str, Any]]
) -> tuple[pa.RecordBatchReader, tuple[str, ...]]:
    """Read what the contract names; nothing else has a type."""
    import pyarrow as pa

    columns = {
        field.name: _column(request, field.name, field.type, [row.get(field.name) for row in rows])
        for field in request.contract
    }
    others = sorted({name for row in rows for name in row} - set(columns))
    note = (f"columns {others} are not in the contract and are left out",) if others else ()
    return pa.table(columns).to_reader(), note


def _column(
    request: Request[FunctionSource], name: str, kind: pa.DataType, values: list[Any]
) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_timestamp(kind) and any(_is_local(value) for value in values):
        raise request.errors.value(name, kind, "a time without a zone; give it its tzinfo")
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise request.errors.value(name, kind, error) from None


def _is_local(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is None
