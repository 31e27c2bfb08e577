"""Airflow's REST API: Dags, runs, tasks, their logs and results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from mlops_airflow.rest.http import PAGE_SIZE, AirflowApiError, AirflowHttp
from mlops_airflow.rest.records import (
    Dag,
    DagRun,
    PendingPartition,
    TaskInstance,
    condition_holds,
    dag_run,
    first_error,
    log_lines,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import httpx

__all__ = ["AirflowApi"]

NOT_FOUND, CONFLICT = 404, 409


class AirflowApi:
    """Airflow's REST API, logged in; every call may be repeated, runs carry ids of our own.

    Parameters
    ----------
    base_url : str
        Address of the api-server.
    username, password : str
        A user of Airflow's auth manager.
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

    def health(self, *, tries: int = 1) -> dict[str, Any]:
        """Ask how Airflow's components are.

        Parameters
        ----------
        tries : int, default 1
            How often to ask while nobody answers.

        Returns
        -------
        dict
            By component, such as ``scheduler``: its ``status`` and its latest heartbeat.
        """
        return self._http.send("GET", "/api/v2/monitor/health", tries=tries)

    def dags(self) -> dict[str, Dag]:
        """List every Dag that Airflow has parsed and whose file is still there.

        Returns
        -------
        dict of str to Dag
            By Dag id.
        """
        return {
            row["dag_id"]: Dag(
                dag_id=row["dag_id"],
                is_paused=row["is_paused"],
                has_import_errors=row["has_import_errors"],
                file=row["fileloc"],
            )
            for row in self._http.pages("/api/v2/dags", "dags")
        }

    def unpause(self, dag_ids: Iterable[str]) -> None:
        """Let Dags run; only then do asset events reach them.

        Parameters
        ----------
        dag_ids : iterable of str
            Dags to unpause.
        """
        for dag_id in dag_ids:
            self.set_paused(dag_id, paused=False)

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a Dag.

        Parameters
        ----------
        dag_id : str
            The Dag.
        paused : bool
            Which of the two.
        """
        self._http.send("PATCH", f"/api/v2/dags/{quote(dag_id)}", json={"is_paused": paused})

    def import_errors(self) -> dict[str, str]:
        """Return which Dag files could not be parsed.

        Returns
        -------
        dict of str to str
            The traceback of each, by the file's name.
        """
        rows = self._http.pages("/api/v2/importErrors", "import_errors")
        return {row["filename"]: row["stack_trace"] for row in rows}

    def consumers(self) -> dict[str, list[str]]:
        """Return which Dags wait for the events of each asset.

        Returns
        -------
        dict of str to list of str
            Dag ids by the asset's name.
        """
        rows = self._http.pages("/api/v2/assets", "assets")
        return {row["name"]: [dag["dag_id"] for dag in row["scheduled_dags"]] for row in rows}

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

    def runs(self, *dag_ids: str, states: Sequence[str] = ()) -> list[DagRun]:
        """List runs, oldest first.

        Parameters
        ----------
        *dag_ids : str
            Of these Dags, or of all.
        states : sequence of str, optional
            Only runs in these states.

        Returns
        -------
        list of DagRun
            Empty for Dags without runs.
        """
        query: dict[str, Any] = {"order_by": "id", "page_limit": PAGE_SIZE}
        query |= {"dag_ids": list(dag_ids)} if dag_ids else {}
        query |= {"states": list(states)} if states else {}
        found: list[DagRun] = []
        while True:
            answer = self._list_runs(query | {"page_offset": len(found)})
            found += map(dag_run, answer["dag_runs"])
            if not answer["dag_runs"] or len(found) >= answer["total_entries"]:
                return found

    def runs_of(self, dag_id: str, partition_key: str) -> list[DagRun]:
        """List the runs of one partition, oldest first.

        Parameters
        ----------
        dag_id, partition_key : str
            The Dag and the partition.

        Returns
        -------
        list of DagRun
            In any state.
        """
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns"
        query = {"partition_key_pattern": partition_key, "order_by": "id"}
        rows = map(dag_run, self._http.pages(path, "dag_runs", **query))
        # The pattern finds longer keys, too: the hours of a day.
        return [run for run in rows if run.partition_key == partition_key]

    def count_runs(self, *dag_ids: str) -> int:
        """Count runs.

        Parameters
        ----------
        *dag_ids : str
            Of these Dags, or of all.

        Returns
        -------
        int
            Runs in any state.
        """
        query = {"dag_ids": list(dag_ids)} if dag_ids else {}
        return int(self._list_runs({"page_limit": 1, **query})["total_entries"])

    def _list_runs(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._http.send("POST", "/api/v2/dags/~/dagRuns/list", json=body)

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

    def waits_for_person(self, run: DagRun) -> bool:
        """Return whether a task of a run has asked a person who has not answered yet.

        Parameters
        ----------
        run : DagRun
            Any run.
        """
        query = {"response_received": False, "limit": 1}
        found = self._http.send("GET", f"{_path(run)}/hitlDetails", params=query)
        return bool(found["total_entries"])

    def result(self, run: DagRun, task_id: str) -> Any:
        """Return what a task returned.

        Parameters
        ----------
        run : DagRun
            Its run.
        task_id : str
            The task.

        Returns
        -------
        Any
            Plain JSON, None if it returned nothing.
        """
        path = f"{_path(run)}/taskInstances/{_quoted(task_id)}/xcomEntries/return_value"
        try:
            return self._http.send("GET", path)["value"]
        except AirflowApiError as error:
            if error.status != NOT_FOUND:
                raise
            return None

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
        try:
            entries = self._log(run, task)
        except AirflowApiError as error:
            return [f"(its log cannot be read: {error})"]
        return [line for entry in entries for line in log_lines(entry)][-n_lines:]

    def log_error(self, run: DagRun, task: TaskInstance) -> str:
        """Read the first error of a task's log.

        Parameters
        ----------
        run : DagRun
            The run.
        task : TaskInstance
            One of its tasks; its newest try is read.

        Returns
        -------
        str
            One line.
        """
        try:
            return first_error(self._log(run, task)) or "(no error in its log)"
        except AirflowApiError as error:
            return f"(its log cannot be read: {error})"

    def _log(self, run: DagRun, task: TaskInstance) -> list[str | dict[str, Any]]:
        path = f"{_path(run)}/taskInstances/{_quoted(task.task_id)}/logs/{task.try_number}"
        query = {"map_index": task.map_index, "full_content": True}
        content: list[str | dict[str, Any]] = self._http.send("GET", path, params=query)["content"]
        return content

    def pending_partitions(self, dag_ids: Collection[str] = ()) -> list[PendingPartition]:
        """List the partitions that have an asset event and no run yet.

        Parameters
        ----------
        dag_ids : collection of str, optional
            Of these Dags, or of all.

        Returns
        -------
        list of PendingPartition
            Those that may start at once and those that still wait for another event.
        """
        query = {"has_created_dag_run_id": False}
        answer = self._http.send("GET", "/ui/partitioned_dag_runs", params=query)
        pending = {(row["dag_id"], row["partition_key"]) for row in answer["partitioned_dag_runs"]}
        asked = (key for key in sorted(pending) if not dag_ids or key[0] in dag_ids)
        return list(self._pending(asked))

    def _pending(self, keys: Iterable[tuple[str, str]]) -> Iterator[PendingPartition]:
        for dag_id, partition_key in keys:
            path = f"/ui/pending_partitioned_dag_run/{quote(dag_id)}"
            try:
                detail = self._http.send("GET", path, params={"partition_key": partition_key})
            except AirflowApiError as error:
                if error.status != NOT_FOUND:
                    raise
                # It became a run between the two requests.
                yield PendingPartition(dag_id, partition_key, is_complete=True)
                continue
            received = {
                row["asset_uri"]
                for row in detail["assets"]
                if row["received"] and not row["asset_inactive"]
            }
            complete = condition_holds(detail["asset_expression"], received)
            yield PendingPartition(dag_id, partition_key, is_complete=complete)

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

    def task_url(self, run: DagRun, task_id: str) -> str:
        """Give the address of a task's page, with its log.

        Parameters
        ----------
        run : DagRun
            Its run.
        task_id : str
            The task.

        Returns
        -------
        str
            Address in Airflow's UI.
        """
        return f"{self.run_url(run)}/tasks/{_quoted(task_id)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _path(run: DagRun) -> str:
    return f"/api/v2/dags/{quote(run.dag_id)}/dagRuns/{_quoted(run.run_id)}"
