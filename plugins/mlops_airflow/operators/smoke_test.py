"""Load a registered version in a process of its own, and ask it all kinds of rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_airflow.operators.plain_arguments import saved_model
from mlops_tasks.exceptions import SmokeTestFailedError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.champions import registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.smoke_test import smoke_test

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.gate.smoke import SmokeTestResult
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec, TableModel

__all__ = ["SmokeTestModelOperator"]


class SmokeTestModelOperator(StepOperator):
    """Prove that a registered version loads and answers, before anybody relies on it.

    What it found is written to the ledger, under the version. A version that fails must not be
    promoted: the task fails at once, and is not tried again.

    Parameters
    ----------
    registered : dict
        Output of `RegisterModelOperator`.
    model : ModelSpec, optional
        The model; by default, for one of a table, what its training has kept of it.
    pin : dict, optional
        Output of the pin operator; by default what the version's own run has kept of it.

    Notes
    -----
    XCom: a `SmokeTestResult`, one line per query.
    """

    template_fields = ("registered", "pin")
    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self, *, registered: Any, model: ModelSpec | None = None, pin: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.registered, self.model, self.pin = registered, model, pin

    def execute(self, context: Context) -> dict[str, Any]:
        """Test the version, write down what was found, and fail if a query failed."""
        tracking, given = self.tracking(context), from_json(RegisteredVersion, self.registered)
        version = registered_version(given.name, given.version, ledger=self.ledger)
        model, pin = self._subject(version, tracking)
        found = smoke_test(model, pin, version, lake=self.lake, tracking=tracking)
        self._record(context, version, found)
        self._report(version, found)
        if not found.passed:
            raise SmokeTestFailedError(_failure(version, found))
        return to_json(found)

    def _subject(
        self, version: RegisteredVersion, tracking: Tracking
    ) -> tuple[ModelSpec | TableModel, TrainingPin]:
        """Return what the version is asked with, and what it was trained on."""
        model: ModelSpec | TableModel | None = self.model
        if model is None:
            model = self.asked = saved_model(version, tracking=tracking)
        pin = self.pin
        if pin is None:
            pin = json.loads(tracking.read_artifact(version, PIN_FILE))
        return model, from_json(TrainingPin, pin)

    def _record(self, context: Context, version: RegisteredVersion, found: SmokeTestResult) -> None:
        self.ledger.record(
            model=version.name,
            kind=EvidenceKind.SMOKE_TEST,
            key=version.version,
            evidence=to_json(found),
            dag_run=dag_run_name(context),
            by=triggered_by(context),
        )

    def _report(self, version: RegisteredVersion, found: SmokeTestResult) -> None:
        latency, mib = found.latency, 2**20
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        facts = {
            "answer": "PASSED" if found.passed else "FAILED",
            "because": found.reason,
            "queries": [query.line for query in found.queries],
            "files": f"{found.model_bytes / mib:.1f} MiB, {found.digest[:12]}",
            "loading": found.load_s
            and f"{found.load_s:g} s, {(found.memory_bytes or 0) / mib:.0f} MiB of memory",
            "one row": latency
            and f"{latency.p50_ms:.1f} ms, 99 of 100 within {latency.p99_ms:.1f} ms",
            "a batch": latency and f"{latency.batch_rows} rows in {latency.batch_ms:.1f} ms",
            "page": self.mlflow_version_url,
        }
        self.report(f"smoke test of {version.name} version {version.version}", facts)


def _failure(version: RegisteredVersion, found: SmokeTestResult) -> str:
    return (
        f"version {version.version} of {version.name!r} failed its smoke test and must not be "
        f"promoted: {found.reason}. The champion stays. Fix the estimator or the features and "
        "train again; a version whose files were changed must be trained again"
    )
