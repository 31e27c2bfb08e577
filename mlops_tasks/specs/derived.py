"""A dataset computed from others: features that several models share, made once."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_tasks.specs.model import InputSpec
from mlops_tasks.specs.source import ConnId, RowQuery, SourceSpec

__all__ = ["DerivedSource"]


class DerivedSource(SourceSpec):
    """What a query makes of other datasets of the lake.

    The partitions of a derived dataset are those of its inputs: one is computed when all of them
    have published theirs, and again when one of them has published it anew.

    Attributes
    ----------
    conn_id : str
        Airflow connection of the lake.
    inputs : tuple of InputSpec
        The datasets, each with its `lookback_days` before the partition.
    query : str
        DuckDB SQL over the inputs under their names, with their `partition_key`, and over
        ``this_partition``, a single row: its `partition_key`, and `begins_at` and `ends_at`, the
        instants between which it lies. It gives the rows of the partition, by the contract.
    """

    kind: Literal["derived"] = "derived"
    conn_id: ConnId = "lake_default"
    inputs: tuple[InputSpec, ...] = Field(min_length=1)
    query: RowQuery

    @property
    def reads(self) -> tuple[InputSpec, ...]:
        """The inputs."""
        return self.inputs

    @property
    def names_columns(self) -> bool:
        """The query does."""
        return True

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [item.dataset.name for item in self.inputs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"inputs name {twice} twice; each dataset is one input")
        if self.time_column is not None:
            raise ValueError("time_column: the rows are those of the partition, whatever they say")
        if self.snapshot:
            raise ValueError("snapshot: what is derived has the partitions of its inputs")
        return self
