"""Features: one text for training and for scoring, over pinned rows only, checked row by row."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.feature_types import (
    check_number,
    decode,
    estimator_frame,
    fitted_forms,
    spec_forms,
)
from mlops_tasks.features.moments import MomentBounds
from mlops_tasks.features.python import python_features
from mlops_tasks.features.result import place
from mlops_tasks.features.row_checks import (
    KeyCount,
    check_columns,
    check_time,
    compare_keys,
    wanted_keys,
)
from mlops_tasks.features.sql import sql_features
from mlops_tasks.problem_types import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.features.result import FeatureResult, Rows
    from mlops_tasks.specs import EstimatorSpec, ModelSpec

__all__ = ["build_features", "feature_batches", "feature_frame", "model_frame"]


def build_features(spec: ModelSpec, inputs: Mapping[str, Rows]) -> pa.Table:
    """Run the query or the function of a model over the given rows and check what comes out.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    inputs : mapping of str to Table or Dataset
        The rows of each input dataset, under its name. Nothing else can be read by a query:
        neither files nor the label dataset.

    Returns
    -------
    Table
        Key, `as_of`, the features and whatever else is given, ordered by key, one row per row of
        the first input.

    Raises
    ------
    LeakageError
        If it names the label dataset, or joins a fact observed at or after `as_of`.
    FeatureError
        If it does not run, columns are missing or of a type that cannot be used, a row has no
        moment, or none of its own, rows are lost or doubled, or a number is infinite or not exact
        in a double.

    Notes
    -----
    The zone of a query is UTC: ``hour(ts)`` is the hour in UTC on every machine. An ENUM or a
    dictionary comes as text, every other column in its own type; `feature_frame` says what the
    estimator gets.
    """
    import pyarrow as pa

    batches = list(feature_batches(spec, inputs))
    return pa.Table.from_batches(batches)


def feature_batches(spec: ModelSpec, inputs: Mapping[str, Rows]) -> Iterator[pa.RecordBatch]:
    """Make the features as a stream: the same rows and checks as `build_features`.

    Parameters
    ----------
    spec, inputs
        As for `build_features`. A query streams datasets, too, and spills to disk above the memory
        limit of ``MLOPS_DUCKDB_MEMORY`` (default 1GB); a function gets them whole.

    Yields
    ------
    RecordBatch
        At least one, empty if there are no rows. That no row was lost is known, and raised, only
        at the end: nothing may be published before the stream has ended.
    """
    wanted, keys = wanted_keys(spec, inputs[spec.rows.name]), KeyCount(spec)
    moments = MomentBounds(spec, wanted.partitions)
    with _made(spec, inputs) as result:
        check_columns(spec, result)
        known = [*spec.key, spec.as_of, *spec.features]
        others = [name for name in result.schema.names if name not in {*known, TARGET}]
        for coded in chain([_no_rows(result.schema)], result.batches):
            batch = decode(coded)
            keys.add(batch)
            check_time(spec, batch)
            moments.check(batch)
            for name in spec.numeric:
                check_number(place(spec), name, batch.column(name))
            yield batch.select(known + others)
    compare_keys(spec, keys, wanted)


def _made(spec: ModelSpec, inputs: Mapping[str, Rows]) -> AbstractContextManager[FeatureResult]:
    if spec.features_sql is not None:
        return sql_features(spec, spec.features_sql, inputs)
    return python_features(spec, str(spec.features_python), inputs)


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [column.combine_chunks() for column in schema.empty_table().columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def feature_frame(spec: EstimatorSpec, rows: pa.Table | pa.RecordBatch) -> pd.DataFrame:
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
        and ``true`` or ``false`` for a bool, numeric ones ``float64``. Missing values are NaN, and
        ``""`` in a text feature.

    Raises
    ------
    FeatureError
        If a numeric feature has integers that a double cannot hold.
    """
    forms = spec_forms(spec.categorical, spec.features, spec.text)
    return estimator_frame(place(spec), rows, spec.features, forms)


def model_frame(spec: EstimatorSpec, model: Any, rows: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Return the features that a fitted model was trained on, in its order.

    An older version may know features that the spec has dropped since: they may still be given,
    until a version without them is the champion.

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
        If one of them is not given any more, or not as a number that it was.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", spec.features)]
    if missing := sorted(set(names) - set(rows.schema.names)):
        raise FeatureError(
            f"{place(spec)} gives no column {missing}, which this version was trained on; keep it "
            "there, though not in the spec, until a version without it is the champion"
        )
    forms = fitted_forms(model, names, spec.categorical)
    return estimator_frame(place(spec), rows, names, forms)
