"""Kill MLflow, the scheduler and the source of a stack in turn, and say how the nights ended."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import sqlalchemy as sa
from rich.console import Console

from demo.__main__ import Session, _adopt_mlflow_settings
from demo.flights_package import FlightsPackage
from demo.plan import ARRIVALS, FIRST_NIGHT, FLIGHTS, HISTORY_END, MODEL, REFRESH, TRAIN, WEATHER
from demo.source import METADATA, SourceDatabase
from mlops_airflow.replay import View, wait_until_quiet
from mlops_airflow.rest import AirflowApi
from mlops_airflow.stack.record import read_record
from mlops_airflow.stack.stack import running_stack
from mlops_tasks.maintenance import registered_pins
from tests.system.conftest import wait_for
from tests.system.servers import PASSWORD, USER, Server, postgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_airflow.rest import DagRun
    from mlops_airflow.stack.settings import StackSettings
    from mlops_tasks.registry.ledger import LedgerEntry

INGESTION = {FLIGHTS, WEATHER, ARRIVALS, REFRESH}
#: Columns that hold times.
MOMENTS = (
    ("schedule", "scheduled_departure"),
    ("arrivals", "recorded_at"),
    ("weather", "observed_at"),
)
#: Seconds without a source.
AWAY_S = 8.0
#: What differs between two runs on the same data: names of runs and models, and the numbers of
#: table versions, which follow the order in which days of January were committed, four at a time.
VOLATILE = {"run_id", "url", "digest", "versions", "token", "model_uri"}
OF_VALIDATIONS = {"version", "raw_version", "report", "since"}


class PostgresSource(SourceDatabase):
    """The airline's database in a PostgreSQL."""

    def __init__(self, server: Server) -> None:
        password = quote(PASSWORD, safe="")
        url = f"postgresql+psycopg2://{USER}:{password}@{server.host}:{server.port}"
        self.engine = sa.create_engine(f"{url}/{server.database}", poolclass=sa.NullPool)
        self.package = FlightsPackage()
        METADATA.create_all(self.engine)
        with self.engine.begin() as connection:
            # SQLite knows no times; a PostgreSQL that kept them as text would break the contract.
            for table, column in MOMENTS:
                connection.execute(
                    sa.text(
                        f"ALTER TABLE {table} ALTER {column} TYPE timestamptz "
                        f"USING {column}::timestamptz"
                    )
                )


def connection(server: Server) -> dict[str, str]:
    """Return the environment in which tasks find the source, and try again soon."""
    source = {"conn_type": "postgres", "host": server.host, "port": server.port}
    source |= {"login": USER, "password": PASSWORD, "schema": server.database}
    return {
        "AIRFLOW_CONN_FLIGHTS_SOURCE": json.dumps(source),
        "AIRFLOW__MLOPS__RETRY_BASE_S": "1",
        "AIRFLOW__MLOPS__RETRY_LONGEST_S": "8",
    }


@dataclass
class Killer:
    """Kill the victims of each night as soon as something runs that needs them.

    Attributes
    ----------
    settings : StackSettings
        The stack.
    server : Server
        Its source.
    killed : list of str
        Who was killed, in order.
    """

    settings: StackSettings
    server: Server
    killed: list[str] = field(default_factory=list)
    due: set[str] = field(default_factory=set)
    back_at: float = 0.0

    def watch(self, active: list[DagRun], pending: object) -> None:
        """Look at what runs; called by the replay twice a second."""
        if self.back_at and time.monotonic() > self.back_at:
            self.revive()
        running = {run.dag_id for run in active if run.state == "running"}
        needed = {
            "source": bool(running & INGESTION),
            "mlflow": bool(running - INGESTION),
            "scheduler": bool(running),
        }
        for victim in sorted(name for name in self.due if needed[name]):
            self.due.remove(victim)
            self.killed.append(victim)
            self._kill(victim)

    def revive(self) -> None:
        """Start the source again."""
        self.back_at = 0.0
        self.server.start()

    def heal(self) -> None:
        """Wait until everything is there again."""
        if self.back_at:
            self.revive()
        wait_for(self._is_healthy, "all components are healthy", timeout_s=180)

    def _kill(self, victim: str) -> None:
        if victim == "source":
            self.server.kill()
            self.back_at = time.monotonic() + AWAY_S
            return
        record = read_record(self.settings.record_file)
        assert record is not None
        leader = record.components[victim].process
        assert leader is not None
        process = psutil.Process(leader.pid)
        # Of MLflow the worker: the parent sees it and ends by itself.
        workers = process.children() if victim == "mlflow" else []
        (workers[0] if workers else process).kill()

    def _is_healthy(self) -> bool:
        record = read_record(self.settings.record_file)
        assert record is not None
        assert record.failure is None, record.failure
        return {c.state for c in record.components.values()} == {"healthy"}


def play(
    settings: Callable[[dict[str, str]], StackSettings], n_nights: int, *, disturbed: bool
) -> tuple[dict[str, Any], list[str]]:
    """Play nights on a stack of its own.

    Parameters
    ----------
    settings : callable
        Makes the settings of a stack with more environment.
    n_nights : int
        Nights after January.
    disturbed : bool
        Whether something is killed each night.

    Returns
    -------
    tuple of (dict, list of str)
        How it ended, and who was killed.
    """
    with postgres() as server:
        made = settings(connection(server))
        with running_stack(made) as stack:
            _adopt_mlflow_settings(stack)
            with AirflowApi(stack.airflow_url, *stack.login) as api:
                session = Session(stack, api, View(Console(width=160)))
                source = PostgresSource(server)
                session.replay.advance = lambda day: source.advance(date.fromisoformat(day))
                killer = Killer(made, server)
                _nights(session, killer, n_nights, disturbed=disturbed)
                return end_state(session), killer.killed


def _nights(session: Session, killer: Killer, n_nights: int, *, disturbed: bool) -> None:
    session.replay.prepare()
    victims = cycle([{"mlflow"}, {"scheduler"}, {"source"}])
    for n, due in zip(range(n_nights), victims, strict=False):
        night = FIRST_NIGHT + timedelta(days=n)
        killer.due = set(due) if disturbed else set()
        session.replay.play(night.isoformat(), killer.watch)
        if due == {"mlflow"}:
            # A person asks for a training, too: most of what needs MLflow.
            killer.due = set(due) if disturbed else set()
            key = night.isoformat()
            session.api.trigger(TRAIN, key, run_id=f"asked__{key}")
            wait_until_quiet(session.api, killer.watch)
        killer.heal()
        session.view.say(f"night {night}: killed so far: {', '.join(killer.killed) or 'nobody'}")


def end_state(session: Session) -> dict[str, Any]:
    """Collect what must not depend on what was killed.

    Parameters
    ----------
    session : Session
        A stack at rest.

    Returns
    -------
    dict
        Tables by partition, decisions, and versions with the data they were trained on.
    """
    lake, ledger, tracking = session.lake, session.ledger, session.tracking
    entries = ledger.entries()
    versions = tracking.client.search_model_versions(f"name = '{MODEL}'")
    aliases = tracking.client.get_registered_model(MODEL).aliases
    champion = ledger.champion(MODEL)
    assert champion is not None
    return {
        "tables": {
            table: {
                commit.partition: (commit.n_rows, commit.digest)
                for commit in lake.table(table).commits(first="0001-01-01", last="9999-12-31")
            }
            for table in sorted(lake.tables())
        },
        "evidence": {
            f"{e.model} {e.kind} {e.key}": steady_evidence(e) for e in entries if e.kind != "pin"
        },
        "pins": {
            name: [(pin.table, pin.first, pin.last, pin.n_rows, pin.digest) for pin in pins]
            for name, pins in registered_pins(tracking).items()
        },
        "versions": sorted(version.version for version in versions),
        "champion": (champion.version, champion.generation),
        "aliases": dict(sorted(aliases.items())),
        "runs": sorted(
            {(run.dag_id, run.partition_key, run.state) for run in session.api.runs()},
            key=str,
        ),
    }


def steady_evidence(entry: LedgerEntry) -> Any:
    """Return what an entry says without what differs between two runs on the same data."""
    if entry.kind != "validation":
        return steady(entry.evidence, VOLATILE)
    evidence = dict(entry.evidence)
    if entry.key <= HISTORY_END.isoformat():
        # Taken in four at a time: which days a day was compared with is a matter of chance.
        evidence["checks"] = [
            check for check in evidence["checks"] if not check["name"].startswith("history:")
        ]
    return steady(evidence, VOLATILE | OF_VALIDATIONS)


def steady(value: Any, volatile: set[str]) -> Any:
    """Leave out some fields at any depth."""
    if isinstance(value, dict):
        return {k: steady(v, volatile) for k, v in value.items() if k not in volatile}
    if isinstance(value, list | tuple):
        return [steady(v, volatile) for v in value]
    return value
