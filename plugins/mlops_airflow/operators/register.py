"""Register a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook, airflow_tags
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_airflow.operators.plain_arguments import model_name
from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.register import register

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec

__all__ = ["RegisterModelOperator"]


class RegisterModelOperator(StepOperator):
    """Register a trained model with its verdict and point the alias ``challenger`` at it.

    Parameters
    ----------
    model : ModelSpec or str
        The model, or the name of the registered model.
    trained : dict
        Output of `TrainModelOperator`.
    verdict : dict, optional
        Output of `EvaluateModelOperator`; without one the version says that nobody has judged it.

    Notes
    -----
    XCom: a `RegisteredVersion`, with name, version, MLflow run and digest.
    """

    template_fields = ("trained", "verdict")
    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self, *, model: ModelSpec | str, trained: Any, verdict: Any = None, **kwargs: Any
    ) -> None:
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        name, *rest = model_name(who, model) if isinstance(model, str) else (model.name,)
        if any(rest):
            raise SpecError(f"{who}: model={model!r} names a version; write {name!r} for a new one")
        super().__init__(**kwargs)
        self.model, self.name = model, name
        self.trained = trained
        self.verdict = verdict

    def execute(self, context: Context) -> dict[str, Any]:
        """Register and return the version."""
        hook, tags = MlflowHook(self.mlflow_conn_id), airflow_tags(context)
        trained, tracking = from_json(TrainResult, self.trained), self.tracking(context)
        log_url, run_url = tags["airflow.log_url"], hook.run_url(tracking, trained.run_id)
        version = register(
            self.name,
            trained,
            None if self.verdict is None else from_json(Verdict, self.verdict),
            tracking=tracking,
            ledger=self.ledger,
            dag_run=dag_run_name(context),
            by=triggered_by(context),
            tags={name: value for name, value in tags.items() if name.startswith("airflow.")},
            description=f"[Airflow task]({log_url}) · [MLflow run]({run_url})",
        )
        self.mlflow_version_url = hook.version_url(version)
        facts = {"files": version.digest[:12], "page": self.mlflow_version_url, "run": run_url}
        self.report(f"registered {version.name} version {version.version}", facts)
        return to_json(version)
