"""The examples: where the data of each come from, where it begins, how it is reported.

The airline's database grows by night (`demo.source`). The generated ones hold all rows from the
start, later ones too. No future leaks: an ingestion asks for the rows of its partition alone, its
run comes when `mlops_tasks.specs.calendar` says that the schedule would have taken it, and first
rows count as known then (ADR 16).
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from demo.evidence import collect
from demo.plan import FIRST_NIGHT, MODEL
from demo.project_report import build_project_report, print_project_report
from demo.report import build_report, print_report
from demo.source import LAST_DAY, SourceDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from mlops_airflow.rest import AirflowApi
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

FLIGHTS_SOURCE = "source.db"


@dataclass(frozen=True, slots=True)
class Project:
    """One example: its source, and the partitions to play.

    Attributes
    ----------
    model : str
        The model, also its folder below ``dags/``.
    first, last : str
        First and last partition that is played; all that is known before it is history.
    at_least, at_most : int
        How many are played before the loop counts as closed, and if it never closes.
    """

    model: str
    first: str
    last: str
    at_most: int
    at_least: int = 0

    def prepare(self, home: Path) -> str:
        """Write its source, if it does not grow by itself; return what there is to say of it."""
        raise NotImplementedError

    def connection(self, home: Path) -> dict[str, str]:
        """Return the variable that gives Airflow the connection to its source."""
        raise NotImplementedError

    def advance(self, home: Path, day: str) -> None:
        """Move the clock of its source to the end of a day."""
        raise NotImplementedError

    def report(
        self, api: AirflowApi, ledger: Ledger, lake: Lake, tracking: Tracking
    ) -> dict[str, Any]:
        """Return what the replay has left behind, as plain JSON; ``closed`` if the loop has."""
        raise NotImplementedError

    def show(self, report: dict[str, Any], console: Console) -> None:
        """Print a report."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Flights(Project):
    """Real flights, whose database the airline fills night by night."""

    def prepare(self, home: Path) -> str:
        """Do nothing: the database is made by its clock."""
        return ""

    def connection(self, home: Path) -> dict[str, str]:
        """Return nothing: the stack knows this source."""
        return {}

    def advance(self, home: Path, day: str) -> None:
        """Move the airline's clock to the end of a night."""
        _airline(home / FLIGHTS_SOURCE).advance(date.fromisoformat(day))

    def report(
        self, api: AirflowApi, ledger: Ledger, lake: Lake, tracking: Tracking
    ) -> dict[str, Any]:
        """Return the facts of all conditions."""
        return build_report(collect(api, ledger, lake, tracking))

    def show(self, report: dict[str, Any], console: Console) -> None:
        """Print the tables."""
        print_report(report, console)


@dataclass(frozen=True, slots=True)
class Generated(Project):
    """A world of `demo.worlds`, written once from a seed.

    Attributes
    ----------
    world : str
        Module of `demo.worlds`.
    conn_id : str
        Connection id of its datasets.
    """

    world: str = ""
    conn_id: str = ""

    def database(self, home: Path) -> Path:
        """Return the file of its source."""
        return home / f"{self.world}.db"

    def prepare(self, home: Path) -> str:
        """Write its source unless it is there; killed anywhere, the next call writes it anew."""
        database = self.database(home)
        if database.exists():
            return ""
        part = database.with_suffix(".part")
        part.unlink(missing_ok=True)
        importlib.import_module(f"demo.worlds.{self.world}").write(part)
        os.replace(part, database)
        return f"wrote {database}, generated from a seed"

    def connection(self, home: Path) -> dict[str, str]:
        """Return the variable that gives Airflow the connection to its source."""
        where = {"conn_type": "sqlite", "host": str(self.database(home))}
        return {f"AIRFLOW_CONN_{self.conn_id.upper()}": json.dumps(where)}

    def advance(self, home: Path, day: str) -> None:
        """Do nothing: all rows are there."""

    def report(
        self, api: AirflowApi, ledger: Ledger, lake: Lake, tracking: Tracking
    ) -> dict[str, Any]:
        """Return what the ledger says."""
        return build_project_report(ledger, self.model)

    def show(self, report: dict[str, Any], console: Console) -> None:
        """Print the tables."""
        print_project_report(report, console)


@cache
def _airline(file: Path) -> SourceDatabase:
    """Return the airline's database, which reads the public data once."""
    return SourceDatabase(file)


PROJECTS: dict[str, Project] = {
    project.model: project
    for project in (
        Flights(MODEL, FIRST_NIGHT.isoformat(), LAST_DAY.isoformat(), at_most=45, at_least=14),
        Generated(
            "demand", "2024-06-10", "2024-10-21", 20, world="demand", conn_id="demand_source"
        ),
        Generated(
            "support_tickets",
            "2024-06-01",
            "2024-06-28",
            28,
            world="tickets",
            conn_id="tickets_source",
        ),
        Generated(
            "machine_failures",
            "2024-05-02",
            "2024-06-10",
            40,
            world="machines",
            conn_id="machines_source",
        ),
    )
}
