"""Promote a registered model if the gate said so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import from_json
from mlops_tasks.steps.promote import promote

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

__all__ = ["PromoteModelOperator", "promotion_event"]


class PromoteModelOperator(StepOperator):
    """Make a challenger the champion; skipped when the gate's verdict is to keep the champion.

    Parameters
    ----------
    model : ModelSpec or str
        The model, or the name of the registered model.
    registered, verdict : dict
        Outputs of the register and evaluate operators.
    pin : dict, optional
        Output of the pin operator; by default what the version's own run has kept of it.

    Notes
    -----
    XCom: name and version of the new champion.
    """

    template_fields = ("pin", "registered", "verdict")
    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self,
        *,
        model: ModelSpec | str,
        registered: Any,
        verdict: Any,
        pin: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.pin = pin
        self.registered = registered
        self.verdict = verdict

    def execute(self, context: Context) -> dict[str, Any]:
        """Promote and return the new champion."""
        verdict, tracking = from_json(Verdict, self.verdict), self.tracking(context)
        version, pin = self._trained(tracking)
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        promoted = promote(
            version,
            verdict,
            as_of=pin.as_of,
            tracking=tracking,
            ledger=self.ledger,
            dag_run=dag_run_name(context),
            by=triggered_by(context),
        )
        self._report(version, verdict, promoted=promoted)
        if not promoted:
            raise AirflowSkipException(f"not promoted because {verdict.reason}")
        self.announce(context, promotion_event(version, pin))
        return {"name": version.name, "version": version.version}

    def _report(self, version: RegisteredVersion, verdict: Verdict, *, promoted: bool) -> None:
        write_anchor(self.lake, self.ledger.head())  # or the end of the chain could be cut off
        facts = {
            "champion": version.version if promoted else verdict.champion_version,
            "before": verdict.champion_version or "none",
            "because": verdict.reason,
            "page": self.mlflow_version_url,
        }
        what = "promoted" if promoted else "did not promote"
        self.report(f"{what} {version.name} version {version.version}", facts)

    def _trained(self, tracking: Tracking) -> tuple[RegisteredVersion, TrainingPin]:
        """Return the version, and what it was trained on."""
        version, pin = from_json(RegisteredVersion, self.registered), self.pin
        if pin is None:
            pin = json.loads(tracking.read_artifact(version, PIN_FILE))
        return version, from_json(TrainingPin, pin)


def promotion_event(version: RegisteredVersion, pin: TrainingPin) -> dict[str, Any]:
    """Return what those who hear of a promotion are told.

    Parameters
    ----------
    version : RegisteredVersion
        The new champion.
    pin : TrainingPin
        What it was trained on.

    Returns
    -------
    dict
        Small plain JSON.
    """
    shown = ("table", "first", "last", "version", "n_rows", "digest")
    return {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "digest": version.digest,
        "as_of": pin.as_of,
        "pins": [{name: getattr(one, name) for name in shown} for one in dict.fromkeys(pin.pins)],
    }
