"""Score: the champion's predictions for one day, as one partition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.features import feature_batches, free_texts, model_frame, published_inputs
from mlops_tasks.features.categories import unseen_categories
from mlops_tasks.features.text import measure_fields, unpack_vocabularies, with_measures
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.partitions import today
from mlops_tasks.problem_types.binary.classes import SCORE
from mlops_tasks.problem_types.binary.estimator import predict_scores
from mlops_tasks.profiles import ProfileBuilder
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.registry.tracking import VOCABULARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

    Booleans = npt.NDArray[np.bool_]

__all__ = ["ScoreResult", "score"]


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
    import pyarrow as pa

    spec.rows.check_partition(partition)
    inputs = published_inputs(spec, lake, first=partition, last=partition)
    if inputs[spec.rows.name].count_rows() == 0:
        raise PartitionNotFoundError(
            f"model {spec.name!r}: {spec.rows.name!r} has no rows for {partition}; run "
            f"{spec.rows.name}.ingest for that day first"
        )
    model = tracking.load(champion.model_uri, champion.digest)
    batches = feature_batches(spec, inputs)
    first = next(batches)  # the empty one, for its schema
    features = [str(name) for name in model_frame(spec, model, first).columns]
    texts, known = free_texts(spec, model), _vocabularies(champion, tracking)
    features = [name for name in features if name not in texts]
    features += [field.name for field in measure_fields(texts, known)]
    own = [pa.field(SCORE, pa.float64()), pa.field("model_version", pa.string())]
    published = pa.schema([*map(first.schema.field, spec.key), *own])
    measured = with_measures(first, texts, known)
    seen = pa.schema([*map(measured.schema.field, features), *own])
    profile, unseen = ProfileBuilder(seen, categorical=spec.categorical), Counter[str]()
    total = 0.0

    def scored() -> Iterator[pa.RecordBatch]:
        nonlocal total
        for rows in batches:
            if rows.num_rows:
                frame = model_frame(spec, model, rows)
                scores = predict_scores(spec, model, frame)
                total += float(scores.sum())
                unseen.update(unseen_categories(model, frame, spec.categorical))
                answer = [pa.array(scores), pa.array([champion.version] * len(scores), pa.string())]
                measured = with_measures(rows, texts, known)
                profile.update(_batch(measured, features, answer, seen))
                yield _batch(rows, spec.key, answer, published)

    predictions = overwrite_partition(
        lake.table(spec.predictions_table),
        partition,
        pa.RecordBatchReader.from_batches(published, scored()),
        token=token,
        known_at=known_at or today(spec.timezone),
    )
    ProfileStore(lake).write(predictions, profile.finish())
    return ScoreResult(
        predictions=predictions,
        model_version=champion.version,
        mean_score=round(total / max(predictions.n_rows, 1), 5),
        unseen_categories=dict(unseen),
    )


def _vocabularies(champion: RegisteredVersion, tracking: Tracking) -> dict[str, Booleans]:
    if VOCABULARIES not in champion.artifacts:
        return {}
    return unpack_vocabularies(tracking.read_artifact(champion, VOCABULARIES))


def _batch(
    rows: pa.RecordBatch, names: Iterable[str], answer: list[pa.Array], schema: pa.Schema
) -> pa.RecordBatch:
    """Return some columns of the rows beside what the model answered."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([*map(rows.column, names), *answer], schema=schema)
