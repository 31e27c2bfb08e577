"""Features and targets: one SQL text for training and for scoring, over pinned rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError, LeakageError, NoLabelsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.spec import ModelSpec

__all__ = ["build_features", "build_targets", "feature_frame", "join_targets"]

TARGET = "y"


def build_features(spec: ModelSpec, inputs: Mapping[str, pa.Table]) -> pa.Table:
    """Run ``features.sql`` over the given rows and check what comes out.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    inputs : mapping of str to Table
        One table per input dataset, under its name. Nothing else can be read by the query:
        neither files nor the label dataset.

    Returns
    -------
    Table
        Key, `as_of` and the features, ordered by key, one row per row of the first input.

    Raises
    ------
    LeakageError
        If the query names the label dataset, or joins a fact observed at or after `as_of`.
    FeatureError
        If columns are missing or of another type, rows are lost or doubled, or a number is
        infinite.
    """
    table = _run(spec, inputs)
    needed = [*spec.key, spec.as_of, *spec.observed_at, *spec.features]
    missing = [name for name in needed if name not in table.schema.names]
    if missing:
        raise FeatureError(f"{_place(spec)} gives no column {missing}; add it to the SELECT list")
    _check_rows(spec, table, inputs[spec.rows.name].num_rows)
    _check_time(spec, table)
    _check_numbers(spec, table)
    return table.select([*spec.key, spec.as_of, *spec.features])


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
        Ordered by key.

    Raises
    ------
    NoLabelsError
        If no row has a target, or all targets are the same.
    """
    import pyarrow.compute as pc

    joined = rows.join(targets, keys=list(spec.key), join_type="inner").sort_by(
        [(name, "ascending") for name in spec.key]
    )
    kinds = pc.count_distinct(joined.column(TARGET)).as_py()
    if kinds < 2:
        raise NoLabelsError(
            f"model {spec.name!r}: {joined.num_rows} of {rows.num_rows} rows have a label from "
            f"{spec.label.dataset.name!r}, {kinds} kind(s) of it; both classes are needed. Are the "
            "labels of these days ingested?"
        )
    return joined


def feature_frame(spec: ModelSpec, rows: pa.Table) -> pd.DataFrame:
    """Return the features as the frame that the estimator sees, categorical columns first.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : Table
        From `build_features`; nulls become NaN.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        In the order of `ModelSpec.features`.
    """
    frame: pd.DataFrame = rows.select(list(spec.features)).to_pandas()
    return frame


def _connect() -> duckdb.DuckDBPyConnection:
    """Open a database that sees only what is registered: no files, no network, no variables."""
    import duckdb

    return duckdb.connect(
        config={"enable_external_access": False, "python_enable_replacements": False}
    )


def _run(spec: ModelSpec, inputs: Mapping[str, pa.Table]) -> pa.Table:
    import duckdb

    sql = spec.features_sql.read_text().strip().rstrip(";")
    keys = ", ".join(f'"{name}"' for name in spec.key)
    with _connect() as connection:
        for name, rows in inputs.items():
            connection.register(name, rows)
        try:
            return connection.sql(
                f"SELECT * FROM ({sql}\n) ORDER BY {keys}"  # noqa: S608 (the project's own file)
            ).to_arrow_table()
        except duckdb.CatalogException as error:
            label = spec.label.dataset.name
            if label in str(error):
                raise LeakageError(
                    f"{_place(spec)} reads {label!r}, which is known only afterwards; features may "
                    f"read {sorted(inputs)}"
                ) from error
            raise FeatureError(f"{_place(spec)}: {error}") from error
        except duckdb.Error as error:
            raise FeatureError(f"{_place(spec)} does not run: {error}") from error


def _place(spec: ModelSpec) -> str:
    return f"model {spec.name!r}, {spec.features_sql.name}"


def _check_rows(spec: ModelSpec, table: pa.Table, expected: int) -> None:
    n_keys = table.group_by(list(spec.key)).aggregate([]).num_rows
    if table.num_rows != expected or n_keys != expected:
        raise FeatureError(
            f"{_place(spec)} gives {table.num_rows} rows, {n_keys} of them with a key of their "
            f"own, for {expected} rows of {spec.rows.name!r}: a join loses or doubles rows"
        )


def _check_time(spec: ModelSpec, table: pa.Table) -> None:
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


def _check_numbers(spec: ModelSpec, table: pa.Table) -> None:
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
