"""Evaluate a challenger against the champion and let the gate judge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink
from mlops_airflow.operators.base import StepOperator, dag_run_name
from mlops_tasks.gate import split_suspects
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.lake import TrainingPin, assumed_lines
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.evaluate import evaluate

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

__all__ = ["EvaluateModelOperator"]


class EvaluateModelOperator(StepOperator):
    """Score challenger and champion on the same later rows and record the gate's verdict.

    A verdict is never replaced: a repeated task returns the one it gave, and another training as of
    the same day adds its own. A training of the past is compared with the champion of that day.

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
        """Evaluate once for each trained model, record the verdict and return it."""
        tracking, pin = self.tracking(context), from_json(TrainingPin, self.pin)
        trained = from_json(TrainResult, self.trained)
        verdict = self._recorded(pin, trained)
        if verdict is None:
            verdict = self._evaluate(pin, trained, tracking)
            self.ledger.record(
                model=self.model.name,
                kind=EvidenceKind.VERDICT,
                key=pin.as_of,
                evidence=to_json(verdict) | {"run_id": trained.run_id},
                dag_run=dag_run_name(context),
            )
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).run_url(tracking, trained.run_id)
        self._report(pin, verdict)
        return to_json(verdict)

    def _recorded(self, pin: TrainingPin, trained: TrainResult) -> Verdict | None:
        """Return the verdict on this very model, if it was given before."""
        about = {"model": self.model.name, "kind": EvidenceKind.VERDICT, "key": pin.as_of}
        for entry in self.ledger.entries(**about, history=True):
            if entry.evidence.get("run_id") == trained.run_id:
                return from_json(Verdict, entry.evidence)
        return None

    def _evaluate(self, pin: TrainingPin, trained: TrainResult, tracking: Tracking) -> Verdict:
        """Compare with the champion of that day, which today's must not be."""
        champion = self.champion(self.model, tracking)
        today = champion.version if champion else None
        then = self.ledger.champion_as_of(self.model.name, pin.as_of)
        if then != today:
            champion = self.version(self.model, then) if then else None
        verdict = evaluate(self.model, pin, trained, champion, lake=self.lake, tracking=tracking)
        if then == today or verdict.verdict != "promote":
            return verdict
        reason = (
            f"{verdict.reason}; but version {today} has become champion since {pin.as_of}, and a "
            "training of the past changes no champion"
        )
        return replace(verdict, verdict="keep", reason=reason)

    def _report(self, pin: TrainingPin, verdict: Verdict) -> None:
        rivals = {"challenger": verdict.challenger, "champion": verdict.champion or {}}
        facts: dict[str, Any] = {
            "verdict": verdict.verdict.upper(),
            "because": verdict.reason,
            "rows": f"{verdict.n_rows}, {' to '.join(pin.evaluation)}",
            "known": assumed_lines(pin),
        }
        refused, allowed = split_suspects(verdict.suspects, self.model.allow_leak_suspects)
        facts["leak suspects"] = [suspect.text for suspect in refused]
        facts["allowed"] = [suspect.text for suspect in allowed]
        for who, values in rivals.items():
            facts[who] = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        facts["MLflow run"] = self.mlflow_run_url
        self.report(f"evaluated {self.model.name} as of {pin.as_of}", facts)
