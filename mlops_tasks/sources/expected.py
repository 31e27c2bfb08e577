"""What is known of a source's columns before it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.sources.conversion import Rules

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from mlops_tasks.spec import DatasetSpec

__all__ = ["Expected"]


@dataclass(frozen=True, slots=True)
class Expected:
    """The columns whose type is known, and what may be converted.

    Attributes
    ----------
    spec : DatasetSpec
        The dataset.
    schema : Schema
        Columns of the contract, with what may be null, then the table's others.
    left_out : collection of str
        Columns beyond the contract that are not read: a value of theirs could not be.
    """

    spec: DatasetSpec
    schema: pa.Schema
    left_out: Collection[str] = field(default=frozenset())

    def type_of(self, name: str) -> pa.DataType | None:
        """Return a column's type; None where nothing says it."""
        return self.schema.field(name).type if self.knows(name) else None

    def knows(self, name: str) -> bool:
        """Tell whether a column's type is known."""
        return name in self.schema.names and name not in self.left_out

    def rules(self, name: str) -> Rules:
        """Return what may be converted in a column."""
        return Rules(self.spec.convert.get(name), self.spec.timezone)
