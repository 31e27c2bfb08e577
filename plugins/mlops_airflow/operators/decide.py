"""Decide whether to retrain, and ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.assets import retrain_request_asset
from mlops_airflow.metrics import count_decision
from mlops_airflow.operators.base import (
    StepOperator,
    dag_run_name,
    decided_as_of,
    key_of,
    triggered_by,
)
from mlops_tasks.policy import read_evidence
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.decide import RetrainDecision, decide, note_on

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.ledger import LedgerEntry
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.decide import DecisionNote

__all__ = ["DecideRetrainingOperator", "RequestRetrainingOperator"]

_DECISIONS = {
    "retrain": "RETRAIN",
    "not_retrained": "not retrained",
    "cannot_tell": "CANNOT TELL, not retrained",
}


class DecideRetrainingOperator(StepOperator):
    """Weigh all evidence known as of the run's key and write down a yes or a no, once.

    A decision is never replaced: when it is repeated, what would be decided today is written
    beside it as a note, and what was decided is returned.

    Parameters
    ----------
    model : ModelSpec
        The model, with its policy.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Decide once, and return what was decided; repeated, it only gets a note."""
        as_of = decided_as_of(context, self.model)
        run, by = dag_run_name(context), triggered_by(context)
        evidence = read_evidence(self.model, as_of, ledger=self.ledger, lake=self.lake)
        found = decide(self.model, as_of, evidence)
        entry = self._record(as_of, found, run, by)
        then = from_json(RetrainDecision, entry.evidence)
        same = (then, entry.dag_run) == (found, run)
        self._report(
            entry, then, None if same else self._note(as_of, note_on(then, found), run, by)
        )
        return entry.evidence

    def _record(self, as_of: str, found: RetrainDecision, run: str, by: str) -> LedgerEntry:
        """Write a decision down, or return the one that was taken; only a new one is counted."""
        name, kind = self.model.name, EvidenceKind.DECISION
        if self.ledger.newest(name, kind, key=as_of) is None:
            count_decision(name, found)
        return self.ledger.record_once(
            model=name, kind=kind, key=as_of, evidence=to_json(found), dag_run=run, by=by
        )

    def _note(self, as_of: str, note: DecisionNote, run: str, by: str) -> DecisionNote:
        """Write a note beside the decision that another run has taken."""
        about = {"model": self.model.name, "kind": EvidenceKind.DECISION_NOTE, "key": as_of}
        self.ledger.record(**about, evidence=to_json(note), dag_run=run, by=by)
        return note

    def _report(
        self, entry: LedgerEntry, decision: RetrainDecision, note: DecisionNote | None
    ) -> None:
        version = decision.evidence.champion_version
        facts = {
            "decision": _DECISIONS[decision.answer],
            "cause": decision.cause,
            "because": decision.reason,
            "champion": f"version {version}" if version else "none known",
            "decided": f"{entry.recorded_at:%Y-%m-%d %H:%M} UTC by {entry.dag_run}",
            "absent": [one.text for one in decision.evidence.absences],
            "helps": list(decision.help),
            "note": note.text if note else None,
            "next": f"{self.model.name}.train as of {entry.key}" if decision.retrain else "nothing",
        }
        self.report(f"decided on {self.model.name} as of {entry.key}", facts)


class RequestRetrainingOperator(BaseOperator):
    """Emit the request that starts a training; skipped when the decision is no.

    A key asks once: skipped, too, when the request was emitted before.

    Parameters
    ----------
    model : ModelSpec
        The model.
    decision : dict
        Output of `DecideRetrainingOperator`.
    """

    template_fields = ("decision",)

    def __init__(self, *, model: ModelSpec, decision: Any, **kwargs: Any) -> None:
        asset = retrain_request_asset(model)
        super().__init__(inlets=[asset], outlets=[asset], **kwargs)
        self.model = model
        self.decision = decision

    def execute(self, context: Context) -> None:
        """Emit the request with its cause, or skip with the reason."""
        if not self.decision["retrain"]:
            raise AirflowSkipException(from_json(RetrainDecision, self.decision).text)
        as_of, asset = key_of(context), retrain_request_asset(self.model)
        for event in context["inlet_events"][asset]:
            if event.partition_key == as_of:
                raise AirflowSkipException(
                    f"the training as of {as_of} was requested at {event.timestamp:%Y-%m-%d %H:%M} "
                    f"UTC already; to train again, trigger {self.model.name}.train with the key"
                )
        extra = {name: self.decision[name] for name in ("cause", "reason")}
        context["outlet_events"][asset].extra = extra
        self.log.info("requested a training: %s", self.decision["reason"])
