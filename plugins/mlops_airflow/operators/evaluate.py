"""Evaluate a challenger against the champion and let the gate judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink, ReportLink
from mlops_airflow.operators.base import StepOperator, check_rendered, dag_run_name, triggered_by
from mlops_airflow.operators.plain_arguments import check_gate, saved_model, trained_version
from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate import GatePlan, split_suspects
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.lake import TrainingPin, assumed_lines
from mlops_tasks.partitions import today
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import TableModel
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.pin import pin_evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import DatasetSpec, GateSpec, ModelSpec

__all__ = ["EvaluateModelOperator"]


class EvaluateModelOperator(StepOperator):
    """Score challenger and champion on the same later rows and record the gate's verdict.

    A verdict is never replaced: a repeated task returns the one it gave, and another training as of
    the same day adds its own. A training of the past is compared with the champion of that day.

    Parameters
    ----------
    model : ModelSpec, optional
        The model of a project, with its gate.
    pin : dict, optional
        With `model`: output of `PinTrainingDataOperator`.
    trained : dict
        Output of `TrainModelOperator`. Of a model of one table it says all that is needed.
    table : DatasetSpec or str, optional
        The table to evaluate on; by default the one that the model was trained on.
    first, last : str, optional
        Partition keys, both inclusive, templated; by default all after the training.
    as_of : str, optional
        A day, templated; only what was known by then is used. By default today.
    gate : GateSpec, optional
        The metric and the conditions, in place of those that the model was trained with.

    Notes
    -----
    XCom: a `Verdict`, with the reason, the metrics of both and the intervals.
    """

    template_fields = ("pin", "trained", "first", "last", "as_of")
    operator_extra_links = (MlflowRunLink(), ReportLink())

    def __init__(
        self,
        *,
        trained: Any,
        model: ModelSpec | None = None,
        pin: Any = None,
        table: DatasetSpec | str | None = None,
        first: str | None = None,
        last: str | None = None,
        as_of: str | None = None,
        gate: GateSpec | None = None,
        **kwargs: Any,
    ) -> None:
        alone = {"table": table, "first": first, "last": last, "as_of": as_of, "gate": gate}
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        _check_data(who, model, pin, alone)
        check_gate(who, gate, _problem_type(trained))
        super().__init__(**kwargs)
        self.trained, self.model, self.pin = trained, model, pin
        self.table, self.first, self.last, self.as_of, self.gate = table, first, last, as_of, gate

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate once for each trained model and its rows, record the verdict and return it."""
        tracking, trained = self.tracking(context), from_json(TrainResult, self.trained)
        model, pin = self._subject(context, trained, tracking)
        verdict = self._recorded(model, pin, trained)
        if verdict is None:
            found = self._evaluate(context, model, pin, trained, tracking)
            verdict = self._record(context, model, pin, trained, found)
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).run_url(tracking, trained.run_id)
        self._report(model, pin, verdict)
        return to_json(verdict)

    def _subject(
        self, context: Context, trained: TrainResult, tracking: Tracking
    ) -> tuple[ModelSpec | TableModel, TrainingPin]:
        """Return what is evaluated, and on which rows."""
        if self.model is not None:
            return self.model, from_json(TrainingPin, self.pin)
        version = trained_version(trained)
        model = saved_model(version, tracking=tracking)
        if self.table is not None:
            model = model.on(self.table)
        self.asked = model
        if self.gate is not None:
            model = model.model_copy(update={"gate": self.gate})
        pin = pin_evaluation(
            model,
            from_json(TrainingPin, json.loads(tracking.read_artifact(version, PIN_FILE))),
            today(model.timezone) if self.as_of is None else self.as_of,
            lake=self.lake,
            first=None if self.first is None else check_rendered("first", self.first),
            last=None if self.last is None else check_rendered("last", self.last),
        )
        about = {"model": model.name, "kind": EvidenceKind.PIN, "key": pin.as_of}
        self.ledger.record(
            **about, evidence=to_json(pin), dag_run=dag_run_name(context), by=triggered_by(context)
        )
        return model, pin

    def _recorded(
        self, model: ModelSpec | TableModel, pin: TrainingPin, trained: TrainResult
    ) -> Verdict | None:
        """Return the verdict on this very model, and these rows, if it was given before."""
        about = {"model": model.name, "kind": EvidenceKind.VERDICT, "key": pin.as_of}
        wanted = _about(model, pin, trained)
        for entry in self.ledger.entries(**about, history=True):
            if wanted.items() <= entry.evidence.items():
                return from_json(Verdict, entry.evidence)
        return None

    def _record(
        self,
        context: Context,
        model: ModelSpec | TableModel,
        pin: TrainingPin,
        trained: TrainResult,
        verdict: Verdict,
    ) -> Verdict:
        """Write the verdict down; that of an overlapping attempt which was faster stands."""
        about = _about(model, pin, trained)
        entry = self.ledger.record_once(
            model=model.name,
            kind=EvidenceKind.VERDICT,
            key=pin.as_of,
            evidence=to_json(verdict) | about,
            dag_run=dag_run_name(context),
            by=triggered_by(context),
            about=about,
        )
        return from_json(Verdict, entry.evidence)

    def _evaluate(
        self,
        context: Context,
        model: ModelSpec | TableModel,
        pin: TrainingPin,
        trained: TrainResult,
        tracking: Tracking,
    ) -> Verdict:
        """Compare with the champion of that day, which today's must not be."""
        champion = self.champion(model, tracking)
        now = champion.version if champion else None
        then = self.ledger.champion_as_of(model.name, pin.as_of)
        if then != now:
            champion = self.version(model, then) if then else None
        return evaluate(
            model,
            pin,
            trained,
            champion,
            lake=self.lake,
            tracking=tracking,
            registered=self._registered(context, model, pin, trained),
            moved_to=None if then == now else now,
        )

    def _registered(
        self,
        context: Context,
        model: ModelSpec | TableModel,
        pin: TrainingPin,
        trained: TrainResult,
    ) -> dict[str, Any]:
        """Write down how this model will be judged, or return what was written first."""
        plan = GatePlan.of(model).registration(model, pin, trained)
        key = f"{pin.as_of}/{trained.run_id}"
        if isinstance(model, TableModel):  # which may be judged by several gates, on several rows
            key = f"{key}/{plan['digest'][:12]}"
        entry = self.ledger.record_once(
            model=model.name,
            kind=EvidenceKind.PREREGISTRATION,
            key=key,
            evidence=to_json(plan),
            dag_run=dag_run_name(context),
            by=triggered_by(context),
        )
        return entry.evidence

    def _report(self, model: ModelSpec | TableModel, pin: TrainingPin, verdict: Verdict) -> None:
        rivals = {"challenger": verdict.challenger, "champion": verdict.champion or {}}
        facts: dict[str, Any] = {
            "verdict": verdict.verdict.upper(),
            "because": verdict.reason,
            "rows": f"{verdict.n_rows}, {' to '.join(pin.evaluation)}",
            "known": assumed_lines(pin),
        }
        refused, allowed = split_suspects(verdict.suspects, model.allow_leak_suspects)
        facts["leak suspects"] = [suspect.text for suspect in refused]
        facts["allowed"] = [suspect.text for suspect in allowed]
        for who, values in rivals.items():
            facts[who] = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        facts["criteria"] = [f"{one.answer}: {one.text}" for one in verdict.criteria]
        self.link_report(verdict.report)
        facts["page"] = getattr(self, "report_url", verdict.report)
        facts["MLflow run"] = self.mlflow_run_url
        self.report(f"evaluated {model.name} as of {pin.as_of}", facts)


def _about(model: ModelSpec | TableModel, pin: TrainingPin, trained: TrainResult) -> dict[str, str]:
    """Return what a verdict is about: a model, and where they vary the rows and the metric."""
    about = {"run_id": trained.run_id}
    if isinstance(model, TableModel):
        about |= {"evaluated_on": pin.labels.digest, "gate": str(model.gate)}
    return about


def _check_data(who: str, model: ModelSpec | None, pin: Any, alone: Mapping[str, Any]) -> None:
    """Refuse what cannot say which rows are evaluated on."""
    if (model is None) != (pin is None):
        raise SpecError(
            f"{who}: model= and pin= belong together, the ModelSpec and the output of "
            "PinTrainingDataOperator; a model of one table needs neither"
        )
    given = sorted(name for name, value in alone.items() if value is not None)
    if model is not None and given:
        raise SpecError(
            f"{who}: {given} are of a model of one table; the ModelSpec and its pin say that"
        )


def _problem_type(trained: Any) -> str | None:
    """Return the problem type of what an operator of the same Dag trains, None where it is open."""
    model = getattr(getattr(trained, "operator", None), "model", None)
    return getattr(model, "problem_type", None)
