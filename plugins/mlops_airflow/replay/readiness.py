"""Wait until Airflow has the Dags of a model as their files are now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_airflow.replay.exceptions import DagsNotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlops_airflow.rest import AirflowApi, Dag
    from mlops_tasks.specs import ModelSpec

__all__ = ["projects_of", "wait_for_dags"]

PARSE_TIMEOUT_S = 120.0
#: Seconds that an error of a Dag file may stand: the file may be fixed and not read again yet.
ERROR_GRACE_S = 15.0
_POLL_S = 0.5
_LINES = 15


def projects_of(spec: ModelSpec) -> set[str]:
    """Return the folders that a model and its datasets are written in, by their names."""
    return {spec.package, *(Path(one.place.file).parent.name for one in spec.datasets)}


def wait_for_dags(
    api: AirflowApi,
    dag_ids: Collection[str],
    projects: Collection[str],
    say: Callable[[str], None],
) -> dict[str, Dag]:
    """Wait until Airflow has parsed Dags.

    Parameters
    ----------
    api : AirflowApi
        The Airflow.
    dag_ids : collection of str
        Dags to wait for.
    projects : collection of str
        Folders of their files: errors elsewhere do not matter.
    say : callable
        Called with a line if there is something to wait for.

    Returns
    -------
    dict of str to Dag
        These Dags.

    Raises
    ------
    DagsNotReadyError
        If a file cannot be read, or Dags are missing after two minutes.
    """
    began, told = time.monotonic(), False
    while True:
        found = {name: dag for name, dag in api.dags().items() if name in dag_ids}
        missing = sorted(set(dag_ids) - set(found))
        broken = sorted(name for name, dag in found.items() if dag.has_import_errors)
        if not missing and not broken:
            return found
        waited = time.monotonic() - began
        if waited >= ERROR_GRACE_S and (errors := _errors(api, projects)):
            raise DagsNotReadyError(f"Airflow cannot read Dag files of the model:\n{errors}")
        if waited >= PARSE_TIMEOUT_S:
            raise DagsNotReadyError(_explain(api, missing or broken, waited))
        if not told:
            say(f"waiting for Airflow to read {_named(missing or broken)}")
            told = True
        time.sleep(_POLL_S)


def _errors(api: AirflowApi, projects: Collection[str]) -> str:
    """Return the errors of files in these folders, the end of each."""
    return "\n".join(
        f"{name}:\n{_end(trace)}"
        for name, trace in api.import_errors().items()
        if set(Path(name).parts) & set(projects)
    )


def _explain(api: AirflowApi, missing: list[str], waited: float) -> str:
    elsewhere = "".join(f"\n{name}:\n{_end(trace)}" for name, trace in api.import_errors().items())
    processor = api.health(tries=3).get("dag_processor") or {}
    why = f"its dag-processor is {processor.get('status') or 'not running'}"
    return (
        f"Airflow at {api.base_url} does not have {_named(missing)} after {waited:.0f} s: {why}. "
        "Is the project in its Dag folder, with a dag.py that calls build_dags? Look at the log of "
        f"the dag-processor{'; files that it cannot read:' if elsewhere else ''}{elsewhere}"
    )


def _named(dag_ids: list[str]) -> str:
    more = f" and {len(dag_ids) - 4} more" if len(dag_ids) > 4 else ""
    return ", ".join(dag_ids[:4]) + more


def _end(trace: str) -> str:
    return "\n".join(f"    {line}" for line in trace.strip().splitlines()[-_LINES:])
