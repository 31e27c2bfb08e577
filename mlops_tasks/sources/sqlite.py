"""SQLite: which file is opened, and what its text times are; it has no times of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from mlops_tasks.sources.failures import Failures
    from mlops_tasks.sources.tables import DayOfTable, Holds

__all__ = ["existing_file", "text_times"]

# What is behind the minutes, and behind the zone of an instant in UTC, is digits and signs alone.
_ODD = "'*[^0-9:.]*'"
_TIME = "GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]{}[0-9][0-9]:[0-9][0-9]*'"


def existing_file(url: URL, failures: Failures) -> URL:
    """Return the address at which a file can be read, and is not made where it is missing.

    Parameters
    ----------
    url : URL
        Of SQLite.
    failures : Failures
        Makes the errors.

    Returns
    -------
    URL
        Of the same file, read-only.

    Raises
    ------
    SourceAccessError
        If there is no such file.
    """
    name = url.database or ":memory:"
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0]).removeprefix("//")
    if ":memory:" in name or url.query.get("mode") == "memory":
        raise failures.access("an SQLite database in memory has no rows; name a file")
    path = Path(name)
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise failures.access(f"the SQLite file {str(path.absolute())!r} {what}")
    query = {**url.query, "mode": "ro", "uri": "true"}
    return url.set(database=f"file:{quote(str(path.absolute()))}", query=query)


def text_times(day: DayOfTable, connection: Connection, failures: Failures) -> Holds:
    """Tell by all values of a time column in which form they are.

    Parameters
    ----------
    day : DayOfTable
        The table.
    connection : Connection
        To the database.
    failures : Failures
        Makes the errors.

    Returns
    -------
    str
        A key of what `DayOfTable.query` can bind.

    Raises
    ------
    SourceQueryError
        If a value tells no time, or if they have several forms: as texts they have no order then.
    """
    import sqlalchemy as sa

    quoted: Any = connection.dialect.identifier_preparer.quote
    column, table = quoted(day.time_column), day.quoted(quoted)
    text = f"SELECT {_form(column)} AS form, min({column}) FROM {table} GROUP BY form ORDER BY form"  # noqa: S608 (quoted)
    found = {form: value for form, value in connection.execute(sa.text(text)) if form}
    if "none" in found:
        raise failures.query(day.holds_no_time(f"values like {found['none']!r}"))
    if len(found) > 1:
        some = " and ".join(repr(value) for value in found.values())
        raise failures.query(
            f"time_column {day.time_column!r} of table {day.table!r} holds times in several forms, "
            f"such as {some}; write all in one, or write a `query` that binds :partition"
        )
    return next(iter(found), "text")


def _form(column: str) -> str:
    """Write an expression for the form that a value has; null for null."""
    rest = f"substr({column}, 17)"
    utc = " OR ".join(
        f"({rest} GLOB '*{zone}' AND substr({rest}, 1, length({rest}) - {length}) NOT GLOB {_ODD})"
        for zone, length in (("Z", 1), ("[+-]00:00", 6), ("[+]0000", 5))
    )
    return f"""CASE
        WHEN {column} IS NULL THEN NULL
        WHEN typeof({column}) <> 'text' THEN 'none'
        WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN 'text'
        WHEN {column} {_TIME.format("[T ]")} AND {rest} NOT GLOB {_ODD} THEN 'text'
        WHEN {column} {_TIME.format("T")} AND ({utc}) THEN 'text instant'
        WHEN {column} {_TIME.format(" ")} AND ({utc}) THEN 'spaced text instant'
        ELSE 'none' END""".replace(":", r"\:")
