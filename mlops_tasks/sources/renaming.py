"""Columns under the names that the contract gives them, whatever the source calls them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from mlops_tasks.sources.source import Request, Source, SourceStream

__all__ = ["open_renamed"]


@contextmanager
def open_renamed(source: Source, request: Request[Any]) -> Iterator[SourceStream]:
    """Open a day's rows and call their columns as the contract does."""
    names = request.spec.rename
    with source.open(request) as stream:
        yield stream if not names else _renamed(stream, names)


def _renamed(stream: SourceStream, names: Mapping[str, str]) -> SourceStream:
    required = stream.never_null
    return replace(
        stream,
        schema=_schema(stream.schema, names),
        batches=(
            batch.rename_columns(_schema(batch.schema, names).names) for batch in stream.batches
        ),
        parts=tuple((path, _schema(schema, names)) for path, schema in stream.parts),
        never_null=None if required is None else frozenset(names.get(n, n) for n in required),
    )


def _schema(schema: pa.Schema, names: Mapping[str, str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([field.with_name(names.get(field.name, field.name)) for field in schema])
