"""Rows of one table as the features of a model: its columns are taken as they are."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError, SpecError
from mlops_tasks.features.feature_types import check_feature, check_number, spec_forms
from mlops_tasks.features.result import Advice, place
from mlops_tasks.features.targets import add_targets
from mlops_tasks.lake.scan import damage_reported, prefetch
from mlops_tasks.lake.schema import PARTITION_COLUMN
from mlops_tasks.specs.table_model import BEGINS_AT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Commit, Lake, Table, TrainingPin
    from mlops_tasks.specs import TableModel

__all__ = ["check_table", "labelled_table_rows", "table_batches"]

_CAST = "ingest {name} as a column of another type, or of a derived dataset that casts it"
_ADVICE = Advice(
    missing="name a column that it has",
    twice="leave one of each",
    number=_CAST,
    text=_CAST,
    seconds=_CAST,
    instant="a timestamp",
)


def labelled_table_rows(
    spec: TableModel, pin: TrainingPin, window: tuple[str, str], *, lake: Lake
) -> tuple[pa.Table, int]:
    """Return the pinned rows of a window whose target is known, as ``y``, and how many there are.

    They are in the order of the key, or as they were written where the model has none.
    """
    import pyarrow as pa

    table = lake.table(pin.labels.table)
    commits = table.pinned_commits(pin.labels, first=window[0], last=window[1])
    rows = pa.Table.from_batches(list(_checked(spec, table, commits, columns=None)))
    if spec.key:
        rows = rows.sort_by([(name, "ascending") for name in spec.key])
    return add_targets(spec, rows), rows.num_rows


def table_batches(spec: TableModel, partition: str, *, lake: Lake) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a published partition: key, moment and features, an empty batch first.

    Parameters
    ----------
    spec : TableModel
        The model, with its table.
    partition : str
        Its key.
    lake : Lake
        The data.

    Yields
    ------
    RecordBatch
        Memory does not grow with the partition.
    """
    table = lake.table(spec.table)
    commits = table.commits(first=partition, last=partition)
    moment = () if spec.as_of == BEGINS_AT else (spec.as_of,)
    columns = list(dict.fromkeys((*spec.key, *moment, *spec.features)))
    yield from _checked(spec, table, commits, columns=columns)


def check_table(spec: TableModel, table: Table) -> None:
    """Refuse a table that lacks a column of the model, or has it in a type that cannot be used.

    Parameters
    ----------
    spec : TableModel
        The model.
    table : Table
        Its table, as it is now.

    Raises
    ------
    SpecError
        If there is no such column.
    FeatureError
        If its type is none of a feature.
    """
    import pyarrow.types as pt

    schema = table.schema
    try:
        spec.refuse_unknown(schema.names)
    except ValueError as error:
        raise SpecError(f"model {spec.name!r}: {error}") from None
    for name, form in spec_forms(spec.categorical, spec.features, spec.text).items():
        kind = schema.field(name).type
        check_feature(place(spec), name, kind, str(kind), _ADVICE, form=form)
    if spec.as_of in schema.names:
        kind = schema.field(spec.as_of).type
        if not (pt.is_timestamp(kind) and kind.tz):
            raise FeatureError(f"{place(spec)}: as_of {spec.as_of!r} is {kind} and no instant")


def _checked(
    spec: TableModel, table: Table, commits: Sequence[Commit], *, columns: list[str] | None
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    check_table(spec, table)
    named = None if columns is None else [*columns, PARTITION_COLUMN]
    dataset = table.scan(commits, columns=named)
    none = pa.RecordBatch.from_pylist([], dataset.schema)
    with damage_reported(table.name):
        for batch in chain([none], prefetch(dataset)):
            for name in spec.numeric:
                check_number(place(spec), name, batch.column(name))
            yield _with_moment(spec, batch)


def _with_moment(spec: TableModel, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add when the partition of each row begins, and leave its key away."""
    import pyarrow as pa

    keys = batch.column(PARTITION_COLUMN).cast(pa.string()).dictionary_encode()
    rows = batch.drop_columns([PARTITION_COLUMN])
    if spec.as_of in rows.schema.names:
        return rows
    begins = [spec.partition(key).start for key in keys.dictionary.to_pylist()]
    moments = pa.array(begins, pa.timestamp("us", "UTC")).take(keys.indices)
    return rows.append_column(pa.field(spec.as_of, moments.type), moments)
