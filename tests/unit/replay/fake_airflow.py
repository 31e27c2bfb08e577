"""An Airflow whose runs end at once, and whose assets start what follows, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from mlops_airflow.replay import View
from mlops_airflow.rest import Dag, DagRun, PendingPartition, TaskInstance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass
class FakeAirflow:
    """A loop of one model: rows are scored, a decision of one day asks for a training."""

    model: str
    rows: str
    dag_names: Collection[str]
    yes_on: str = ""
    cause: str = "performance"
    verdict: str = "promote"
    scores: bool = True
    trains: bool = True
    paused: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    done: list[DagRun] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    conf: dict[str, dict[str, str]] = field(default_factory=dict)
    results: dict[tuple[str, str], Any] = field(default_factory=dict)
    n_versions: int = 0
    base_url: str = "http://airflow"

    def dags(self) -> dict[str, Dag]:
        broken = bool(self.errors)
        return {name: Dag(name, name in self.paused, broken, "dag.py") for name in self.dag_names}

    def import_errors(self) -> dict[str, str]:
        return self.errors

    def health(self, *, tries: int = 1) -> dict[str, Any]:
        return {"scheduler": {"status": "healthy"}, "dag_processor": {"status": "healthy"}}

    def unpause(self, dag_ids: Iterable[str]) -> None:
        if names := list(dag_ids):
            self.calls.append(f"unpause {' '.join(names)}")

    def trigger(
        self,
        dag_id: str,
        key: str,
        *,
        run_id: str,
        note: str = "",
        conf: dict[str, str] | None = None,
    ) -> None:
        self.calls.append(f"{dag_id} {key}")
        self.conf[f"{dag_id} {key}"] = conf or {}
        self.run(dag_id, key)

    def run(self, dag_id: str, key: str, state: str = "success") -> DagRun:
        """Let a run happen, and what follows."""
        run = DagRun(dag_id, f"r{len(self.done)}", state, key, "manual", None, None, None)
        self.done.append(run)
        if state != "success":
            return run
        if dag_id == f"{self.rows}.ingest" and self.scores:
            self.run(f"{self.model}.score", key)
        if dag_id == f"{self.model}.decide":
            yes = key == self.yes_on
            found = {"retrain": yes, "cause": self.cause if yes else "none", "reason": "r"}
            self.results[run.run_id, "decide"] = found
            if yes and self.trains:
                self.run(f"{self.model}.train", key)
        if dag_id == f"{self.model}.train":
            self._train(run)
        return run

    def _train(self, run: DagRun) -> None:
        self.n_versions += 1
        version = {"name": self.model, "version": str(self.n_versions)}
        found = {"verdict": self.verdict, "reason": "MAE 3.1", "champion_version": None}
        self.results[run.run_id, "evaluate"] = found
        self.results[run.run_id, "register"] = version
        if self.verdict in ("promote", "ask"):
            state = "success" if self.verdict == "promote" else "running"
            released = self.run(f"{self.model}.release", str(self.n_versions), state)
        if self.verdict == "promote":
            self.results[released.run_id, "promote"] = version

    def result(self, run: DagRun, task_id: str) -> Any:
        return self.results.get((run.run_id, task_id))

    def runs(self, *dag_ids: str, states: tuple[str, ...] = ()) -> list[DagRun]:
        return [
            run
            for run in self.done
            if (not dag_ids or run.dag_id in dag_ids) and (not states or run.state in states)
        ]

    def runs_of(self, dag_id: str, key: str) -> list[DagRun]:
        return [run for run in self.runs(dag_id) if run.partition_key == key]

    def waits_for_person(self, run: DagRun) -> bool:
        return run.state == "running"

    def count_runs(self, *dag_ids: str) -> int:
        return len(self.runs(*dag_ids))

    def pending_partitions(self, dag_ids: Collection[str] = ()) -> list[PendingPartition]:
        return []

    def task_instances(self, run: DagRun) -> list[TaskInstance]:
        return [TaskInstance("ingest", "failed", 1, -1)] if run.state == "failed" else []

    def log_error(self, run: DagRun, task: TaskInstance) -> str:
        return "EmptyPartitionError: no rows"

    def log_tail(self, run: DagRun, task: TaskInstance, n_lines: int = 20) -> list[str]:
        return []

    def run_url(self, run: DagRun) -> str:
        return f"{self.base_url}/dags/{run.dag_id}/runs/{run.run_id}"

    def task_url(self, run: DagRun, task_id: str) -> str:
        return f"{self.run_url(run)}/tasks/{task_id}"

    def clear(self, run: DagRun) -> None:
        self.calls.append(f"clear {run.dag_id} {run.partition_key}")
        self.done[self.done.index(run)] = replace(run, state="success")


def a_view() -> View:
    """Return a view that writes lines."""
    return View(Console(file=StringIO(), width=300))


def printed(view: View) -> str:
    """Return what was shown."""
    return cast("StringIO", view.console.file).getvalue()
