"""Train on pinned data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink
from mlops_airflow.operators.base import StepOperator
from mlops_tasks.lake import TrainingPin
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec

__all__ = ["TrainModelOperator"]


class TrainModelOperator(StepOperator):
    """Fit a model on pinned data and log it to MLflow.

    Parameters
    ----------
    model : ModelSpec
        The model.
    pin : dict
        Output of `PinTrainingDataOperator`.
    """

    template_fields = ("pin",)
    operator_extra_links = (MlflowRunLink(),)

    def __init__(self, *, model: ModelSpec, pin: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.pin = pin

    def execute(self, context: Context) -> dict[str, Any]:
        """Train and return the references to run and model."""
        tracking, pin = self.tracking(context), from_json(TrainingPin, self.pin)
        result = train(self.model, pin, lake=self.lake, tracking=tracking)
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).run_url(tracking, result.run_id)
        facts = {
            "rows": result.n_rows,
            "target": ", ".join(f"{name} {value:g}" for name, value in result.target.items()),
            "classes": ", ".join(result.classes[:20]),
            "fit": f"{result.fit_s} s",
            "leak suspects": [suspect.text for suspect in result.suspects],
            "model": f"{result.model_uri}, files {result.digest[:12]}",
            "MLflow run": self.mlflow_run_url,
        }
        self.report(f"trained {self.model.name} as of {pin.as_of}", facts)
        return to_json(result)
