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
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.release import other_evidence, release, request_release

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.release import Release

__all__ = ["ReleaseModelOperator", "RequestReleaseOperator", "version_of"]


def version_of(context: Context, name: str) -> str:
    """Return the version that a run is about: its partition key, or what its form says.

    Parameters
    ----------
    context : Context
        Of the running task.
    name : str
        The model, for errors.

    Returns
    -------
    str
        Its number.
    """
    key, named = context.get("partition_key"), context["params"].get("version")
    if key and named and str(key) != str(named):
        raise AirflowFailException(
            f"this run has the partition key {key!r} and its form says version {named!r} of "
            f"{name!r}; trigger the Dag again with one of them"
        )
    version = str(key or named or "")
    if not version.isdecimal():
        raise AirflowFailException(
            f"this run is about version {version or None!r} of {name!r}; trigger the Dag again "
            "with the number of a version, as MLflow has it, under Version in its form"
        )
    return version


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
        as_of, author = from_json(TrainingPin, self.pin).as_of, triggered_by(context)
        request = request_release(version, verdict, as_of=as_of, author=author)
        if request is None:
            raise AirflowSkipException(f"nothing to release because {verdict.reason}")
        entry = self.ledger.record_once(
            model=version.name,
            kind=EvidenceKind.RELEASE_REQUEST,
            key=version.version,
            evidence=to_json(request),
            dag_run=dag_run_name(context),
            by=author,
        )
        self._emit(context, version.version)
        self._report(version, verdict)
        return entry.evidence

    def _judged(self) -> tuple[RegisteredVersion, Verdict]:
        """Return the version with its verdict, or skip where the verdict is another version's."""
        version = from_json(RegisteredVersion, self.registered)
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        verdict = from_json(Verdict, self.verdict)
        if other := other_evidence(version, verdict):
            raise AirflowSkipException(other)
        return version, verdict

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
        version = self.version(self.model, version_of(context, name))
        before, run = ledger.champion(name), dag_run_name(context)
        found = release(name, version.version, tracking=tracking, ledger=ledger, dag_run=run)
        self._report(version, found, before.version if before else "none")
        if not found.released:
            raise AirflowSkipException(f"not released because {found.reason}")
        self.announce(context, promotion_event(version, _trained_on(version, tracking)))
        return {"name": name, "version": version.version}

    def _report(self, version: RegisteredVersion, found: Release, before: str) -> None:
        write_anchor(self.lake, self.ledger.head())  # or the end of the chain could be cut off
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        facts = {"before": before, "because": found.reason, "by": found.by}
        what = "released" if found.released else "did not release"
        title = f"{what} {version.name} version {version.version}"
        self.report(title, facts | {"page": self.mlflow_version_url})


def _trained_on(version: RegisteredVersion, tracking: Tracking) -> TrainingPin:
    return from_json(TrainingPin, json.loads(tracking.read_artifact(version, PIN_FILE)))
