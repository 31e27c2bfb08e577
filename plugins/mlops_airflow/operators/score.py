"""Score one day with the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, key_of, partition_of
from mlops_airflow.operators.plain_arguments import (
    check_table_name,
    model_name,
    named_version,
    saved_model,
)
from mlops_tasks.exceptions import NoChampionError, SpecError
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.spelling import did_you_mean
from mlops_tasks.steps.score import score

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec, TableModel
    from mlops_tasks.steps.score import ScoreResult

__all__ = ["ScorePartitionOperator"]


class ScorePartitionOperator(StepOperator):
    """Predict every row of a partition with the champion; skipped before there is one.

    Parameters
    ----------
    model : ModelSpec or str
        The model of a project; or the name of one that was trained on a table, templated:
        ``no_show`` for its champion, ``models:/no_show@challenger``, ``models:/no_show/3``.
    table : DatasetSpec or str, optional
        With a name, the table to score, templated; by default the one of the training.
    into : str, optional
        With a name, the table of the predictions, templated; by default ``<model>__predictions``.
    key : tuple of str, optional
        With a name, the columns that say which row a prediction is of; by default the dataset's.
    partition : str, optional
        Which partition, templated; by default the run's partition key.

    Notes
    -----
    XCom: a `ScoreResult`: the partition of predictions as a `PartitionVersion`, the model version,
    and in a few words what was predicted.
    """

    template_fields = ("named", "table", "into", "partition")
    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self,
        *,
        model: ModelSpec | str,
        table: DatasetSpec | str | None = None,
        into: str | None = None,
        key: tuple[str, ...] = (),
        partition: str | None = None,
        **kwargs: Any,
    ) -> None:
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        _check(who, model, table, into, key)
        super().__init__(**kwargs)
        # What is no text is no template: its whole repr would be kept with each run.
        self.named = model if isinstance(model, str) else None
        self.model = None if isinstance(model, str) else model
        self.table = table if isinstance(table, str) else None
        self.dataset = None if isinstance(table, str) else table
        self.into, self.key, self.partition = into, tuple(key), partition

    def execute(self, context: Context) -> dict[str, Any]:
        """Score and return the reference to the predictions."""
        partition, tracking = self._partition(context), self.tracking(context)
        version = self._version(tracking)
        self.asked = model = self._asked(version, tracking)
        into = self.into or model.predictions_table
        result = score(
            model,
            partition,
            version,
            lake=self.lake,
            tracking=tracking,
            token=self.next_token(partition, into),
            into=into,
        )
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        self._report(model, version, result)
        self.announce(context, to_json(result.predictions) | {"model_version": version.version})
        return to_json(result)

    def _partition(self, context: Context) -> str:
        if self.model is None:
            return key_of(context, self.partition)
        return partition_of(context, self.model.rows, self.partition)

    def _version(self, tracking: Tracking) -> RegisteredVersion:
        """Return the version to score with, or skip while there is no champion."""
        name = self.named or (self.model.name if self.model else "")
        try:
            return named_version(name, tracking=tracking, ledger=self.ledger, who=self.task_id)
        except NoChampionError as error:
            first = f"promote a version of {name!r}" if self.named else f"trigger {name}.train"
            raise AirflowSkipException(f"no champion yet; {first} first") from error

    def _asked(self, version: RegisteredVersion, tracking: Tracking) -> ModelSpec | TableModel:
        """Return what the version is asked with."""
        if self.model is not None:
            return self.model
        model = saved_model(version, tracking=tracking)
        if (table := self.dataset or self.table) is not None:
            model = model.on(table)
        if self.key:
            model = model.model_copy(update={"key": self.key})
        if not model.key:
            raise SpecError(
                f"model {model.name!r}: nothing says which row of {model.table!r} a prediction is "
                "of; give key=, or table= as a DatasetSpec, which has a key"
            )
        return model

    def _report(
        self, model: ModelSpec | TableModel, version: RegisteredVersion, result: ScoreResult
    ) -> None:
        facts = {
            "champion": f"version {version.version}, files {version.digest[:12]}",
            "rows": result.predictions.n_rows,
            "predicted": result.summary,
            "unseen": [f"{n} rows, {name}" for name, n in result.unseen_categories.items()],
            "table": f"{result.predictions.table} version {result.predictions.version}",
            "page": self.mlflow_version_url,
        }
        self.report(f"scored {model.name} {result.predictions.partition}", facts)


def _check(
    who: str,
    model: ModelSpec | str,
    table: DatasetSpec | str | None,
    into: str | None,
    key: tuple[str, ...],
) -> None:
    """Refuse, while the Dag is parsed, what cannot be scored."""
    if not isinstance(model, str):
        given = {"table": table, "into": into, "key": key or None}
        if named := sorted(name for name, value in given.items() if value is not None):
            raise SpecError(
                f"{who}: {named} belong to a model that is named by a text; the ModelSpec of "
                f"{model.name!r} says that"
            )
        return
    if "{{" not in model:
        model_name(who, model)
    for argument, name in (("table", table), ("into", into)):
        if isinstance(name, str):
            check_table_name(who, argument, name)
    known = table.columns if isinstance(table, DatasetSpec) else key
    if unknown := [name for name in key if name not in known]:
        raise SpecError(f"{who}: key= names {unknown}; {did_you_mean(unknown[0], known)}")
