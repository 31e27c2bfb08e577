"""Score: the champion's predictions for one day, as one partition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.features.feature_types import known_categories
from mlops_tasks.features.sql import feature_batches, model_frame
from mlops_tasks.features.windows import published_inputs
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.partitions import today
from mlops_tasks.problem_types.binary.estimator import predict_scores
from mlops_tasks.profiles import ProfileBuilder
from mlops_tasks.profiles.store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["ScoreResult", "score", "unseen_categories"]


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """One scored partition: which model version, how many rows, mean score."""

    predictions: PartitionVersion
    model_version: str
    mean_score: float
    unseen_categories: dict[str, int]


def score(
    spec: ModelSpec,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    token: int,
    known_at: str | None = None,
) -> ScoreResult:
    """Predict every row of one day with one model version and publish the partition.

    Rows are streamed: memory does not grow with the day.

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
    known_at : str, optional
        Day as of which the predictions are known; today by default, in the zone of the datasets.

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
    PartitionKeyError
        If `partition` is no day, or none that the rows' dataset can have by now.
    FeatureError, LeakageError
        If the features cannot be built.
    EstimatorError
        If the model gives no score to a row.
    """
    spec.rows.check_partition(partition)
    inputs = published_inputs(spec, lake, first=partition, last=partition)
    if inputs[spec.rows.name].count_rows() == 0:
        raise PartitionNotFoundError(
            f"model {spec.name!r}: {spec.rows.name!r} has no rows for {partition}; run "
            f"{spec.rows.name}.ingest for that day first"
        )
    model = tracking.load(champion.model_uri, champion.digest)
    stream = _Scored(spec, model, champion.version)
    predictions = overwrite_partition(
        lake.table(spec.predictions_table),
        partition,
        stream.reader(inputs),
        token=token,
        known_at=known_at or today(spec.timezone),
    )
    ProfileStore(lake).write(predictions, stream.profile.finish())
    return ScoreResult(
        predictions=predictions,
        model_version=champion.version,
        mean_score=round(stream.total / max(predictions.n_rows, 1), 5),
        unseen_categories=dict(stream.unseen),
    )


class _Scored:
    """The predictions as a stream, with what is counted on the way."""

    def __init__(self, spec: ModelSpec, model: Any, version: str) -> None:
        self.spec, self.model, self.version = spec, model, version
        self.total = 0.0
        self.unseen: Counter[str] = Counter()

    def reader(self, inputs: Mapping[str, Any]) -> pa.RecordBatchReader:
        import pyarrow as pa

        batches = feature_batches(self.spec, inputs)
        first = next(batches)  # the empty one, for its schema
        keys = [first.schema.field(name) for name in self.spec.key]
        columns = [*keys, pa.field("score", pa.float64()), pa.field("model_version", pa.string())]
        schema = pa.schema(columns)
        features = model_frame(self.spec, self.model, first).columns
        seen = [first.schema.field(str(name)) for name in features]
        self.seen = pa.schema([*seen, *columns[-2:]])
        self.profile = ProfileBuilder(self.seen, categorical=self.spec.categorical)
        scored = (self._score(batch, schema) for batch in batches if batch.num_rows)
        return pa.RecordBatchReader.from_batches(schema, scored)

    def _score(self, rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        import pyarrow as pa

        frame = model_frame(self.spec, self.model, rows)
        scores = predict_scores(self.spec, self.model, frame)
        self.total += float(scores.sum())
        self.unseen.update(unseen_categories(self.model, frame, self.spec.categorical))
        keys = [rows.column(name) for name in self.spec.key]
        versions = pa.array([self.version] * rows.num_rows, pa.string())
        seen = [*(rows.column(str(name)) for name in frame.columns), pa.array(scores), versions]
        self.profile.update(pa.RecordBatch.from_arrays(seen, schema=self.seen))
        return pa.RecordBatch.from_arrays([*keys, pa.array(scores), versions], schema=schema)


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
    known = known_categories(model)
    counts = {
        name: int((~frame[name].isin(known[name]) & frame[name].notna()).sum())
        for name in categorical
        if name in known
    }
    return {name: count for name, count in counts.items() if count}
