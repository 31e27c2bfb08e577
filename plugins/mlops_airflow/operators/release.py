"""Ask for the release of a version, and release it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from mlops_airflow.assets import release_request_asset
from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_airflow.operators.promote import promotion_event
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.tracking import PIN_FILE
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.release import release, request_release

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec

__all__ = ["ReleaseModelOperator", "RequestReleaseOperator", "version_of"]


def version_of(context: Context, name: str) -> str:
    """Return the version that a run is about: its partition key.

    Parameters
    ----------
    context : Context
        Of the running task.
    name : str
        The model, for errors.
    """
    key = context.get("partition_key")
    if not key or not str(key).isdecimal():
        raise AirflowFailException(
            f"this run is about version {key!r} of {name!r}; trigger the Dag again with the number "
            "of a version, as MLflow has it, in Partition Key below Advanced Options"
        )
    return str(key)


class RequestReleaseOperator(StepOperator):
    """Ask for the release of a version; skipped when the gate's verdict releases nothing.

    The request starts ``<model>.release`` with the version as its partition key, once.

    Parameters
    ----------
    model : ModelSpec
        The model.
    pin, registered, verdict : dict
        Outputs of the pin, register and evaluate operators.
    """

    template_fields = ("pin", "registered", "verdict")
    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self, *, model: ModelSpec, pin: Any, registered: Any, verdict: Any, **kwargs: Any
    ) -> None:
        asset = release_request_asset(model)
        super().__init__(inlets=[asset], outlets=[asset], **kwargs)
        self.model, self.pin, self.registered, self.verdict = model, pin, registered, verdict

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the request down and emit it, or skip with the reason."""
        version, verdict = self._judged()
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        as_of, author = from_json(TrainingPin, self.pin).as_of, triggered_by(context)
        request = request_release(version, verdict, as_of=as_of, author=author)
        if request is None:
            raise AirflowSkipException(f"nothing to release because {verdict.reason}")
        about = {"model": version.name, "kind": EvidenceKind.RELEASE_REQUEST, "by": author}
        entry = self.ledger.record_once(
            **about,
            key=version.version,
            evidence=to_json(request),
            dag_run=dag_run_name(context),
        )
        self._emit(context, version.version)
        self._report(version, verdict)
        return entry.evidence

    def _judged(self) -> tuple[RegisteredVersion, Verdict]:
        return from_json(RegisteredVersion, self.registered), from_json(Verdict, self.verdict)

    def _emit(self, context: Context, version: str) -> None:
        asset = release_request_asset(self.model)
        for event in context["inlet_events"][asset]:
            if event.partition_key == version:
                raise AirflowSkipException(
                    f"the release of version {version} was requested at "
                    f"{event.timestamp:%Y-%m-%d %H:%M} UTC already; to ask again, trigger "
                    f"{self.model.name}.release with Partition Key {version}"
                )
        asked = context["outlet_events"][asset]
        asked.add_partitions(version)
        asked.extra = {"version": version}

    def _report(self, version: RegisteredVersion, verdict: Verdict) -> None:
        facts = {
            "verdict": verdict.verdict.upper(),
            "because": verdict.reason,
            "next": f"{version.name}.release for version {version.version}"
            + (", which waits for a person" if verdict.verdict == "ask" else ""),
            "page": self.mlflow_version_url,
        }
        self.report(f"asked to release {version.name} version {version.version}", facts)


class ReleaseModelOperator(StepOperator):
    """Make the version of the run the champion, if the gate or a person said so; else skipped.

    Parameters
    ----------
    model : ModelSpec
        The model.

    Notes
    -----
    XCom: name and version of the new champion. What was asked for and answered is read from the
    ledger.
    """

    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Release and return the new champion, or skip with the reason."""
        name, tracking, ledger = self.model.name, self.tracking(context), self.ledger
        version, run = version_of(context, name), dag_run_name(context)
        before = ledger.champion(name)
        found = release(name, version, tracking=tracking, ledger=ledger, dag_run=run)
        registered = self.version(self.model, version)
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(registered)
        facts = {"before": before.version if before else "none", "because": found.reason}
        facts |= {"by": found.by, "page": self.mlflow_version_url}
        what = "released" if found.released else "did not release"
        self.report(f"{what} {name} version {version}", facts)
        if not found.released:
            raise AirflowSkipException(f"not released because {found.reason}")
        pin = from_json(TrainingPin, json.loads(tracking.read_artifact(registered, PIN_FILE)))
        self.announce(context, promotion_event(registered, pin))
        return {"name": name, "version": version}
