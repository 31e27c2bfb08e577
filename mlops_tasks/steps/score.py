"""Score: the champion's predictions for one day, as one partition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.features import feature_batches, model_frame, published_inputs, table_batches
from mlops_tasks.features.categories import unseen_categories
from mlops_tasks.features.feature_types import free_texts
from mlops_tasks.features.text import measure_fields, unpack_vocabularies, with_measures
from mlops_tasks.lake import PARTITION_COLUMN, overwrite_partition
from mlops_tasks.partitions import today
from mlops_tasks.problem_types import problem_type
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.by_day import DayProfiles
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.registry.artifacts import VOCABULARIES
from mlops_tasks.registry.champions import load_version
from mlops_tasks.specs import TableModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake import Lake, PartitionVersion, Table
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

    Booleans = npt.NDArray[np.bool_]

__all__ = ["ScoreResult", "score"]


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """One scored partition: which model version, and in a few words what it predicted."""

    predictions: PartitionVersion
    model_version: str
    summary: str
    unseen_categories: dict[str, int]


def score(
    spec: ModelSpec | TableModel,
    partition: str,
    champion: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    token: int,
    known_at: str | None = None,
    into: str | None = None,
) -> ScoreResult:
    """Predict every row of one day with one model version and publish the partition.

    Rows are streamed: memory does not grow with the day.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model; of a table, with the table to score.
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
    into : str, optional
        Table of the predictions; by default ``<model>__predictions``.

    Returns
    -------
    ScoreResult
        Reference to the partition, what was predicted, and how many rows had categories that the
        model has never seen, by column.

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
        If the model gives no prediction to a row.
    """
    import pyarrow as pa

    spec.check_partition(partition)
    batches = _batches(spec, partition, lake)
    problem = problem_type(spec.problem_type)
    model = load_version(champion, tracking=tracking)
    first = next(batches)  # the empty one, for its schema
    texts = free_texts(model)
    vocabularies = _vocabularies(champion, tracking) if texts else {}
    table = lake.table(into or spec.predictions_table)
    version = pa.field("model_version", pa.string())
    own = [*map(first.schema.field, spec.key), *problem.fields(model), version]
    foreign = _foreign_fields(table, own)
    published = pa.schema([*own, *foreign])
    features = _profiled_features(spec, model, first, texts, vocabularies)
    predicted = [published.field(name) for name in (*problem.profiled, "model_version")]
    seen = pa.schema([*features, *predicted])
    of_partition, unseen = spec.partition(partition), Counter[str]()
    profiles = DayProfiles(of_partition, seen, categorical=spec.categorical)

    def scored() -> Iterator[pa.RecordBatch]:
        for rows in batches:
            if rows.num_rows:
                frame = model_frame(spec, model, rows)
                answer = problem.predict(spec, model, frame)
                answer["model_version"] = pa.array([champion.version] * len(frame), pa.string())
                answer |= {field.name: pa.nulls(len(frame), field.type) for field in foreign}
                unseen.update(unseen_categories(model, frame, spec.categorical))
                moments = rows.column(spec.as_of) if profiles.days else None
                measured = with_measures(rows, texts, vocabularies)
                profiles.update(_batch(measured, answer, seen), moments)
                yield _batch(rows, answer, published)

    predictions = overwrite_partition(
        table,
        partition,
        pa.RecordBatchReader.from_batches(published, scored()),
        token=token,
        known_at=known_at or today(spec.timezone),
    )
    days = profiles.finish()
    found = Profile.merged(days.values())
    ProfileStore(lake).write(predictions, found, days)
    return ScoreResult(
        predictions=predictions,
        model_version=champion.version,
        summary=problem.describe_predictions(found, spec.threshold),
        unseen_categories=dict(unseen),
    )


def _batches(spec: ModelSpec | TableModel, partition: str, lake: Lake) -> Iterator[pa.RecordBatch]:
    if not isinstance(spec, TableModel):
        return feature_batches(spec, _inputs(spec, partition, lake))
    table = lake.table(spec.table)
    if not table.exists or partition not in table.partitions():
        raise PartitionNotFoundError(
            f"model {spec.name!r}: table {spec.table!r} has no rows for {partition}; publish that "
            f"{spec.grain} first, or wait for it with a PartitionSensor"
        )
    return table_batches(spec, partition, lake=lake)


def _inputs(spec: ModelSpec, partition: str, lake: Lake) -> dict[str, ds.Dataset]:
    inputs = published_inputs(spec, lake, first=partition, last=partition)
    if inputs[spec.rows.name].count_rows() == 0:
        raise PartitionNotFoundError(
            f"model {spec.name!r}: {spec.rows.name!r} has no rows for {partition}; run "
            f"{spec.rows.name}.ingest for that day first"
        )
    return inputs


def _profiled_features(
    spec: ModelSpec | TableModel,
    model: Any,
    rows: pa.RecordBatch,
    texts: Sequence[str],
    vocabularies: Mapping[str, Booleans],
) -> list[pa.Field]:
    """Return the features that a profile has: of a text only what is measured of it."""
    schema = with_measures(rows, texts, vocabularies).schema
    names = [str(name) for name in model_frame(spec, model, rows).columns if name not in texts]
    measured = [field.name for field in measure_fields(texts, vocabularies)]
    return [schema.field(name) for name in (*names, *measured)]


def _foreign_fields(table: Table, own: Iterable[pa.Field]) -> list[pa.Field]:
    """Return columns of other versions, as of a class that this one does not know."""
    known = {field.name for field in own} | {PARTITION_COLUMN}
    return [field for field in table.schema if field.name not in known] if table.exists else []


def _vocabularies(champion: RegisteredVersion, tracking: Tracking) -> dict[str, Booleans]:
    # What stands for a champion in a notebook may name no artifacts.
    if VOCABULARIES not in getattr(champion, "artifacts", ()):
        return {}
    return unpack_vocabularies(tracking.read_artifact(champion, VOCABULARIES))


def _batch(
    rows: pa.RecordBatch, answer: Mapping[str, pa.Array], schema: pa.Schema
) -> pa.RecordBatch:
    """Return columns of the rows, and of what the model answered, in the order of a schema."""
    import pyarrow as pa

    columns = [answer[name] if name in answer else rows.column(name) for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
