"""What every kind of source is: asked for one day of a dataset, it gives a stream of batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from mlops_tasks.sources.errors import SourceErrors
from mlops_tasks.sources.text_values import Rules
from mlops_tasks.specs.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from mlops_tasks.lake import Pin
    from mlops_tasks.partitions import Partition
    from mlops_tasks.sources.connection import Connection
    from mlops_tasks.specs import DatasetSpec, SourceSpec

SpecT = TypeVar("SpecT", bound="SourceSpec")

__all__ = ["Findings", "Request", "Source", "SourceStream"]


class Source(Protocol):
    """Where rows come from, such as a database or a folder: what `ingest` reads.

    A class of this protocol is listed in `SOURCES`, by the `kind` of the spec that it reads.
    """

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed."""

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return the source that a connection of Airflow points at; nothing is opened yet.

        Raises
        ------
        SourceAccessError
            If the connection lacks what is needed, from `unusable_connection`.
        """

    def open(self, request: Request[Any]) -> AbstractContextManager[SourceStream]:
        """Open one day as a stream of batches, closed on leaving, also in the middle.

        Whatever goes wrong, on opening or while batches are read, is raised as one of the errors
        that `request.errors` makes: they say whether a retry can help.
        """


@dataclass(frozen=True, slots=True)
class Findings:
    """What an earlier reading of the same day has shown.

    Attributes
    ----------
    left_out : dict of str to str
        Columns beyond the contract that are not read, and why: a value of theirs could not be.
    all_lines : bool
        Whether all lines of JSON are looked at before the first is taken. If not, the first ones
        say which columns there are beyond the contract, and `UnsurveyedError` reports that others
        say something else.
    """

    left_out: dict[str, str] = field(default_factory=dict)
    all_lines: bool = True


@dataclass(frozen=True, slots=True)
class Request(Generic[SpecT]):
    """What a source is asked for: one partition of a dataset.

    Attributes
    ----------
    spec : DatasetSpec
        The dataset.
    source : SourceSpec
        Its source: which rows.
    partition : Partition
        Which one, in the dataset's zone.
    schema : Schema
        The columns whose type is known beforehand, under the names that the source has for them:
        those of the contract, with what may be null, then the table's others. A source that types
        its values by itself reads them as these.
    errors : SourceErrors
        Makes the errors.
    findings : Findings
        What an earlier reading has shown.
    """

    spec: DatasetSpec
    source: SpecT
    partition: Partition
    schema: pa.Schema
    errors: SourceErrors
    findings: Findings = field(default_factory=Findings)

    @classmethod
    def of(
        cls,
        spec: DatasetSpec,
        partition: str,
        table: pa.Schema | None = None,
        findings: Findings | None = None,
        *,
        secrets: tuple[str, ...] = (),
    ) -> Request[Any]:
        """Return the request for a partition; `table` has the columns of the lake so far."""
        import pyarrow as pa

        called = {column: name for name, column in spec.rename.items()}
        contract = [
            field.with_nullable(spec.nullable(field.name)).with_name(
                called.get(field.name, field.name)
            )
            for field in arrow_schema(spec)
        ]
        taken = {*spec.columns, *spec.rename}
        others = [field for field in table or () if field.name not in taken]
        types = {called.get(name, name): kind for name, kind in spec.columns.items()}
        return Request(
            spec,
            spec.source,
            spec.partition(partition),
            pa.schema(contract + others),
            SourceErrors(
                spec.name,
                spec.source.called,
                partition,
                types,
                secrets,
                hides=(lambda name: spec.hides(spec.rename.get(name, name)))
                if spec.has_personal
                else None,
                known=f"{spec.source!r} {spec.columns!r} {spec.rename!r} {partition}",
            ),
            findings or Findings(),
        )

    @property
    def contract(self) -> pa.Schema:
        """The columns of the contract alone."""
        import pyarrow as pa

        return pa.schema(list(self.schema)[: len(self.spec.columns)])

    def type_of(self, name: str) -> pa.DataType | None:
        """Return a column's type; None where nothing says it."""
        return self.schema.field(name).type if self.knows(name) else None

    def knows(self, name: str) -> bool:
        """Return whether a column's type is known."""
        return name in self.schema.names and name not in self.findings.left_out

    def rules(self, name: str) -> Rules:
        """Return what may be converted in a column."""
        return Rules.of(self.spec, self.spec.rename.get(name, name))


@dataclass(frozen=True, slots=True)
class SourceStream:
    """An open extraction.

    Attributes
    ----------
    schema : Schema
        Columns and types as the source has them; the type null where it cannot say.
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
        Columns that the source itself keeps from being null. None where it does not say.
    notes : tuple of str
        What a person should know, such as how many rows belong to no day.
    inputs : tuple of Pin
        Rows of the lake that these are computed from.
    known_at : str or None
        Day as of which the newest of those is known. None where rows come from outside.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    described: str
    parts: tuple[tuple[str, pa.Schema], ...] = ()
    cancel: Callable[[], None] | None = None
    never_null: frozenset[str] | None = None
    notes: tuple[str, ...] = ()
    inputs: tuple[Pin, ...] = ()
    known_at: str | None = None
