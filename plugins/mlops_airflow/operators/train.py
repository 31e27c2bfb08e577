"""Train on pinned data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink
from mlops_airflow.operators.base import StepOperator, check_rendered, dag_run_name, triggered_by
from mlops_airflow.operators.plain_arguments import model_of
from mlops_tasks.exceptions import SpecError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.partitions import today
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import TableModel
from mlops_tasks.steps.pin import pin_table
from mlops_tasks.steps.train import train
from mlops_tasks.tuning import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["TrainModelOperator"]


class TrainModelOperator(StepOperator):
    """Fit a model on pinned data and log it to MLflow.

    Either a project's model, on the data that `PinTrainingDataOperator` has pinned, or a model of
    one table, from plain arguments; what it reads is then pinned first, and the pin recorded.

    Parameters
    ----------
    model : ModelSpec, optional
        The model of a project.
    pin : dict, optional
        With `model`: output of `PinTrainingDataOperator`.
    choice : dict, optional
        With `model`: output of `ChooseCandidateOperator`, of several candidates the one to fit.
    table : DatasetSpec or str, optional
        In place of `model`: the table whose columns are the features.
    first, last : str, optional
        With `table`: partition keys, both inclusive, templated; by default all there is.
    as_of : str, optional
        With `table`: a day, templated; only what was known by then is used. By default today.
    **kwargs
        With `table`: the fields of `TableModel`: ``name``, ``target``, ``categorical``,
        ``numeric``, ``text``, ``estimator`` (an import path or a function), ``problem_type``,
        ``random_state`` and others. And the arguments of every operator.

    Notes
    -----
    XCom: a `TrainResult`, with the MLflow run, the model's address and digest, and its rows.
    """

    template_fields = ("pin", "choice", "first", "last", "as_of")
    operator_extra_links = (MlflowRunLink(),)

    def __init__(
        self,
        *,
        model: ModelSpec | None = None,
        pin: Any = None,
        choice: Any = None,
        table: DatasetSpec | str | None = None,
        first: str | None = None,
        last: str | None = None,
        as_of: str | None = None,
        **kwargs: Any,
    ) -> None:
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        found, build = model_of(who, model, table, kwargs)
        window = {"first": first, "last": last, "as_of": as_of}
        _check_data(who, model, pin, window)
        super().__init__(**kwargs)
        self.model, self.build, self.pin = found, build, pin
        self.choice, self.first, self.last, self.as_of = choice, first, last, as_of

    def execute(self, context: Context) -> dict[str, Any]:
        """Train and return the references to run and model."""
        tracking, pin = self.tracking(context), self._pinned(context)
        choice = None if self.choice is None else from_json(Choice, self.choice)
        stores: dict[str, Any] = {"lake": self.lake, "tracking": tracking}
        result = train(self.model, pin, **stores, build=self.build, choice=choice)
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).run_url(tracking, result.run_id)
        self._report(pin, result, choice)
        return to_json(result)

    def _pinned(self, context: Context) -> TrainingPin:
        """Return the pin of another task, or pin the table and write it down."""
        if not isinstance(self.model, TableModel):
            return from_json(TrainingPin, self.pin)
        pin = pin_table(
            self.model,
            today(self.model.timezone) if self.as_of is None else self.as_of,
            lake=self.lake,
            first=None if self.first is None else check_rendered("first", self.first),
            last=None if self.last is None else check_rendered("last", self.last),
        )
        self.ledger.record(  # what a pin names is never vacuumed
            model=self.model.name,
            kind=EvidenceKind.PIN,
            key=pin.as_of,
            evidence=to_json(pin),
            dag_run=dag_run_name(context),
            by=triggered_by(context),
        )
        return pin

    def _report(self, pin: TrainingPin, result: TrainResult, choice: Choice | None) -> None:
        facts = {
            "chosen": choice and choice.reason,
            "trained on": " to ".join(pin.train),
            "split": pin.split,
            "pinned": [f"{p.table} v{p.version}: {p.digest[:12]}" for p in dict.fromkeys(pin.pins)],
            "rows": result.n_rows,
            "target": ", ".join(f"{name} {value:g}" for name, value in result.target.items()),
            "classes": ", ".join(result.classes[:20]),
            "fit": f"{result.fit_s} s",
            "leak suspects": [suspect.text for suspect in result.suspects],
            "model": f"{result.model_uri}, files {result.digest[:12]}",
            "MLflow run": self.mlflow_run_url,
        }
        self.report(f"trained {self.model.name} as of {pin.as_of}", facts)


def _check_data(
    who: str, model: ModelSpec | None, pin: Any, window: Mapping[str, str | None]
) -> None:
    """Refuse what cannot say on which rows to train."""
    if model is None and pin is not None:
        raise SpecError(
            f"{who}: pin= belongs to model=; of a table give first=, last= and as_of=, it is pinned"
        )
    if model is not None and pin is None:
        raise SpecError(f"{who}: model= needs pin=, the output of PinTrainingDataOperator")
    given = sorted(name for name, value in window.items() if value is not None)
    if model is not None and given:
        raise SpecError(f"{who}: {given} belong to table=; the pin says which rows model= takes")
