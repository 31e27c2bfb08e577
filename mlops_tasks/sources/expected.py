"""What is known of a source's columns before it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.sources.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec

__all__ = ["Expected", "Findings"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What an earlier reading of the same day has shown.

    Attributes
    ----------
    left_out : dict of str to str
        Columns beyond the contract that are not read, and why: a value of theirs could not be.
    all_lines : bool
        Whether all lines of JSON are looked at before the first is taken. If not, the first ones
        say which columns there are beyond the contract, and `UnsurveyedError` tells that others
        say something else.
    """

    left_out: dict[str, str] = field(default_factory=dict)
    all_lines: bool = True


@dataclass(frozen=True, slots=True)
class Expected:
    """The columns whose type is known, and what may be converted.

    Attributes
    ----------
    spec : DatasetSpec
        The dataset.
    schema : Schema
        Columns of the contract, with what may be null, then the table's others.
    findings : Findings
        What an earlier reading has shown.
    """

    spec: DatasetSpec
    schema: pa.Schema
    findings: Findings = field(default_factory=Findings)

    @property
    def left_out(self) -> Collection[str]:
        """Columns beyond the contract that are not read."""
        return self.findings.left_out

    def type_of(self, name: str) -> pa.DataType | None:
        """Return a column's type; None where nothing says it."""
        return self.schema.field(name).type if self.knows(name) else None

    def knows(self, name: str) -> bool:
        """Tell whether a column's type is known."""
        return name in self.schema.names and name not in self.left_out

    def rules(self, name: str) -> Rules:
        """Return what may be converted in a column."""
        return Rules(self.spec.convert.get(name), self.spec.timezone)
