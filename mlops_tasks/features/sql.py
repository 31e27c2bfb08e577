"""Features: one SQL text for training and for scoring, over pinned rows only."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from mlops_tasks.exceptions import FeatureError, LeakageError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.feature_types import (
    check_feature,
    check_number,
    decode,
    estimator_frame,
    fitted_forms,
    spec_forms,
)
from mlops_tasks.features.repeatable import check_repeatable, one_statement
from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.problem_types import TARGET
from mlops_tasks.specs.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.specs import ModelSpec

    Rows: TypeAlias = pa.Table | ds.Dataset

__all__ = [
    "build_features",
    "feature_batches",
    "feature_frame",
    "model_frame",
]

_BATCH_ROWS = 100_000


def build_features(spec: ModelSpec, inputs: Mapping[str, Rows]) -> pa.Table:
    """Run ``features.sql`` over the given rows and check what comes out.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    inputs : mapping of str to Table or Dataset
        The rows of each input dataset, under its name. Nothing else can be read by the query:
        neither files nor the label dataset.

    Returns
    -------
    Table
        Key, `as_of`, the features and whatever else the query gives, ordered by key, one row per
        row of the first input.

    Raises
    ------
    LeakageError
        If the query names the label dataset, or joins a fact observed at or after `as_of`.
    FeatureError
        If the query does not run, columns are missing or of a type that cannot be used, a row has
        no moment, rows are lost or doubled, or a number is infinite or not exact in a double.

    Notes
    -----
    The session's zone is UTC: ``hour(ts)`` is the hour in UTC on every machine. An ENUM comes as
    text, every other column in its own type; `feature_frame` says what the estimator gets.
    """
    import pyarrow as pa

    batches = list(feature_batches(spec, inputs))
    return pa.Table.from_batches(batches)


def feature_batches(spec: ModelSpec, inputs: Mapping[str, Rows]) -> Iterator[pa.RecordBatch]:
    """Run ``features.sql`` as a stream: the same rows and checks as `build_features`.

    Parameters
    ----------
    spec, inputs
        As for `build_features`. Datasets are streamed too; above the memory limit of
        ``MLOPS_DUCKDB_MEMORY`` (default 1GB) the query spills to disk.

    Yields
    ------
    RecordBatch
        At least one, empty if there are no rows. That no row was lost is known, and raised, only
        at the end: nothing may be published before the stream has ended.
    """
    wanted_keys, keys = _wanted_keys(spec, inputs[spec.rows.name]), _KeyCount(spec)
    with connect() as connection, _result(spec, inputs, connection) as (reader, sql_types):
        _check_columns(spec, reader.schema, sql_types)
        known = [*spec.key, spec.as_of, *spec.features]
        others = [name for name in reader.schema.names if name not in {*known, TARGET}]
        wanted = known + others
        for coded in chain([_no_rows(reader.schema)], reader):
            batch = decode(coded)
            keys.add(batch)
            _check_time(spec, batch)
            for name in spec.numeric:
                check_number(_place(spec), name, batch.column(name))
            yield batch.select(wanted)
    _compare_keys(spec, keys, wanted_keys)


class _KeyCount:
    """Count rows and different keys of a stream that is ordered by key."""

    def __init__(self, spec: ModelSpec) -> None:
        self.key = list(spec.key)
        self.n_rows = self.n_keys = self.total = 0
        self._last: int | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        import pyarrow as pa

        hashes = row_hashes(pa.Table.from_batches([rows.select(self.key)]))
        if not len(hashes):
            return
        self.n_rows += len(hashes)
        self.total = (self.total + int(hashes.sum())) % 2**64  # whatever the order
        self.n_keys += int((hashes[1:] != hashes[:-1]).sum()) + (int(hashes[0]) != self._last)
        self._last = int(hashes[-1])


def _wanted_keys(spec: ModelSpec, rows: Rows) -> _KeyCount:
    """Count the keys of the rows to score; not ordered, so how many differ is unknown."""
    import pyarrow as pa

    found, contract = _KeyCount(spec), arrow_schema(spec.rows)
    schema = pa.schema([contract.field(name).with_nullable(True) for name in spec.key])
    columns = list(spec.key)
    table = hasattr(rows, "num_rows")
    for batch in rows.to_batches() if table else rows.to_batches(columns=columns):
        found.add(batch.select(columns).cast(schema))
    return found


def _compare_keys(spec: ModelSpec, keys: _KeyCount, wanted: _KeyCount) -> None:
    if keys.n_rows != wanted.n_rows or keys.n_keys != wanted.n_rows:
        raise FeatureError(
            f"{_place(spec)} gives {keys.n_rows} rows, {keys.n_keys} of them with a key of their "
            f"own, for {wanted.n_rows} rows of {spec.rows.name!r}: a join loses or doubles rows, "
            "or a key comes again on another day and needs the day in it"
        )
    if keys.total != wanted.total:
        raise FeatureError(
            f"{_place(spec)} gives other keys {list(spec.key)} than the rows of "
            f"{spec.rows.name!r} have: no label would find its row; select the key as it is"
        )


def feature_frame(spec: ModelSpec, rows: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Return the features as the frame that an estimator is fitted on, categorical columns first.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : Table or RecordBatch
        From `build_features` or `feature_batches`.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        In the order of `ModelSpec.features`; categorical features are texts, an integer its digits
        and ``true`` or ``false`` for a bool, numeric ones ``float64``. Missing values are NaN.

    Raises
    ------
    FeatureError
        If a numeric feature has integers that a double cannot hold.
    """
    forms = spec_forms(spec.categorical, spec.features)
    return estimator_frame(_place(spec), rows, spec.features, forms)


def model_frame(spec: ModelSpec, model: Any, rows: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Return the features that a fitted model was trained on, in its order.

    An older version may know features that the spec has dropped since: the query may still give
    them, until a version without them is the champion.

    Parameters
    ----------
    spec : ModelSpec
        The model project.
    model : estimator
        Fitted on a DataFrame; its `feature_names_in_` counts, the spec where it has none.
    rows : Table or RecordBatch
        From `build_features` or `feature_batches`.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        As `feature_frame` for the training of this version: what was text then is text now.

    Raises
    ------
    FeatureError
        If the query does not give one of them any more, or not as a number that it was.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", spec.features)]
    if missing := sorted(set(names) - set(rows.schema.names)):
        raise FeatureError(
            f"{_place(spec)} gives no column {missing}, which this version was trained on; keep it "
            "in the query, though not in the spec, until a version without it is the champion"
        )
    forms = fitted_forms(model, names, spec.categorical)
    return estimator_frame(_place(spec), rows, names, forms)


@contextmanager
def _result(
    spec: ModelSpec, inputs: Mapping[str, Rows], connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[pa.RecordBatchReader, dict[str, str]]]:
    """Run the query; give its rows, and the type of each column in the query's own words."""
    import duckdb

    sql = _query(spec)
    keys = ", ".join(f'"{name}"' for name in spec.key)
    for name, rows in inputs.items():
        connection.register(name, rows)
    try:
        with explained(_place(spec), connection) as ask:
            check_repeatable(_place(spec), connection, sql)
            _refuse_twice(spec, ask(f"\n{sql}").columns)
            # The project's own file:
            result = ask(f"SELECT * FROM (\n{sql}\n) ORDER BY {keys}")  # noqa: S608
            types = dict(zip(result.columns, map(str, result.types), strict=True))
            yield result.to_arrow_reader(_BATCH_ROWS), types
    except FeatureError as error:
        label = spec.label.dataset.name
        unknown = isinstance(error.__cause__, duckdb.CatalogException)
        if unknown and re.search(rf"\b{label}\b", str(error.__cause__)):
            raise LeakageError(
                f"{_place(spec)} reads {label!r}, which is known only afterwards; features may "
                f"read {sorted(inputs)}"
            ) from error
        raise


def _query(spec: ModelSpec) -> str:
    try:
        text = spec.features_sql.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FeatureError(
            f"{_place(spec)} cannot be read as text in UTF-8: {error}; put the query there"
        ) from error
    return one_statement(_place(spec), text)


def _refuse_twice(spec: ModelSpec, names: list[str]) -> None:
    """Refuse a column that the query gives twice: DuckDB would take the first one."""
    needed = {spec.as_of, *spec.observed_at, *spec.features}
    lower = [name.lower() for name in names]
    if twice := sorted(name for name in needed if lower.count(name) > 1):
        raise FeatureError(
            f"{_place(spec)} gives {twice} more than once; leave one of each, for example by "
            "SELECT * EXCLUDE or REPLACE"
        )


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [column.combine_chunks() for column in schema.empty_table().columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _place(spec: ModelSpec) -> str:
    return f"model {spec.name!r}, {spec.features_sql.name}"


def _check_columns(spec: ModelSpec, schema: pa.Schema, sql_types: Mapping[str, str]) -> None:
    import pyarrow.types as pt

    needed = [*spec.key, spec.as_of, *spec.observed_at, *spec.features]
    missing = [name for name in needed if name not in schema.names]
    if missing:
        raise FeatureError(f"{_place(spec)} gives no column {missing}; add it to the SELECT list")
    _check_keys(spec, schema, sql_types)
    for name in (spec.as_of, *spec.observed_at):
        _check_moment(spec, name, schema.field(name).type, sql_types[name])
    for name in spec.features:
        kind, text = schema.field(name).type, name in spec.categorical
        check_feature(_place(spec), name, kind, sql_types[name], text=text)
    if unions := [field.name for field in schema if pt.is_union(field.type)]:
        raise FeatureError(
            f"{_place(spec)}: {unions} are unions, which no table can hold; cast them"
        )


def _check_keys(spec: ModelSpec, schema: pa.Schema, sql_types: Mapping[str, str]) -> None:
    contract = arrow_schema(spec.rows)
    for name in spec.key:
        if schema.field(name).type != contract.field(name).type:
            raise FeatureError(
                f"{_place(spec)} makes {sql_types[name]} of the key {name!r}, which is "
                f"{spec.rows.columns[name]} in {spec.rows.name!r}; select it as it is"
            )


def _check_moment(spec: ModelSpec, name: str, kind: pa.DataType, sql_type: str) -> None:
    import pyarrow.types as pt

    if not (pt.is_timestamp(kind) and kind.tz):
        raise FeatureError(
            f"{_place(spec)}: {name!r} is {sql_type} and must be an instant, TIMESTAMP WITH TIME "
            f"ZONE; write {name}::TIMESTAMP AT TIME ZONE 'UTC', with the zone whose clock it shows"
        )


def _check_time(spec: ModelSpec, rows: pa.RecordBatch) -> None:
    import pyarrow.compute as pc

    asked = rows.column(spec.as_of)
    for column in spec.observed_at:
        observed = rows.column(column)
        # A row without a moment of asking has nothing before it; one without a fact is fine.
        before = pc.fill_null(pc.less(observed, asked), False)
        n_late = pc.sum(pc.and_(pc.is_valid(observed), pc.invert(before))).as_py() or 0
        if n_late:
            raise LeakageError(
                f"{_place(spec)}: {column!r} is not before {spec.as_of!r} in {n_late} of "
                f"{rows.num_rows} rows; the join sees the future"
            )
    if asked.null_count:
        first = rows.select(list(spec.key)).filter(pc.is_null(asked)).slice(0, 1).to_pylist()[0]
        raise FeatureError(
            f"{_place(spec)}: as_of {spec.as_of!r} is null in {asked.null_count} of "
            f"{rows.num_rows} rows, first {first}; every row needs the moment it is asked for: "
            "leave the ? away from its column in the contract, so that such rows are quarantined"
        )
