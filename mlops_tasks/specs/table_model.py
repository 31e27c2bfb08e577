"""A model of one table: its columns are the features, and an expression over them is the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from mlops_tasks.names import check_name
from mlops_tasks.partitions import GRAINS, Grain, GrainName, Partition, check_begun, check_timezone
from mlops_tasks.specs.dataset import DatasetSpec
from mlops_tasks.specs.estimator import EstimatorSpec
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["BEGINS_AT", "TableModel"]

#: The row's own moment, where a table has no column for it: the beginning of its partition.
BEGINS_AT = "begins_at"


class TableModel(EstimatorSpec):
    """A model of one table of the lake, as operators make it from plain arguments.

    It needs no project and is plain JSON: it is kept beside each training, and says what a version
    is to be asked with.

    Attributes
    ----------
    name : str
        Registered model.
    table : str
        The table, or the `DatasetSpec` that is published as it: it then gives `columns`, `key`,
        `grain`, `timezone` and what is personal.
    target : str
        SQL expression over its columns; null means unknown. A condition (or 0 and 1) for a binary
        model, a text or an integer that names the class for a multiclass one, a finite number for
        a regression.
    columns : dict of str to str
        Its contract, if it is known before the table is read.
    key : tuple of str
        Columns that tell which row a prediction is of; needed to score.
    as_of : str
        Column with each row's own moment, an instant; by default the beginning of its partition.
    grain, timezone : str
        Of its partitions.
    personal : tuple of str
        Columns whose values no log, report or error shows.
    """

    table: str
    target: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    columns: dict[str, str] = Field(default_factory=dict)
    key: tuple[str, ...] = ()
    as_of: str = BEGINS_AT
    grain: GrainName = "day"
    timezone: str = "UTC"
    personal: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_dataset(cls, fields: Any) -> Any:
        """Take from a dataset what it says of its table."""
        dataset = fields.get("table")
        if not isinstance(dataset, DatasetSpec):
            return fields
        said = {
            "columns": dict(dataset.columns),
            "key": dataset.key,
            "grain": dataset.grain,
            "timezone": dataset.timezone or "UTC",
            "personal": tuple(name for name in dataset.columns if dataset.hides(name)),
        }
        if twice := sorted((said.keys() - {"key"}) & fields.keys()):
            raise ValueError(f"{twice}: the dataset {dataset.name!r} says that; leave it out")
        return said | fields | {"table": dataset.name}

    @field_validator("table")
    @classmethod
    def _check_table(cls, table: str) -> str:
        return check_name(table)

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, timezone: str) -> str:
        check_timezone(timezone)
        return timezone

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if self.columns:
            self.refuse_unknown(self.columns)
        if self.key and set(self.key) <= set(self.features):
            raise ValueError(f"{list(self.key)} name each row, there is nothing to learn from them")
        leaks = sorted(name for name in self.features if name == self.target)
        if leaks:
            raise ValueError(f"{leaks}: the target itself is a feature; remove it from them")
        return self

    def refuse_unknown(self, columns: Iterable[str]) -> None:
        """Refuse to be of a table without a column that is named.

        Raises
        ------
        ValueError
            Naming the column, and the closest one that is there.
        """
        valid = sorted(columns)
        own = () if self.as_of == BEGINS_AT else (self.as_of,)
        weight = () if self.weight is None else (self.weight,)
        for name in (*self.key, *own, *weight, *self.features):
            if name not in valid:
                raise ValueError(
                    f"table {self.table!r} has no column {name!r}; {did_you_mean(name, valid)}"
                )

    @property
    def target_sql(self) -> str:
        """The expression of its target."""
        return self.target

    @property
    def target_columns(self) -> Collection[str]:
        """The columns that it may read, as far as they are known."""
        return self.columns

    @property
    def max_classes(self) -> int:
        """How many classes its target may have; more are rather an identifier."""
        return 100

    @property
    def calendar(self) -> Grain:
        """The arithmetic of its partition keys."""
        return GRAINS[self.grain]

    @property
    def features_from(self) -> str:
        """Where its features are, for errors."""
        return f"table {self.table!r}"

    @property
    def labels_table(self) -> str:
        """Its targets are in the same table."""
        return self.table

    @property
    def predictions_table(self) -> str:
        """Where its predictions go."""
        return f"{self.name}__predictions"

    @property
    def has_personal(self) -> bool:
        """Whether any column holds values of people."""
        return bool(self.personal)

    def hides(self, column: str) -> bool:
        """Return whether the values of a column must not be shown."""
        return self.has_personal and (column in self.personal or column not in self.columns)

    def partition(self, key: str) -> Partition:
        """Return one of its partitions, with the instants between which it lies."""
        return Partition(key, self.timezone, self.calendar)

    def check_partition(self, partition: str) -> str:
        """Return `partition` if it is one of its grain and has begun."""
        check_begun(self.partition(partition), what=f"table {self.table!r}: partition key")
        return partition

    def on(self, table: DatasetSpec | str) -> TableModel:
        """Return the same model, of another table with the columns that it is asked with."""
        if table == self.table:
            return self
        dataset = isinstance(table, DatasetSpec)
        own = {"columns", *({"key", "grain", "timezone", "personal"} if dataset else ())}
        fields = self.model_dump(exclude={"table", *own})
        return TableModel(**fields, table=table)  # type: ignore[arg-type]

    def saved(self) -> dict[str, Any]:
        """Return it as plain JSON, what is not the default."""
        plain: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return plain

    @classmethod
    def restored(cls, raw: Mapping[str, Any]) -> TableModel:
        """Return what was saved."""
        return cls(**raw)
