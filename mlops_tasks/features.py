"""Features and targets: one SQL text for training and for scoring, over pinned rows only."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from mlops_tasks.digest import row_hashes
from mlops_tasks.exceptions import FeatureError, LeakageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.spec import ModelSpec

    Rows: TypeAlias = pa.Table | ds.Dataset

__all__ = [
    "build_features",
    "build_targets",
    "feature_batches",
    "feature_frame",
    "join_targets",
    "model_frame",
]

TARGET = "y"
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
        If columns are missing or of another type, rows are lost or doubled, or a number is
        infinite.
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
    import pyarrow as pa

    expected = _count(inputs[spec.rows.name])
    keys = _KeyCount(spec)
    with _connect() as connection, _result(spec, inputs, connection) as reader:
        _check_columns(spec, reader.schema)
        known = [*spec.key, spec.as_of, *spec.features]
        others = [name for name in reader.schema.names if name not in {*known, TARGET}]
        wanted = known + others
        yield pa.RecordBatch.from_pylist([], reader.schema).select(wanted)
        for batch in reader:
            keys.add(batch)
            _check_time(spec, batch)
            _check_numbers(spec, batch)
            yield batch.select(wanted)
    if keys.n_rows != expected or keys.n_keys != expected:
        raise FeatureError(
            f"{_place(spec)} gives {keys.n_rows} rows, {keys.n_keys} of them with a key of their "
            f"own, for {expected} rows of {spec.rows.name!r}: a join loses or doubles rows"
        )


class _KeyCount:
    """Count rows and different keys of a stream that is ordered by key."""

    def __init__(self, spec: ModelSpec) -> None:
        self.key = list(spec.key)
        self.n_rows = self.n_keys = 0
        self._last: int | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        import pyarrow as pa

        hashes = row_hashes(pa.Table.from_batches([rows.select(self.key)]))
        if not len(hashes):
            return
        self.n_rows += len(hashes)
        self.n_keys += int((hashes[1:] != hashes[:-1]).sum()) + (int(hashes[0]) != self._last)
        self._last = int(hashes[-1])


def build_targets(spec: ModelSpec, labels: pa.Table) -> pa.Table:
    """Turn label rows into targets.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    labels : Table
        Rows of the label dataset.

    Returns
    -------
    Table
        Key and ``y``, 0 or 1; rows whose condition is null are left out: they are unknown.
    """
    import duckdb

    keys = ", ".join(f'"{name}"' for name in spec.key)
    condition = spec.label.positive
    with _connect() as connection:
        connection.register("labels", labels)
        try:
            return connection.sql(
                f"SELECT {keys}, CAST(({condition}) AS BIGINT) AS {TARGET} "  # noqa: S608
                f"FROM labels WHERE ({condition}) IS NOT NULL ORDER BY {keys}"
            ).to_arrow_table()
        except duckdb.Error as error:
            raise FeatureError(
                f"model {spec.name!r}: label condition {condition!r} does not run: {error}"
            ) from error


def join_targets(spec: ModelSpec, rows: pa.Table, targets: pa.Table) -> pa.Table:
    """Keep the rows whose target is known, and add it as ``y``.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows, targets : Table
        From `build_features` or a predictions partition, and from `build_targets`.

    Returns
    -------
    Table
        Ordered by key; without rows if no target is known.
    """
    return rows.join(targets, keys=list(spec.key), join_type="inner").sort_by(
        [(name, "ascending") for name in spec.key]
    )


def feature_frame(spec: ModelSpec, rows: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Return the features as the frame that the estimator sees, categorical columns first.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : Table or RecordBatch
        From `build_features` or `feature_batches`; nulls become NaN.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        In the order of `ModelSpec.features`.
    """
    frame: pd.DataFrame = rows.select(list(spec.features)).to_pandas()
    return frame


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
        Nulls are NaN.

    Raises
    ------
    FeatureError
        If the query does not give one of them any more.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", spec.features)]
    if missing := sorted(set(names) - set(rows.schema.names)):
        raise FeatureError(
            f"{_place(spec)} gives no column {missing}, which this version was trained on; keep it "
            "in the query, though not in the spec, until a version without it is the champion"
        )
    frame: pd.DataFrame = rows.select(names).to_pandas()
    return frame


@contextmanager
def _connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that sees only what is registered: no files, no network, no variables."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="features-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "enable_external_access": False,
            "python_enable_replacements": False,
            "memory_limit": _memory_limit(),
            "temp_directory": spill,
        }
        with duckdb.connect(config=config) as connection:
            # It cannot know how many rows Arrow holds, takes it for one, and would join row by row.
            for kind in ("asof_loop", "nested_loop"):
                connection.execute(f"SET {kind}_join_threshold = 0")
            yield connection


@contextmanager
def _result(
    spec: ModelSpec, inputs: Mapping[str, Rows], connection: duckdb.DuckDBPyConnection
) -> Iterator[pa.RecordBatchReader]:
    """Run the query and name what went wrong, also while its rows are fetched."""
    import duckdb

    sql = spec.features_sql.read_text().strip().rstrip(";")
    keys = ", ".join(f'"{name}"' for name in spec.key)
    for name, rows in inputs.items():
        connection.register(name, rows)
    try:
        query = f"SELECT * FROM ({sql}\n) ORDER BY {keys}"  # noqa: S608 (the project's own file)
        yield connection.sql(query).to_arrow_reader(_BATCH_ROWS)
    except duckdb.CatalogException as error:
        label = spec.label.dataset.name
        if re.search(rf"\b{label}\b", str(error)):
            raise LeakageError(
                f"{_place(spec)} reads {label!r}, which is known only afterwards; features may "
                f"read {sorted(inputs)}"
            ) from error
        raise FeatureError(f"{_place(spec)}: {error}") from error
    except duckdb.OutOfMemoryException as error:
        raise FeatureError(
            f"{_place(spec)} needs more than {_memory_limit()} of memory though it spills to disk: "
            "every core sorts a part of its own; set MLOPS_DUCKDB_MEMORY to 100MB per core or more"
        ) from error
    except duckdb.Error as error:
        raise FeatureError(f"{_place(spec)} does not run: {error}") from error


def _memory_limit() -> str:
    return os.environ.get("MLOPS_DUCKDB_MEMORY", "1GB")


def _count(rows: Rows) -> int:
    return int(rows.num_rows if hasattr(rows, "num_rows") else rows.count_rows())


def _place(spec: ModelSpec) -> str:
    return f"model {spec.name!r}, {spec.features_sql.name}"


def _check_columns(spec: ModelSpec, schema: pa.Schema) -> None:
    needed = [*spec.key, spec.as_of, *spec.observed_at, *spec.features]
    missing = [name for name in needed if name not in schema.names]
    if missing:
        raise FeatureError(f"{_place(spec)} gives no column {missing}; add it to the SELECT list")


def _check_time(spec: ModelSpec, table: pa.RecordBatch) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    asked = table.column(spec.as_of)
    for column in spec.observed_at:
        observed = table.column(column)
        try:
            # A row without a moment of asking has nothing before it; one without a fact is fine.
            before = pc.fill_null(pc.less(observed, asked), False)
        except pa.ArrowException as error:
            raise FeatureError(
                f"{_place(spec)}: {column!r} ({observed.type}) cannot be compared with "
                f"{spec.as_of!r} ({asked.type}); both must be instants"
            ) from error
        n_late = pc.sum(pc.and_(pc.is_valid(observed), pc.invert(before))).as_py() or 0
        if n_late:
            raise LeakageError(
                f"{_place(spec)}: {column!r} is not before {spec.as_of!r} in {n_late} of "
                f"{table.num_rows} rows; the join sees the future"
            )


def _check_numbers(spec: ModelSpec, table: pa.RecordBatch) -> None:
    import pyarrow.compute as pc
    import pyarrow.types as pt

    for column in spec.numeric:
        values = table.column(column)
        kind = values.type
        if not (pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind)):
            raise FeatureError(
                f"{_place(spec)}: numeric feature {column!r} is {kind}; write CAST(... AS DOUBLE) "
                "in the query"
            )
        if pt.is_floating(kind) and pc.any(pc.is_inf(values)).as_py():
            raise FeatureError(
                f"{_place(spec)}: feature {column!r} is infinite in {pc.sum(pc.is_inf(values))} "
                "rows; bound it in the query or in the dataset's suite"
            )
