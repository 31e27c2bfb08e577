"""The columns of a source: names and types as a contract has them, and what is in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold.loading import PARTITION
from mlops_tasks.scaffold.sql_text import column_sql, quoted, text
from mlops_tasks.specs import RESERVED_COLUMNS
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mlops_tasks.scaffold.loading import Loaded

__all__ = ["Column", "Kind", "Rows", "contract_name", "typed_rows"]

Kind = Literal["string", "int64", "float64", "bool", "timestamp", "date"]

_INSTANT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?"
_ZONE = r".*(Z|[+-]\d\d(:?\d\d)?)"
# What the texts of a column look like, the narrowest kind first; CSV has nothing but texts. What
# begins with zeros, or is longer than a number can be, is a name.
_FORMS: tuple[tuple[Kind, str], ...] = (
    ("int64", r"[+-]?(0|[1-9]\d{0,17})"),
    ("float64", r"[+-]?((0|[1-9]\d{0,15})(\.\d*)?|\.\d+)([eE][+-]?\d+)?"),
    ("bool", r"true|false|True|False|TRUE|FALSE"),
    ("date", r"\d{4}-\d\d-\d\d"),
    ("timestamp", rf"{_INSTANT}|\d{{4}}-\d\d-\d\d"),
)
_NUMBERS = ("int64", "float64", "bool")
_EMAIL = r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"
_PERSONAL = re.compile(
    r"(^|_)(e?_?mail|phone|mobile|tel|fax|(first|last|full|sur|maiden|birth|customer|client|user|"
    r"patient|person|contact|passenger|employee)_?name|surname|ssn|"
    r"passport|iban|address|street|birth_?(date|day)|date_of_birth|dob|ip|ip_address|"
    r"credit_?card|card_number|licen[cs]e_plate)(_|$)"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    source_name, name : str
        As the source calls it, and as the contract does.
    kind : str
        Type in the contract, without ``?``.
    n_null, n_distinct : int
        Rows without a value, and different values.
    n_rows : int
        Rows.
    convert : str
        ``decimal`` where the contract has it converted from one; else empty.
    has_zone : bool
        Of a timestamp, whether each value is an instant; else it is a local time.
    is_text : bool
        Whether the source has it as text: of CSV every column, of SQLite every time.
    n_words : float
        Mean number of words of a text.
    is_personal : bool
        Whether it looks as if it were about a person.
    """

    source_name: str
    name: str
    kind: Kind
    n_null: int
    n_distinct: int
    n_rows: int
    convert: str = ""
    has_zone: bool = False
    is_text: bool = False
    n_words: float = 0.0
    is_personal: bool = False

    @property
    def declared(self) -> str:
        """Type in the contract."""
        return self.kind + ("?" if self.n_null else "")

    @property
    def sql(self) -> str:
        """Its name in the contract, as DuckDB reads it."""
        return column_sql(self.name)

    @property
    def is_time(self) -> bool:
        """Whether it is an instant, a local time or a day."""
        return self.kind in ("timestamp", "date")

    @property
    def is_number(self) -> bool:
        """Whether it is a number, or true and false."""
        return self.kind in _NUMBERS


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a source under the contract's names and in its types.

    Attributes
    ----------
    loaded : Loaded
        The rows as the source has them.
    table : str
        The table of DuckDB that has them so.
    columns : mapping of str to Column
        By their names in the contract, in the order of the source.
    """

    loaded: Loaded
    table: str
    columns: Mapping[str, Column]

    def one(self, query: str) -> tuple[Any, ...]:
        """Return the one row that a query over ``{rows}`` gives."""
        found = self.loaded.connection.execute(query.format(rows=quoted(self.table))).fetchone()
        return found or ()

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows that a query over ``{rows}`` gives."""
        return self.loaded.connection.execute(query.format(rows=quoted(self.table))).fetchall()

    def named(self, name: str, option: str) -> Column:
        """Return the column that a person means, by the source's name or the contract's.

        Raises
        ------
        ScaffoldError
            If there is none.
        """
        for column in self.columns.values():
            if name in (column.source_name, column.name):
                return column
        raise ScaffoldError(
            f"{option}: {self.loaded.what} has no column {name!r}; "
            f"{did_you_mean(name, [one.source_name for one in self.columns.values()])}"
        )


def contract_name(name: str, taken: Collection[str]) -> str:
    """Return a name that a contract takes, and that no other column has.

    Examples
    --------
    >>> [contract_name(name, ()) for name in ("Order ID", "orderId", "x.y", "2nd", "score")]
    ['order_id', 'order_id', 'x_y', 'n_2nd', 'score_value']
    >>> contract_name("a b", {"a_b"})
    'a_b_2'
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:50] or "column"
    plain = plain if plain[0].isalpha() else f"n_{plain}"
    # Names of the lake, of a model's own columns, and of what snapshots add.
    if plain in {*RESERVED_COLUMNS, "y", "score", "prediction", "confidence", "model_version"}:
        plain = f"{plain}_value"
    number, found = 2, plain
    while found in taken:
        found, number = f"{plain}_{number}", number + 1
    return found


def typed_rows(loaded: Loaded, ignore: Iterable[str], timezone: str) -> Rows:
    """Find names and types, and make a table that has the rows so.

    Parameters
    ----------
    loaded : Loaded
        The rows.
    ignore : iterable of str
        Columns that are not taken.
    timezone : str
        Zone of times without one.

    Raises
    ------
    ScaffoldError
        If a column has values of several types.
    """
    left_out = set(ignore)
    types = {name: kind for name, kind in loaded.types.items() if name not in left_out}
    for name, found in loaded.mixed.items():
        if name in types:
            raise ScaffoldError(
                f"column {name!r} of {loaded.what} has values of several types, {found}; no "
                f"contract takes that: leave it out with --ignore {name}, or give --query and cast "
                "it there"
            )
    columns: dict[str, Column] = {}
    for name, kind in types.items():
        if column := _column(loaded, name, kind, columns):
            columns[column.name] = column
    if not columns:
        raise ScaffoldError(f"{loaded.what} has no column of a type that a contract takes")
    table = f"{loaded.table}_typed"
    wanted = [f"{_cast(one, types, timezone)} AS {one.sql}" for one in columns.values()]
    wanted += [PARTITION] if loaded.layout else []
    loaded.connection.execute(
        f"CREATE OR REPLACE TABLE {quoted(table)} AS "
        f"SELECT {', '.join(wanted)} FROM {quoted(loaded.table)}"
    )
    return Rows(loaded, table, columns)


def _column(loaded: Loaded, name: str, type_: str, taken: Collection[str]) -> Column | None:
    """Look at one column; None if no contract has a type for it."""
    kind, is_text = _declared_kind(type_), type_ == "VARCHAR"
    if kind is None:
        return None
    value, rows = quoted(name), quoted(loaded.table)
    found = loaded.connection.execute(
        f"SELECT count(*), count({value}), count(DISTINCT {value}) FROM {rows}"
    ).fetchone()
    n_rows, n_values, n_distinct = found or (0, 0, 0)
    has_zone, n_words, has_email = type_ == "TIMESTAMP WITH TIME ZONE", 0.0, False
    if is_text and n_values:
        is_csv = loaded.layout is not None and loaded.layout.format == "csv"
        any_kind = is_csv or name in loaded.declared
        kind, has_zone = _kind_of_texts(loaded, name, any_kind=any_kind)
    if kind == "string" and n_values:
        n_words, has_email = loaded.connection.execute(
            f"SELECT avg(len(string_split({value}, ' '))), "
            f"avg(CAST(regexp_full_match({value}, {text(_EMAIL)}) AS INTEGER)) > 0.5 FROM {rows}"
        ).fetchone() or (0.0, False)
    plain = contract_name(name, taken)
    return Column(
        name,
        plain,
        kind,
        n_rows - n_values,
        n_distinct,
        n_rows,
        convert="decimal" if loaded.declared.get(name) == "decimal" else "",
        has_zone=has_zone,
        is_text=is_text,
        n_words=float(n_words),
        is_personal=bool(has_email) or _PERSONAL.search(plain) is not None,
    )


def _declared_kind(type_: str) -> Kind | None:
    """Return what the contract calls a type of DuckDB."""
    kinds: tuple[tuple[str, Kind], ...] = (
        (r"VARCHAR|UUID|ENUM.*", "string"),
        (r"(TINY|SMALL|BIG)INT|INTEGER|U(TINY|SMALL)INT|UINTEGER", "int64"),
        (r"DOUBLE|FLOAT|DECIMAL.*", "float64"),
        (r"BOOLEAN", "bool"),
        (r"DATE", "date"),
        (r"TIMESTAMP.*", "timestamp"),
    )
    return next((kind for form, kind in kinds if re.fullmatch(form, type_)), None)


def _kind_of_texts(loaded: Loaded, name: str, *, any_kind: bool) -> tuple[Kind, bool]:
    """Say what the texts of a column are: all of them, not some; a database's texts only times."""
    value = quoted(name)
    forms = [form for form in _FORMS if any_kind or form[0] in ("date", "timestamp")]
    asked = [f"bool_and(regexp_full_match({value}, {text(form)}))" for _, form in forms]
    zone = f"bool_and(regexp_full_match({value}, {text(_ZONE)}))"
    found = loaded.connection.execute(
        f"SELECT {', '.join([*asked, zone])} FROM {quoted(loaded.table)} WHERE {value} IS NOT NULL"
    ).fetchone()
    answers = found or (False,) * (len(forms) + 1)
    kind: Kind = next(
        (kind for (kind, _), fits in zip(forms, answers, strict=False) if fits), "string"
    )
    return kind, kind == "timestamp" and bool(answers[-1])


def _cast(column: Column, types: Mapping[str, str], timezone: str) -> str:
    value = quoted(column.source_name)
    if column.kind == "timestamp" and not column.has_zone:
        return f"CAST({value} AS TIMESTAMP) AT TIME ZONE {text(timezone)}"
    wanted = {
        "string": "VARCHAR",
        "int64": "BIGINT",
        "float64": "DOUBLE",
        "bool": "BOOLEAN",
        "timestamp": "TIMESTAMPTZ",
        "date": "DATE",
    }[column.kind]
    kept = types[column.source_name] in (wanted, "TIMESTAMP WITH TIME ZONE")
    return value if kept else f"CAST({value} AS {wanted})"
