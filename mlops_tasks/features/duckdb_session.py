"""A DuckDB that sees only what is registered, in UTC, and whose errors say where they come from."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.personal import redacted_text
from mlops_tasks.time_limit import interrupted_at_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

__all__ = ["connect", "explained"]

#: As each of its messages begins, "Conversion Error: …".
_OF_DUCKDB = re.compile(r"[A-Z][A-Za-z ]+ Error: ")
_LINE = re.compile(r"\s*^LINE (\d+): (.*?)$.*", re.DOTALL | re.MULTILINE)


@contextmanager
def connect() -> Iterator[DuckDBPyConnection]:
    """Open a database that sees only what is registered: no files, no network, no variables.

    Its clock shows UTC whatever the machine's does: hours, days and types of moments depend on it.

    Yields
    ------
    DuckDBPyConnection
        Closed, and its files removed, at the end.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="features-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "enable_external_access": False,
            "python_enable_replacements": False,
            "memory_limit": _memory_limit(),
            "temp_directory": spill,
        }
        with (
            duckdb.connect(config=config) as connection,
            interrupted_at_limit(connection.interrupt),
        ):
            connection.execute("SET TimeZone = 'UTC'")
            # Given to `connect`, it is shown as set and does not hold.
            connection.execute(f"SET max_temp_directory_size = '{_disk_limit()}'")
            # It cannot know how many rows Arrow holds, takes it for one, and would join row by row.
            for kind in ("asof_loop", "nested_loop"):
                connection.execute(f"SET {kind}_join_threshold = 0")
            yield connection


@contextmanager
def explained(
    place: str, connection: DuckDBPyConnection, *, known: str | None = None
) -> Iterator[Callable[[str], DuckDBPyRelation]]:
    """Run queries and say where they went wrong, also while their rows are fetched.

    Parameters
    ----------
    place : str
        Where the query is written, for errors.
    connection : DuckDBPyConnection
        From `connect`.
    known : str, optional
        Given where rows have values that errors must not show: words that may be shown in any case,
        such as the names of columns. Those of the query always may.

    Yields
    ------
    callable
        From a query to its result. The second line of the query is the first one of what is
        written at `place`.

    Raises
    ------
    FeatureError
        With the line and DuckDB's own message.
    """
    import duckdb

    asked = ""

    def ask(query: str) -> DuckDBPyRelation:
        nonlocal asked
        asked = query
        return connection.sql(query)

    try:
        yield ask
    except (duckdb.Error, OSError) as error:
        # While rows are fetched, Arrow raises what DuckDB says as an error without a number.
        if isinstance(error, OSError) and not _OF_DUCKDB.match(str(error)):
            raise
        raise FeatureError(_explanation(place, connection, asked, str(error), known)) from error


def _explanation(
    place: str, connection: DuckDBPyConnection, query: str, message: str, known: str | None
) -> str:
    if message.startswith("Out of Memory Error"):
        if "max_temp_directory_size" in message:
            return (
                f"{place} needs more than {_disk_limit()} of disk: does a join lack its condition? "
                "If not, set MLOPS_DUCKDB_DISK to more"
            )
        return (
            f"{place} needs more than {_memory_limit()} of memory though it spills to disk: "
            "every core sorts a part of its own; set MLOPS_DUCKDB_MEMORY to 100MB per core or more"
        )
    text = _located(connection, query, message)
    if known is not None:
        text = redacted_text(text, known=f"{query} {known}")
    return f"{place} does not run: {text}"


def _located(connection: DuckDBPyConnection, query: str, message: str) -> str:
    """Put the line before the message; a plan has it where the query itself has not."""
    import duckdb

    if not _LINE.search(message):
        try:
            connection.execute(f"EXPLAIN {query}")
        except duckdb.Error as error:
            message = str(error) if _LINE.search(str(error)) else message
    if not (found := _LINE.search(message)) or int(found[1]) < 2:
        return message[: found.start()] if found else message
    return f"line {int(found[1]) - 1}, {found[2].strip()!r}: {message[: found.start()]}"


def _memory_limit() -> str:
    return os.environ.get("MLOPS_DUCKDB_MEMORY", "1GB")


def _disk_limit() -> str:
    return os.environ.get("MLOPS_DUCKDB_DISK", "20GB").replace("'", "")
