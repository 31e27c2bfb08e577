"""A small typed client of Airflow's REST API: what the demo needs to drive and to read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from demo.airflow_http import AirflowApiError, AirflowHttp
from demo.airflow_records import (
    DagRun,
    PendingPartition,
    TaskInstance,
    condition_holds,
    dag_run,
    log_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import httpx

NOT_FOUND, CONFLICT = 404, 409


class AirflowApi:
    """Airflow's REST API, logged in; every call may be repeated, runs carry ids of our own.

    Parameters
    ----------
    base_url : str
        Address of the api-server.
    username, password : str
        A user of Airflow's SimpleAuthManager.
    transport : httpx.BaseTransport, optional
        Replaces the network, for tests.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = AirflowHttp(base_url, username, password, transport=transport)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def base_url(self) -> str:
        """Address of the api-server, also of the UI."""
        return self._http.base_url

    def unpause(self, dag_ids: Iterable[str]) -> None:
        """Let Dags run; only then do asset events reach them.

        Parameters
        ----------
        dag_ids : iterable of str
            Dags to unpause.
        """
        for dag_id in dag_ids:
            self._http.send("PATCH", f"/api/v2/dags/{quote(dag_id)}", json={"is_paused": False})

    def dag_ids(self) -> set[str]:
        """Name every Dag that Airflow has parsed.

        Returns
        -------
        set of str
            Dag ids.
        """
        return {row["dag_id"] for row in self._http.pages("/api/v2/dags", "dags")}

    def import_errors(self) -> list[str]:
        """Return which Dag files could not be parsed.

        Returns
        -------
        list of str
            File name and traceback of each.
        """
        rows = self._http.pages("/api/v2/importErrors", "import_errors")
        return [f"{row['filename']}: {row['stack_trace']}" for row in rows]

    def trigger(
        self,
        dag_id: str,
        partition_key: str | None,
        *,
        run_id: str,
        note: str = "",
        conf: dict[str, str] | None = None,
    ) -> DagRun:
        """Start a run for one partition, or find the run of that id if it was started before.

        Parameters
        ----------
        dag_id, partition_key : str
            What to run; without a key, if None.
        run_id : str
            Identity of the run; makes the call repeatable.
        note : str, optional
            A sentence shown beside the run.
        conf : dict of str to str, optional
            Values for the Dag's parameters.

        Returns
        -------
        DagRun
            The new run, or the one that exists.
        """
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns"
        body = {
            "dag_run_id": run_id,
            "logical_date": None,
            # SQLite gives the scheduler whole seconds: a run due "now" waits for the next one.
            "run_after": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
            "partition_key": partition_key,
            "note": note or None,
            "conf": conf or {},
        }
        try:
            return dag_run(self._http.send("POST", path, json=body))
        except AirflowApiError as error:
            if error.status != CONFLICT:
                raise
        return dag_run(self._http.send("GET", f"{path}/{_quoted(run_id)}"))

    def backfill(
        self, dag_id: str, first: str, last: str, *, max_active_runs: int, conf: dict[str, str]
    ) -> int:
        """Start a backfill over the partitions `first` to `last`, those that succeeded left out.

        Parameters
        ----------
        dag_id : str
            A Dag with a partitioned cron timetable.
        first, last : str
            Partition days, both inclusive.
        max_active_runs : int
            Runs at the same time.
        conf : dict of str to str
            Values for the Dag's parameters.

        Returns
        -------
        int
            Number of the backfill.
        """
        body = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            # A partition lies at its Dag's cron tick, any time of the day.
            "to_date": f"{last}T23:59:59Z",
            "max_active_runs": max_active_runs,
            "reprocess_behavior": "failed",
            "dag_run_conf": conf,
        }
        return int(self._http.send("POST", "/api/v2/backfills", json=body)["id"])

    def backfill_is_open(self, dag_id: str) -> bool:
        """Return whether a backfill of the Dag is still marked as going on.

        Parameters
        ----------
        dag_id : str
            The Dag.

        Returns
        -------
        bool
            True while Airflow would refuse another one.
        """
        rows = self._http.pages("/api/v2/backfills", "backfills", dag_id=dag_id)
        return any(row["completed_at"] is None for row in rows)

    def runs(self, dag_id: str = "~", *, states: Sequence[str] = ()) -> list[DagRun]:
        """List runs, oldest first.

        Parameters
        ----------
        dag_id : str, default "~"
            One Dag, or all of them.
        states : sequence of str, optional
            Only runs in these states.

        Returns
        -------
        list of DagRun
            Empty for a Dag without runs.
        """
        path = f"/api/v2/dags/{quote(dag_id, safe='~')}/dagRuns"
        query = {"state": list(states), "order_by": "id"}
        return [dag_run(row) for row in self._http.pages(path, "dag_runs", **query)]

    def count_runs(self) -> int:
        """Count every run of every Dag.

        Returns
        -------
        int
            Runs in any state.
        """
        answer = self._http.send("GET", "/api/v2/dags/~/dagRuns", params={"limit": 1})
        return int(answer["total_entries"])

    def clear(self, run: DagRun) -> None:
        """Run the failed tasks of a run again, and what comes after them.

        Parameters
        ----------
        run : DagRun
            A run that failed.
        """
        body = {"dry_run": False, "only_failed": True}
        self._http.send("POST", f"{_path(run)}/clear", json=body)

    def task_instances(self, run: DagRun) -> list[TaskInstance]:
        """List the tasks of a run.

        Parameters
        ----------
        run : DagRun
            Any run.

        Returns
        -------
        list of TaskInstance
            In no particular order.
        """
        rows = self._http.pages(f"{_path(run)}/taskInstances", "task_instances")
        names = ("task_id", "state", "try_number", "map_index")
        return [TaskInstance(**{name: row[name] for name in names}) for row in rows]

    def log_tail(self, run: DagRun, task: TaskInstance, n_lines: int = 20) -> list[str]:
        """Read the last lines of a task's log.

        Parameters
        ----------
        run : DagRun
            The run.
        task : TaskInstance
            One of its tasks; its newest try is read.
        n_lines : int, default 20
            At most this number of lines.

        Returns
        -------
        list of str
            Plain text lines; empty when there is no log.
        """
        path = f"{_path(run)}/taskInstances/{_quoted(task.task_id)}/logs/{task.try_number}"
        try:
            answer = self._http.send(
                "GET", path, params={"map_index": task.map_index, "full_content": True}
            )
        except AirflowApiError as error:
            return [f"(its log cannot be read: {error})"]
        lines = [line for entry in answer["content"] for line in log_lines(entry)]
        return lines[-n_lines:]

    def pending_partitions(self) -> list[PendingPartition]:
        """List the partitions that have an asset event and no run yet.

        Returns
        -------
        list of PendingPartition
            Those that may start at once and those that still wait for another event.
        """
        query = {"has_created_dag_run_id": False}
        answer = self._http.send("GET", "/ui/partitioned_dag_runs", params=query)
        pending = {(row["dag_id"], row["partition_key"]) for row in answer["partitioned_dag_runs"]}
        return [self._pending_partition(*key) for key in sorted(pending)]

    def _pending_partition(self, dag_id: str, partition_key: str) -> PendingPartition:
        path = f"/ui/pending_partitioned_dag_run/{quote(dag_id)}"
        try:
            detail = self._http.send("GET", path, params={"partition_key": partition_key})
        except AirflowApiError as error:
            if error.status != NOT_FOUND:
                raise
            # It became a run between the two requests.
            return PendingPartition(dag_id, partition_key, is_complete=True)
        received = {
            row["asset_uri"]
            for row in detail["assets"]
            if row["received"] and not row["asset_inactive"]
        }
        complete = condition_holds(detail["asset_expression"], received)
        return PendingPartition(dag_id, partition_key, is_complete=complete)

    def run_url(self, run: DagRun) -> str:
        """Give the address of a run's page.

        Parameters
        ----------
        run : DagRun
            Any run.

        Returns
        -------
        str
            Address in Airflow's UI.
        """
        return f"{self._http.base_url}/dags/{quote(run.dag_id)}/runs/{_quoted(run.run_id)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _path(run: DagRun) -> str:
    return f"/api/v2/dags/{quote(run.dag_id)}/dagRuns/{_quoted(run.run_id)}"
