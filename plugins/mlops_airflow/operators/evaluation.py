"""Evaluate a challenger against the champion and let the gate judge."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink
from mlops_airflow.operators.base import StepOperator, dag_run_name
from mlops_tasks.evaluation import evaluate
from mlops_tasks.types import TrainingPin, TrainResult

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.spec import ModelSpec
    from mlops_tasks.types import Verdict

__all__ = ["EvaluateModelOperator"]


class EvaluateModelOperator(StepOperator):
    """Score challenger and champion on the same later rows and record the gate's verdict.

    Parameters
    ----------
    model : ModelSpec
        The model, with its gate.
    pin : dict
        Output of `PinTrainingDataOperator`.
    trained : dict
        Output of `TrainModelOperator`.
    """

    template_fields = ("pin", "trained")
    operator_extra_links = (MlflowRunLink(),)

    def __init__(self, *, model: ModelSpec, pin: Any, trained: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.pin = pin
        self.trained = trained

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate, record the verdict and return it."""
        tracking, pin = self.tracking(context), TrainingPin.from_json(self.pin)
        trained, champion = TrainResult(**self.trained), self.champion(self.model, tracking)
        verdict = evaluate(self.model, pin, trained, champion, lake=self.lake, tracking=tracking)
        self.ledger.record(
            model=self.model.name,
            kind="verdict",
            key=pin.as_of,
            evidence=asdict(verdict) | {"run_id": trained.run_id},
            dag_run=dag_run_name(context),
        )
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).run_url(tracking, trained.run_id)
        self._report(pin, verdict)
        return asdict(verdict)

    def _report(self, pin: TrainingPin, verdict: Verdict) -> None:
        rivals = {"challenger": verdict.challenger, "champion": verdict.champion or {}}
        facts: dict[str, Any] = {
            "verdict": verdict.verdict.upper(),
            "because": verdict.reason,
            "rows": f"{verdict.n_rows}, {' to '.join(pin.evaluation)}",
        }
        for who, values in rivals.items():
            facts[who] = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        facts["MLflow run"] = self.mlflow_run_url
        self.report(f"evaluated {self.model.name} as of {pin.as_of}", facts)
