"""Score: the champion's predictions for one day, as one partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.features import feature_frame
from mlops_tasks.types import ScoreResult
from mlops_tasks.windows import feature_rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import ModelSpec
    from mlops_tasks.tracking import RegisteredVersion, Tracking

__all__ = ["score", "unseen_categories"]


def score(
    spec: ModelSpec,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    token: int,
) -> ScoreResult:
    """Predict every row of one day with one model version and publish the partition.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        The day.
    champion : RegisteredVersion
        Resolved once by the caller; every row of the partition carries this version.
    lake, tracking : Lake, Tracking
        Where data and model are.
    token : int
        Number of this attempt, from `Ledger.next_token`.

    Returns
    -------
    ScoreResult
        Reference to the partition, mean score, and how many rows had categories that the model
        has never seen, by column.

    Raises
    ------
    PartitionNotFoundError
        If the day was never published.
    UnsafeModelError
        If the model's files are not those that were registered.
    FeatureError, LeakageError
        If the features cannot be built.
    """
    rows = feature_rows(spec, lake, first=partition, last=partition)
    if rows.num_rows == 0:
        raise PartitionNotFoundError(
            f"model {spec.name!r}: {spec.rows.name!r} has no rows for {partition}; run "
            f"{spec.rows.name}.ingest for that day first"
        )
    frame = feature_frame(spec, rows)
    model = tracking.load(champion.model_uri, champion.digest)
    scores = model.predict_proba(frame)[:, 1]
    predictions = lake.overwrite_partition(
        spec.predictions_table, partition, _table(spec, rows, scores, champion.version), token=token
    )
    return ScoreResult(
        predictions=predictions,
        model_version=champion.version,
        mean_score=round(float(scores.mean()), 5),
        unseen_categories=unseen_categories(model, frame, spec.categorical),
    )


def unseen_categories(
    model: Any, frame: pd.DataFrame, categorical: tuple[str, ...]
) -> dict[str, int]:
    """Count the rows whose category the model's encoder was not fitted on, by column.

    Parameters
    ----------
    model : Pipeline
        Its first step a ColumnTransformer; other models give no answer.
    frame : DataFrame of shape (n_samples, n_features)
        The features.
    categorical : tuple of str
        Columns to look at.

    Returns
    -------
    dict of str to int
        Only columns with at least one such row; missing values do not count.
    """
    known = _known_categories(model)
    counts = {
        name: int((~frame[name].isin(known[name]) & frame[name].notna()).sum())
        for name in categorical
        if name in known
    }
    return {name: count for name, count in counts.items() if count}


def _known_categories(model: Any) -> dict[str, list[Any]]:
    steps = getattr(getattr(model, "steps", [("", None)])[0][1], "transformers_", [])
    return {
        column: list(known)
        for _, encoder, columns in steps
        if hasattr(encoder, "categories_")
        for column, known in zip(columns, encoder.categories_, strict=True)
    }


def _table(spec: ModelSpec, rows: pa.Table, scores: Any, version: str) -> pa.Table:
    import pyarrow as pa

    keys = rows.select(list(spec.key))
    return keys.append_column("score", pa.array(scores, pa.float64())).append_column(
        "model_version", pa.array([version] * keys.num_rows, pa.string())
    )
