"""Decide whether to retrain, and ask for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.assets import retrain_request_asset
from mlops_airflow.operators.base import StepOperator, dag_run_name, decided_night
from mlops_tasks.policy import decide

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.spec import ModelSpec

__all__ = ["DecideRetrainingOperator", "RequestRetrainingOperator"]


class DecideRetrainingOperator(StepOperator):
    """Weigh all evidence known by the run's night and write down a yes or a no.

    Parameters
    ----------
    model : ModelSpec
        The model, with its policy.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Decide, record the decision and return it."""
        night, ledger = decided_night(context, self.model), self.ledger
        champion = self.champion(self.model, self.tracking(context))
        version = champion.version if champion else None
        decision = decide(self.model, night, version, ledger.entries(model=self.model.name))
        ledger.record(
            model=self.model.name,
            kind="decision",
            key=night,
            evidence=asdict(decision),
            dag_run=dag_run_name(context),
        )
        facts = {
            "decision": "RETRAIN" if decision.retrain else "not retrained",
            "cause": decision.cause,
            "because": decision.reason,
            "champion": f"version {version}" if version else "none yet",
            "next": f"{self.model.name}.train as of {night}" if decision.retrain else "nothing",
        }
        self.report(f"decided on {self.model.name}, night {night}", facts)
        return asdict(decision)


class RequestRetrainingOperator(BaseOperator):
    """Emit the request that starts a training; skipped when the decision is no.

    Parameters
    ----------
    model : ModelSpec
        The model.
    decision : dict
        Output of `DecideRetrainingOperator`.
    """

    template_fields = ("decision",)

    def __init__(self, *, model: ModelSpec, decision: Any, **kwargs: Any) -> None:
        super().__init__(outlets=[retrain_request_asset(model)], **kwargs)
        self.model = model
        self.decision = decision

    def execute(self, context: Context) -> None:
        """Emit the request with its cause, or skip with the reason."""
        if not self.decision["retrain"]:
            raise AirflowSkipException(f"not retrained because {self.decision['reason']}")
        extra = {name: self.decision[name] for name in ("cause", "reason")}
        context["outlet_events"][retrain_request_asset(self.model)].extra = extra
        self.log.info("requested a training: %s", self.decision["reason"])
