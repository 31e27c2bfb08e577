"""Score one day with the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, partition_of
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.score import score

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.score import ScoreResult

__all__ = ["ScorePartitionOperator"]


class ScorePartitionOperator(StepOperator):
    """Predict every row of the run's day with the champion; skipped before there is one.

    Parameters
    ----------
    model : ModelSpec
        The model.
    """

    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Score and return the reference to the predictions."""
        day, tracking = partition_of(context, self.model.rows), self.tracking(context)
        champion = self.champion(self.model, tracking)
        if champion is None:
            raise AirflowSkipException(f"no champion yet; trigger {self.model.name}.train first")
        result = score(
            self.model,
            day,
            champion,
            lake=self.lake,
            tracking=tracking,
            token=self.next_token(day, self.model.predictions_table),
        )
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(champion)
        self._report(day, champion, result)
        self.announce(context, to_json(result.predictions) | {"model_version": champion.version})
        return to_json(result)

    def _report(self, day: str, champion: RegisteredVersion, result: ScoreResult) -> None:
        facts = {
            "champion": f"version {champion.version}, files {champion.digest[:12]}",
            "rows": result.predictions.n_rows,
            "predicted": result.summary,
            "unseen": [f"{n} rows, {name}" for name, n in result.unseen_categories.items()],
            "table": f"{result.predictions.table} version {result.predictions.version}",
            "page": self.mlflow_version_url,
        }
        self.report(f"scored {self.model.name} {day}", facts)
