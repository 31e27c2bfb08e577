"""The nightly maintenance as a task."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_tasks.maintenance import (
    anchor_ledger,
    end_dead_runs,
    follow_aliases,
    maintain,
    named_in_ledger,
    remove_old_logs,
    remove_old_reports,
    remove_old_runs,
    remove_spare_versions,
    shrink_tables,
    sweep_scratch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

    from mlops_tasks.maintenance import Upkeep

__all__ = ["MaintainOperator"]

# Of a task that will not go on; every other state, and none, may still lead to an attempt.
_OVER = {"success", "failed", "skipped", "upstream_failed", "removed"}


class MaintainOperator(StepOperator):
    """End what dead tasks left and remove what nothing needs.

    The parameters of the run say how many days things are kept, and whether it only reports.
    """

    def execute(self, context: Context) -> None:
        """Run every part and report what it did; fail at the end if one failed."""
        params, lines = context["params"], dict[str, list[str]]()
        try:
            maintain(self._parts(context), lines.__setitem__)
        finally:
            title = "would be maintained (dry run)" if params["dry_run"] else "maintained"
            self.report(f"{title}, things kept for {params['keep_days']} days", lines)

    def _parts(self, context: Context) -> Mapping[str, Callable[[], Upkeep]]:
        keep, dry = int(context["params"]["keep_days"]), bool(context["params"]["dry_run"])
        lake, ledger, tracking = self.lake, self.ledger, self.tracking(context)
        alive = partial(_alive, context["ti"])
        logs = Path(conf.get("logging", "base_log_folder"))
        about = {"dag_run": dag_run_name(context), "by": triggered_by(context)}
        return {
            "ledger": lambda: anchor_ledger(ledger, lake, dry_run=dry),
            "aliases": lambda: follow_aliases(ledger, tracking, dry_run=dry, **about),
            "dead runs": lambda: end_dead_runs(tracking, alive=alive, dry_run=dry),
            "spare versions": lambda: remove_spare_versions(tracking, ledger=ledger, dry_run=dry),
            "old runs": lambda: remove_old_runs(
                tracking, named=named_in_ledger(ledger), keep_days=keep, dry_run=dry
            ),
            "tables": lambda: shrink_tables(
                lake, ledger=ledger, tracking=tracking, keep_days=keep, dry_run=dry
            ),
            "reports": lambda: remove_old_reports(
                lake, named=named_in_ledger(ledger), keep_days=keep, dry_run=dry
            ),
            "task logs": lambda: remove_old_logs(logs, keep_days=keep, dry_run=dry),
            "temporary folders": lambda: sweep_scratch(dry_run=dry),
        }


def _alive(ti: Any, tags: Mapping[str, str]) -> bool:
    """Ask Airflow whether the task that opened an MLflow run may still write to it."""
    run, task = tags["airflow.run_id"], tags["airflow.task_id"]
    states = ti.get_task_states(dag_id=tags["airflow.dag_id"], task_ids=[task], run_ids=[run])
    return any(state not in _OVER for state in states.get(run, {}).values())
