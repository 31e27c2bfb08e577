"""What every reader gives: batches as they come from the source, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

__all__ = ["SourceStream"]


@dataclass(frozen=True, slots=True)
class SourceStream:
    """An open extraction.

    Attributes
    ----------
    schema : Schema
        Columns and types as the source has them; the type null where it cannot tell.
    batches : iterator of RecordBatch
        The rows. A batch may lack columns beyond the contract.
    described : str
        What is read, for the task's log.
    parts : tuple of (str, Schema)
        The columns of each file, where there are several.
    cancel : callable or None
        Ends a read that is under way in another thread. None where only the thread that opened
        the source may read it.
    never_null : frozenset of str or None
        Columns that the source itself keeps from being null. None where it does not tell.
    notes : tuple of str
        What a person should know, such as how many rows belong to no day.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    described: str
    parts: tuple[tuple[str, pa.Schema], ...] = ()
    cancel: Callable[[], None] | None = None
    never_null: frozenset[str] | None = None
    notes: tuple[str, ...] = ()
