"""Checks of feature rows, however they are made: whole, of usable types, blind to the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError, LeakageError
from mlops_tasks.features.feature_types import check_feature, spec_forms
from mlops_tasks.features.result import place
from mlops_tasks.lake import PARTITION_COLUMN
from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.lake.scan import damage_reported
from mlops_tasks.personal import redacted_row
from mlops_tasks.specs.schema import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.features.result import Advice, FeatureResult, Rows
    from mlops_tasks.specs import ModelSpec

__all__ = ["KeyCount", "check_columns", "check_time", "compare_keys", "refuse_twice", "wanted_keys"]


class KeyCount:
    """Count rows and different keys of a stream that is ordered by key."""

    def __init__(self, spec: ModelSpec) -> None:
        self.key = list(spec.key)
        self.n_rows = self.n_keys = self.total = 0
        self.partitions: set[str] = set()
        self._last: int | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        """Count the rows of the next batch."""
        import pyarrow as pa

        hashes = row_hashes(pa.Table.from_batches([rows.select(self.key)]))
        if not len(hashes):
            return
        self.n_rows += len(hashes)
        self.total = (self.total + int(hashes.sum())) % 2**64  # whatever the order
        self.n_keys += int((hashes[1:] != hashes[:-1]).sum()) + (int(hashes[0]) != self._last)
        self._last = int(hashes[-1])


def wanted_keys(spec: ModelSpec, rows: Rows) -> KeyCount:
    """Count keys and partitions of the rows to score; unordered, so how many differ is unknown."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found, contract = KeyCount(spec), arrow_schema(spec.rows)
    schema = pa.schema([contract.field(name).with_nullable(True) for name in spec.key])
    partition = [PARTITION_COLUMN] if PARTITION_COLUMN in rows.schema.names else []
    columns = [*spec.key, *partition]
    table = hasattr(rows, "num_rows")
    with damage_reported(spec.rows.name):
        for batch in rows.to_batches() if table else rows.to_batches(columns=columns):
            found.add(batch.select(list(spec.key)).cast(schema))
            for name in partition:
                found.partitions.update(pc.unique(batch.column(name)).to_pylist())
    return found


def compare_keys(spec: ModelSpec, keys: KeyCount, wanted: KeyCount) -> None:
    """Refuse rows that are not, one by one, those of the first input."""
    if keys.n_rows != wanted.n_rows or keys.n_keys != wanted.n_rows:
        raise FeatureError(
            f"{place(spec)} gives {keys.n_rows} rows, {keys.n_keys} of them with a key of their "
            f"own, for {wanted.n_rows} rows of {spec.rows.name!r}: a join loses or doubles rows, "
            "or a key comes again on another day and needs the day in it"
        )
    if keys.total != wanted.total:
        raise FeatureError(
            f"{place(spec)} gives other keys {list(spec.key)} than the rows of "
            f"{spec.rows.name!r} have: no label would find its row; select the key as it is"
        )


def refuse_twice(spec: ModelSpec, names: list[str], advice: Advice) -> None:
    """Refuse a column that is given twice: one of the two would be taken, nobody knows which."""
    needed = {*spec.key, spec.as_of, *spec.observed_at, *spec.features}
    lower = [name.lower() for name in names]
    if twice := sorted(name for name in needed if lower.count(name.lower()) > 1):
        raise FeatureError(f"{place(spec)} gives {twice} more than once; {advice.twice}")


def check_columns(spec: ModelSpec, result: FeatureResult) -> None:
    """Refuse a result that lacks a column, or has one of a type that cannot be used."""
    import pyarrow.types as pt

    schema, types, advice = result.schema, result.types, result.advice
    needed = [*spec.key, spec.as_of, *spec.observed_at, *spec.features]
    missing = [name for name in needed if name not in schema.names]
    if missing:
        raise FeatureError(f"{place(spec)} gives no column {missing}; {advice.missing}")
    _check_keys(spec, result)
    for name in (spec.as_of, *spec.observed_at):
        kind = schema.field(name).type
        if not (pt.is_timestamp(kind) and kind.tz):
            raise FeatureError(
                f"{place(spec)}: {name!r} is {types[name]} and must be an instant, "
                f"{advice.instant.format(name=name)}"
            )
    for name, form in spec_forms(spec.categorical, spec.features, spec.text).items():
        check_feature(place(spec), name, schema.field(name).type, types[name], advice, form=form)
    if unions := [field.name for field in schema if pt.is_union(field.type)]:
        raise FeatureError(
            f"{place(spec)}: {unions} are unions, which no table can hold; cast them"
        )


def _check_keys(spec: ModelSpec, result: FeatureResult) -> None:
    contract = arrow_schema(spec.rows)
    for name in spec.key:
        if result.schema.field(name).type != contract.field(name).type:
            raise FeatureError(
                f"{place(spec)} makes {result.types[name]} of the key {name!r}, which is "
                f"{spec.rows.columns[name]} in {spec.rows.name!r}; select it as it is"
            )


def check_time(spec: ModelSpec, rows: pa.RecordBatch) -> None:
    """Refuse rows without a moment, and rows that know what was not known yet."""
    import pyarrow.compute as pc

    asked = rows.column(spec.as_of)
    for column in spec.observed_at:
        observed = rows.column(column)
        # A row without a moment of asking has nothing before it; one without a fact is fine.
        before = pc.fill_null(pc.less(observed, asked), False)
        n_late = pc.sum(pc.and_(pc.is_valid(observed), pc.invert(before))).as_py() or 0
        if n_late:
            raise LeakageError(
                f"{place(spec)}: {column!r} is not before {spec.as_of!r} in {n_late} of "
                f"{rows.num_rows} rows; the join sees the future"
            )
    if asked.null_count:
        first = rows.select(list(spec.key)).filter(pc.is_null(asked)).slice(0, 1).to_pylist()[0]
        raise FeatureError(
            f"{place(spec)}: as_of {spec.as_of!r} is null in {asked.null_count} of "
            f"{rows.num_rows} rows, first {redacted_row(spec, first)}; every row needs the moment "
            "it is asked for: leave the ? away from its column in the contract, so that such rows "
            "are quarantined"
        )
