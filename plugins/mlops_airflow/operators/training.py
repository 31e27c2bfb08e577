"""Pin the data of a training, and train on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, key_of
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec

__all__ = ["PinTrainingDataOperator", "TrainModelOperator"]


class PinTrainingDataOperator(StepOperator):
    """Choose the days a training may use, as known on one night, and pin their exact versions.

    The night is the parameter ``as_of`` of the run, else its partition key; the parameters
    ``train_days`` and ``evaluation_days`` set the windows.

    Parameters
    ----------
    model : ModelSpec
        The model.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Pin and return the pin as JSON."""
        params = context["params"]
        as_of = params.get("as_of") or key_of(context)
        windows = {name: params[name] for name in ("train_days", "evaluation_days")}
        pin = pin_training_data(self.model.model_copy(update=windows), as_of, lake=self.lake)
        self.ledger.record(  # what a pin names is never vacuumed
            model=self.model.name,
            kind=EvidenceKind.PIN,
            key=as_of,
            evidence=to_json(pin),
            dag_run=dag_run_name(context),
        )
        tables = pin.pins
        facts = {
            "train": " to ".join(pin.train),
            "evaluate": " to ".join(pin.evaluation),
            "pinned": [f"{p.table} v{p.version}: {p.n_rows} rows, {p.digest[:12]}" for p in tables],
        }
        self.report(f"pinned {self.model.name} as of {as_of}", facts)
        return to_json(pin)


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
            "model": f"{result.model_uri}, files {result.digest[:12]}",
            "MLflow run": self.mlflow_run_url,
        }
        self.report(f"trained {self.model.name} as of {pin.as_of}", facts)
        return to_json(result)
