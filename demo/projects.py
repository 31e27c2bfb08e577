"""The example projects with a generated source: where each begins, and what is known by when.

Their databases hold all rows from the start, later ones too. No future leaks: an ingestion asks for
the rows of its partition alone, its run comes when `mlops_tasks.specs.calendar` says that the
schedule would have taken it, and first rows count as known then (ADR 16).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec


@dataclass(frozen=True, slots=True)
class Project:
    """One example: its world, the connection that leads there, and the partitions to play.

    Attributes
    ----------
    model : str
        The model, also its folder below ``dags/``.
    world : str
        Module of `demo.worlds`.
    conn_id : str
        Connection id of its datasets.
    first : str
        First partition that is played; all that is known before it is history.
    n_partitions : int
        How many are played at most.
    """

    model: str
    world: str
    conn_id: str
    first: str
    n_partitions: int

    def database(self, home: Path) -> Path:
        """Return the file of its source."""
        return home / f"{self.world}.db"

    def write_world(self, home: Path) -> bool:
        """Write its source unless it is there; killed anywhere, the next call writes it anew.

        Returns
        -------
        bool
            Whether it was written now.
        """
        database = self.database(home)
        if database.exists():
            return False
        part = database.with_suffix(".part")
        part.unlink(missing_ok=True)
        importlib.import_module(f"demo.worlds.{self.world}").write(part)
        os.replace(part, database)
        return True

    def connection(self, home: Path) -> dict[str, str]:
        """Return the variable that gives Airflow the connection to its source."""
        where = {"conn_type": "sqlite", "host": str(self.database(home))}
        return {f"AIRFLOW_CONN_{self.conn_id.upper()}": json.dumps(where)}

    def spec(self, dags_folder: Path) -> ModelSpec:
        """Import the spec from the Dag folder."""
        if str(dags_folder) not in sys.path:
            sys.path.insert(0, str(dags_folder))
        found: ModelSpec = importlib.import_module(f"{self.model}.spec").MODEL
        return found


PROJECTS = {
    project.model: project
    for project in (
        Project("demand", "demand", "demand_source", "2024-06-10", 20),
        Project("support_tickets", "tickets", "tickets_source", "2024-06-01", 28),
        Project("machine_failures", "machines", "machines_source", "2024-05-02", 40),
    )
}
