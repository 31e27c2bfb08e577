"""What a project will say: everything that was found, chosen and named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.scaffold.sql_text import column_sql, text

if TYPE_CHECKING:
    from mlops_tasks.scaffold.columns import Column, Rows
    from mlops_tasks.scaffold.estimators import Estimator
    from mlops_tasks.scaffold.label_rows import Labels
    from mlops_tasks.scaffold.moments import Moments
    from mlops_tasks.scaffold.roles import Roles
    from mlops_tasks.scaffold.targets import Target
    from mlops_tasks.scaffold.volume import Windows
    from mlops_tasks.sources import Connection

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A project before it is text.

    Attributes
    ----------
    model : str
        Its name.
    connection : Connection
        Where the source is.
    rows_name, labels_name : str
        Names of the two datasets.
    query : str
        The query that gives the rows; empty where a table or files do.
    rows : Rows
        The rows.
    key : tuple of str
        Their key.
    moments : Moments
        When they are.
    target, labels : Target, Labels
        What is predicted, and how it comes.
    roles : Roles
        What columns are for.
    windows : Windows
        Lengths of windows.
    estimator : Estimator
        The estimator.
    is_in_repository : bool
        Whether the packages are of the repository that the project is written into.
    allowed : tuple of str
        Features that look like leaks and are none, as a person has said.
    """

    model: str
    connection: Connection
    rows_name: str
    labels_name: str
    query: str
    rows: Rows
    key: tuple[str, ...]
    moments: Moments
    target: Target
    labels: Labels
    roles: Roles
    windows: Windows
    estimator: Estimator
    is_in_repository: bool
    allowed: tuple[str, ...] = ()

    @property
    def is_one_table(self) -> bool:
        """Whether rows and labels are of one table."""
        return self.target.rows is self.rows

    @property
    def rows_columns(self) -> list[Column]:
        """Columns of the rows dataset."""
        return [one for one in self.rows.columns.values() if one.name not in self.roles.later]

    @property
    def labels_columns(self) -> list[Column]:
        """Columns of the label dataset: the key, and what is known with the label."""
        of = self.target.rows.columns
        if self.is_one_table:
            return [of[name] for name in (*self.key, *self.roles.later)]
        time = self.labels.time_column
        taken = {*self.key, *self.target.columns}
        # Other columns of the label table come too late to be features: named, they cannot be.
        rows = {one.name for one in self.rows_columns}
        return [
            one
            for one in of.values()
            if one.name in taken or (one.name not in rows and one is not time)
        ]

    @property
    def as_of(self) -> str:
        """Name of the column with the row's own moment."""
        return next(
            name
            for name in ("asked_at", "moment", "moment_of_row")
            if name not in self.rows.columns
        )

    @property
    def moment_sql(self) -> str:
        """Expression of the row's own moment, over the rows dataset."""
        zone = text(self.moments.timezone)
        column = self.moments.column
        if column is None:
            rest = {"hour": " || ':00'", "month": " || '-01'"}.get(self.moments.grain.name)
            key = f"(partition_key{rest})" if rest else "partition_key"
            in_utc = "'UTC'" if self.moments.grain.name == "hour" else zone
            return f"{key}::TIMESTAMP AT TIME ZONE {in_utc}"
        name = column_sql(column.name)
        return name if column.kind == "timestamp" else f"{name}::TIMESTAMP AT TIME ZONE {zone}"
