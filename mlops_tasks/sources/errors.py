"""What goes wrong at a source, as errors of this project: they name it, without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, quote_plus

from mlops_tasks.exceptions import (
    MlopsError,
    SchemaMismatchError,
    SourceAccessError,
    SourceNotFoundError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.personal import HIDDEN, redacted_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["SourceErrors", "UnfitColumnError", "UnsurveyedError", "attempt", "guarded"]

T = TypeVar("T")

# What drivers add for a terminal, and of their own calls.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"\s+(\d+: \S+|at \S+)$")


class UnfitColumnError(SchemaMismatchError):
    """A column that no contract names holds a value that has no place in its type.

    No reason to refuse the day: it can be read again without the column.

    Attributes
    ----------
    column, reason : str
        Which one, and why.
    """

    def __init__(self, message: str, column: str, reason: str) -> None:
        super().__init__(message)
        self.column = column
        self.reason = reason


class UnsurveyedError(MlopsError):
    """The columns beyond the contract are not those that the first lines show: look at all."""


@dataclass(frozen=True, slots=True)
class SourceErrors:
    """Makes the errors of one extraction.

    Attributes
    ----------
    dataset, conn_id, partition : str
        What was extracted, from where, for which day.
    contract : mapping of str to str
        The contract's columns and types.
    secrets : tuple of str
        Taken out of every text, also in their URL-quoted forms.
    hides : callable or None
        Whether the values of a column, by its name at the source, are personal; None where there
        are no such columns.
    known : str
        What the spec says of the source: words that may be shown in any case.
    """

    dataset: str
    conn_id: str
    partition: str
    contract: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    hides: Callable[[str], bool] | None = field(default=None, repr=False)
    known: str = field(default="", repr=False)

    def unavailable(self, reason: object) -> SourceUnavailableError:
        """Return the error for a source that does not answer, or stopped to: worth a retry."""
        return SourceUnavailableError(
            f"dataset {self.dataset!r}: connection {self.conn_id!r} does not answer: "
            f"{self._clean(reason)}; nothing was published. Check the connection in Airflow and "
            "that the source is up"
        )

    def access(self, reason: object) -> SourceAccessError:
        """Return the error for a login, right or driver that is missing."""
        return SourceAccessError(
            f"dataset {self.dataset!r}: connection {self.conn_id!r} cannot be used: "
            f"{self._clean(reason)}; nothing was published. Correct the connection in Airflow, or "
            "the rights of its user at the source"
        )

    def query(self, reason: object) -> SourceQueryError:
        """Return the error for a query, file or table that cannot be read."""
        return SourceQueryError(
            f"dataset {self.dataset!r}: the source {self.conn_id!r} cannot give {self.partition}: "
            f"{self._clean(reason)}; nothing was published. Restore the table, column or file, or "
            "fix the source in the spec"
        )

    def not_found(self, reason: object) -> SourceNotFoundError:
        """Return the error for files or a table that are not there."""
        why = self._clean(reason)
        error = SourceNotFoundError(
            f"dataset {self.dataset!r}: the source {self.conn_id!r} has nothing for "
            f"{self.partition}: {why}; nothing was published. If the day is late, run this task "
            "again once it is there; if it will never come, mark the task as success"
        )
        error.reason = why
        return error

    def value(self, column: str, wanted: object, reason: object) -> SchemaMismatchError:
        """Return the error for a value that is not what its column is declared to hold."""
        kind, why = self.contract.get(column), self._without_secrets(reason)
        if self.hides is not None and self.hides(column):
            why = HIDDEN
        if kind is None:
            return UnfitColumnError(
                f"dataset {self.dataset!r}: column {column!r}, beyond the contract, is {wanted}, "
                f"and a value is none: {why}. Name it in the contract, or set "
                "extra_columns='ignore'",
                column,
                f"it is {wanted}, a value is none: {why}",
            )
        return SchemaMismatchError(
            f"dataset {self.dataset!r}: the source does not keep the contract; nothing was "
            "published. Change the contract in the spec or fix the source:\n"
            f"  column {column!r}: the contract says {kind!r}, a value is none: {why}"
        )

    def content(self, path: str, reason: object) -> SourceQueryError:
        """Return the error for a file that is not what its name says, damaged or not whole."""
        return SourceQueryError(
            f"dataset {self.dataset!r}, {self.partition}: file {path!r} cannot be read: "
            f"{self._clean(reason)}; nothing was published. Have the file delivered again, or fix "
            "the source in the spec"
        )

    def _clean(self, reason: object) -> str:
        text = self._without_secrets(reason)
        return text if self.hides is None else redacted_text(text, known=self.known)

    def _without_secrets(self, reason: object) -> str:
        text = str(reason).strip()
        for secret in self.secrets:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), quote(secret)}:
                text = text.replace(form, "***")
        lines = (line.rstrip() for line in _COLOUR.sub("", text).splitlines())
        return "\n".join(line for line in lines if line and not _FRAME.match(line))


def attempt(call: Callable[[], T], explain: Callable[[Exception], MlopsError | None]) -> T:
    """Call, and raise what `explain` makes of an exception instead of it.

    The driver's exception is not even chained: its text, or that of its causes, may hold a
    password. What `explain` has no word for is raised as it is.
    """
    try:
        return call()
    except Exception as error:
        failure = explain(error)
        if failure is None:
            raise
    raise failure


def guarded(items: Iterable[T], explain: Callable[[Exception], MlopsError | None]) -> Iterator[T]:
    """Iterate as `attempt` calls."""
    iterator = iter(items)
    done = object()
    while (item := attempt(lambda: next(iterator, done), explain)) is not done:
        yield item  # type: ignore[misc]
