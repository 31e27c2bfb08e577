"""What each column is for: a feature, known too late, about a person, or of no use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold.sql_text import column_sql, quoted, text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlops_tasks.scaffold.answers import Answers, Assumptions
    from mlops_tasks.scaffold.columns import Column, Rows
    from mlops_tasks.scaffold.moments import Moments
    from mlops_tasks.scaffold.targets import Target

__all__ = ["Feature", "Roles", "find_roles", "known_later"]

_CODE = re.compile(r"(^|_)(id|code|zip|zipcode|postcode|postal_code|number|no|nr)$")
_WORDS_OF_TEXT = 4
_MAX_CATEGORIES = 1_000
_ROWS_PER_CATEGORY = 10
_OF_AN_ENTITY = 300
# Above this share of rows a time after the row's moment is no slip.
_MOST_LATER = 0.01


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature and how it is written.

    Attributes
    ----------
    name : str
        Of the feature.
    sql : str
        Expression over the rows.
    """

    name: str
    sql: str

    @property
    def selected(self) -> str:
        """The item of a SELECT."""
        return self.sql if self.sql == column_sql(self.name) else f"{self.sql} AS {self.name}"


@dataclass(slots=True)
class Roles:
    """What columns are for.

    Attributes
    ----------
    later : list of str
        Known with the label only, the target's own columns among them.
    personal : list of str
        About people: taken, never shown, no feature.
    categorical, numeric, texts : list of Feature
        The features.
    left_out : dict of str to str
        Columns that are no feature, and why.
    """

    later: list[str] = field(default_factory=list)
    personal: list[str] = field(default_factory=list)
    categorical: list[Feature] = field(default_factory=list)
    numeric: list[Feature] = field(default_factory=list)
    texts: list[Feature] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def features(self) -> list[Feature]:
        """All of them."""
        return [*self.categorical, *self.numeric, *self.texts]


def known_later(
    rows: Rows,
    target: Target,
    moments: Moments,
    answers: Answers,
    noted: Assumptions,
    suspects: Mapping[str, str],
) -> list[str]:
    """Return the columns of a single table that are known with the label only.

    Parameters
    ----------
    rows : Rows
        The rows.
    target : Target
        What is predicted.
    moments : Moments
        When rows are.
    answers : Answers
        May say that columns are known.
    noted : Assumptions
        What was found.
    suspects : mapping of str to str
        Leak suspects, and why.
    """
    if target.rows is not rows:
        return []
    known = {rows.named(name, "--known").name for name in answers.known}
    found = {name: "the target" for name in target.columns}
    moment = moments.column.sql if moments.column else None
    for one in rows.columns.values():
        if one.name in found or one.name in known or one.sql == moment:
            continue
        if why := suspects.get(one.name) or _why_later(rows, target, one, moment):
            found[one.name] = why
    reasons = {name: why for name, why in found.items() if why != "the target"}
    for name, why in reasons.items():
        noted.add("known later", rows.columns[name].source_name, why, "--known")
    others = len(rows.columns) - len(found)
    noted.add(
        "rows and labels",
        "of one table",
        f"{', '.join(found)} come with the label; the {others} others are assumed to be known at "
        "the row's moment: check that",
        "--ignore",
    )
    return [name for name in rows.columns if name in found]


def _why_later(rows: Rows, target: Target, one: Column, moment: str | None) -> str:
    """Say why a column cannot be known at the row's moment; nothing where it may be."""
    table, connection = quoted(rows.table), rows.loaded.connection
    if one.kind == "timestamp" and moment is not None:
        after = connection.execute(
            f"SELECT avg(CAST({one.sql} > {moment}::TIMESTAMPTZ AS INTEGER)) FROM {table}"
        ).fetchall()[0][0]
        if after and after > _MOST_LATER:
            return f"it lies after the row's moment in {after:.0%} of the rows"
    if one.n_null:
        apart, n_known = connection.execute(
            f"SELECT count(*) FILTER (WHERE ({one.sql} IS NULL) <> "
            f"(({target.expression}) IS NULL)), count({target.expression}) FROM {table}"
        ).fetchall()[0]
        if not apart and n_known:
            return "it has values exactly where the label has"
    return ""


def find_roles(
    rows: Rows,
    key: Sequence[str],
    later: Sequence[str],
    moments: Moments,
    answers: Answers,
    noted: Assumptions,
    suspects: Mapping[str, str],
) -> Roles:
    """Say of each column what it is for.

    Raises
    ------
    ScaffoldError
        If no feature is left.
    """
    roles = Roles(later=list(later))
    known = {rows.named(name, "--known").name for name in answers.known}
    moment = moments.column.name if moments.column else None
    for one in rows.columns.values():
        if one.name in later or one.name == moment:
            continue
        if one.is_personal:
            roles.personal.append(one.name)
        elif one.name in key:
            _of_key(one, key, roles)
        else:
            _of_column(rows, one, moments, roles, known)
    _of_moment(rows, moments, roles)
    _leave_out(roles, suspects)
    _unique_names(roles, set(rows.columns) | set(key))
    _note(roles, rows, noted)
    if not roles.features:
        raise ScaffoldError(
            f"{rows.loaded.what} has no column that can be a feature: "
            + "; ".join(f"{name}: {why}" for name, why in roles.left_out.items())
            + ". Give more columns with --query"
        )
    return roles


def _of_key(one: Column, key: Sequence[str], roles: Roles) -> None:
    """Give a part of the key with few values, such as a store, a second name."""
    if len(key) > 1 and not one.is_time and one.n_distinct <= _OF_AN_ENTITY:
        name = re.sub(r"_(id|key|no|number)$", "", one.name)
        name = f"{one.name}_category" if name == one.name else name
        roles.categorical.append(Feature(name, column_sql(one.name)))


def _of_column(
    rows: Rows, one: Column, moments: Moments, roles: Roles, known: Collection[str]
) -> None:
    name = column_sql(one.name)
    if one.n_distinct < 2:
        roles.left_out[one.name] = "one value" if one.n_distinct else "no value"
    elif one.is_time:
        _of_time(rows, one, moments, roles, known)
    elif one.n_words >= _WORDS_OF_TEXT and one.n_distinct > one.n_rows / 20:
        roles.texts.append(Feature(one.name, name))
    elif one.kind == "string" or _is_code(one):
        few = min(max(30, one.n_rows // _ROWS_PER_CATEGORY), _MAX_CATEGORIES)
        if one.n_distinct <= few:
            roles.categorical.append(Feature(one.name, name))
        else:
            roles.left_out[one.name] = f"{one.n_distinct:,} values: an identifier, not a category"
    else:
        roles.numeric.append(Feature(one.name, name))


def _is_code(one: Column) -> bool:
    return one.kind == "int64" and _CODE.search(one.name) is not None


def _of_time(
    rows: Rows, one: Column, moments: Moments, roles: Roles, known: Collection[str]
) -> None:
    if moments.column is None:
        roles.left_out[one.name] = "a time, and rows have no moment to compare it with"
        return
    moment = moments.column.sql
    same = f"{moments.key_sql(one)} = {moments.key_sql(moments.column)}"
    after, same_day = rows.one(
        f"SELECT avg(CAST({one.sql} > {moment}::TIMESTAMPTZ AS INTEGER)), "
        f"avg(CAST({same} AS INTEGER)) FROM {{rows}}"
    )
    if one is moments.day or (one.kind == "date" and same_day == 1):
        roles.left_out[one.name] = f"the {moments.grain.name} of {moment}"
        return
    if after > _MOST_LATER and one.name not in known:
        roles.left_out[one.name] = f"it lies after {moment} in {after:.0%} of the rows"
        return
    since = f"epoch({moment}::TIMESTAMPTZ - {one.sql}::TIMESTAMPTZ) / 86400"
    if moments.column.kind == one.kind == "date":
        since = f"{moment} - {one.sql}"
    roles.numeric.append(Feature(f"days_since_{one.name}"[:63], since))


def _of_moment(rows: Rows, moments: Moments, roles: Roles) -> None:
    """Add the hour and the day of the week of the row's moment, where they differ."""
    if moments.column is None or moments.grain.name in ("week", "month"):
        return
    local = name = moments.column.sql
    if moments.column.kind == "timestamp" and moments.timezone != "UTC":
        local = f"{local} AT TIME ZONE {text(moments.timezone)}"
    hours, days = rows.one(
        f"SELECT count(DISTINCT hour({name}::TIMESTAMPTZ)), count(DISTINCT isodow({name})) "
        "FROM {rows}"
    )
    if moments.column.kind == "timestamp" and hours > 1:
        roles.numeric.append(Feature("hour_of_day", f"hour({local})"))
    if days > 1:
        roles.numeric.append(Feature("day_of_week", f"isodow({local})"))


def _leave_out(roles: Roles, suspects: Mapping[str, str]) -> None:
    for features in (roles.categorical, roles.numeric, roles.texts):
        for one in [one for one in features if one.name in suspects]:
            features.remove(one)
            roles.left_out[one.name] = suspects[one.name]


def _unique_names(roles: Roles, columns: Collection[str]) -> None:
    """Rename what is computed and called like a column."""
    for features in (roles.categorical, roles.numeric):
        for number, one in enumerate(features):
            if one.name in columns and one.sql != column_sql(one.name):
                features[number] = Feature(f"{one.name}_feature", one.sql)


def _note(roles: Roles, rows: Rows, noted: Assumptions) -> None:
    kinds = {
        "categorical": roles.categorical,
        "numeric": roles.numeric,
        "text": roles.texts,
    }
    for kind, features in kinds.items():
        if features:
            names = ", ".join(one.name for one in features)
            noted.add("features", f"{len(features)} {kind}", names, "--ignore")
    if roles.personal:
        names = ", ".join(rows.columns[name].source_name for name in roles.personal)
        noted.add("personal", names, "never shown, no feature", "--ignore")
    for name, why in roles.left_out.items():
        column = rows.columns.get(name)
        noted.add("no feature", column.source_name if column else name, why)
