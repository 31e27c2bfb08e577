"""Roll back to an earlier champion, and ask for what was scored since to be scored again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.assets import score_again_asset
from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.steps.rollback import Rollback, rollback

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.ledger import LedgerEntry
    from mlops_tasks.specs import ModelSpec

__all__ = ["RollbackModelOperator", "ScoreAgainOperator"]


class RollbackModelOperator(StepOperator):
    """Make an earlier champion the champion again, as the run's form says.

    Parameters
    ----------
    model : ModelSpec
        The model.

    Notes
    -----
    The form has ``version``, empty for the champion before this one, and ``reason``. A run that is
    started again rolls back once. XCom: what was done.
    """

    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back and return from where to where."""
        done = self._done(context)
        if done is None:
            found = self._roll_back(context)
            self._report(found)
            done = {"before": found.before, "version": found.version, "reason": found.reason}
        self.announce(context, {"name": self.model.name, "version": done["version"]})
        return {"name": self.model.name} | done

    def _done(self, context: Context) -> dict[str, Any] | None:
        """Return what an attempt of this very run has done before it was ended."""
        said = self.ledger.entries(model=self.model.name, kind=EvidenceKind.ROLLBACK, history=True)
        ours = [entry for entry in said if entry.dag_run == dag_run_name(context)]
        return _told(ours[-1]) if ours else None

    def _wanted(self, context: Context) -> dict[str, Any]:
        """Return which version is to return, and why, as `rollback` takes it."""
        form = {name: str(context["params"].get(name) or "") for name in ("version", "reason")}
        return {
            "to": form["version"].strip() or None,
            "reason": form["reason"],
            "by": triggered_by(context),
        }

    def _roll_back(self, context: Context) -> Rollback:
        wanted, tracking = self._wanted(context), self.tracking(context)
        found = rollback(
            self.model.name,
            **wanted,
            tracking=tracking,
            ledger=self.ledger,
            dag_run=dag_run_name(context),
        )
        version = self.version(self.model, found.version)
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        return found

    def _report(self, found: Rollback) -> None:
        write_anchor(self.lake, self.ledger.head())  # or the end of the chain could be cut off
        facts = {
            "champion": f"version {found.version}, in place of version {found.before}",
            "because": found.reason,
            "files": f"{found.verified.digest[:12]}, as registered",
            "golden rows": f"{found.verified.golden_rows} predicted as then",
            "page": self.mlflow_version_url,
        }
        self.report(f"rolled back {found.name}", facts)


def _told(entry: LedgerEntry) -> dict[str, Any]:
    names = {"before": "previous", "version": "version", "reason": "reason"}
    return {name: entry.evidence[key] for name, key in names.items()}


class ScoreAgainOperator(StepOperator):
    """Ask for the partitions that were scored since a day to be scored by the champion there is.

    Skipped where the form's ``score_again_since`` is empty, or nothing was scored since.

    Parameters
    ----------
    model : ModelSpec
        The model.

    Notes
    -----
    XCom: the partitions. Each starts a run of ``<model>.score``.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(outlets=[score_again_asset(model)], **kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Emit an event for each partition, or skip with the reason."""
        keys = self._scored_since(context["params"].get("score_again_since"))
        context["outlet_events"][score_again_asset(self.model)].add_partitions(keys)
        facts = {"partitions": f"{len(keys)}, {keys[0]} to {keys[-1]}"}
        self.report(f"asked to score {self.model.name} again", facts)
        return {"partitions": keys}

    def _scored_since(self, since: str | None) -> list[str]:
        """Return the partitions that have predictions, or skip where there are none."""
        if not since:
            raise AirflowSkipException("nobody asked for partitions to be scored again")
        table = self.lake.table(self.model.predictions_table)
        keys = [key for key in (table.partitions() if table.exists else []) if key >= since]
        if not keys:
            raise AirflowSkipException(f"nothing was scored since {since}")
        return keys
