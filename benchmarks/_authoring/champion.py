"""From ``mlops new`` to a first champion under the real scheduler, for each problem type.

The sources are the generated databases of the demo, as somebody has one already. For each a folder
of Dags, a project by ``mlops new``, a stack, and history and first training by ``mlops replay``:
all of that is in the clock, writing the database is not.
"""

from __future__ import annotations

import difflib
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks._shared.console import say
from benchmarks._shared.figures import figure
from benchmarks._shared.machine import ROOT
from benchmarks._shared.parts import Measured
from mlops_airflow.projects import find_model
from mlops_airflow.replay import Replay, ReplayError, View, choose_span
from mlops_airflow.rest import AirflowApi
from mlops_airflow.stack.environment import tool
from mlops_airflow.stack.settings import StackSettings
from mlops_airflow.stack.stack import running_stack
from mlops_tasks.exceptions import MlopsError
from mlops_tasks.specs.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks._shared.figures import Figure
    from mlops_airflow.replay import Training
    from mlops_airflow.stack.stack import Stack

__all__ = ["measure"]

LIMIT_S, LIMIT_LINES = 240.0, 60


@dataclass(frozen=True, slots=True)
class Case:
    """One source, and what a person says of it.

    Attributes
    ----------
    problem_type : str
        What is to be predicted.
    world : str
        Module of `demo.worlds`.
    model : str
        Name of the new model.
    said : tuple of str
        Options of ``mlops new``.
    """

    problem_type: str
    world: str
    model: str
    said: tuple[str, ...]


CASES = (
    Case(
        "binary",
        "machines",
        "breakdowns",
        (
            *("--table", "readings", "--label-table", "failures", "--target", "failed"),
            *("--time", "read_at", "--key", "machine_id,day", "--delay", "15d"),
        ),
    ),
    Case(
        "multiclass",
        "tickets",
        "queues",
        (
            *("--table", "tickets", "--label-table", "routings", "--target", "queue"),
            *("--time", "opened_at", "--key", "ticket_id", "--delay", "1d"),
        ),
    ),
    Case(
        "regression",
        "demand",
        "units_sold",
        (
            *("--table", "offers", "--label-table", "sales", "--target", "units"),
            *("--time", "offered_at", "--key", "store_id,product_id,week"),
            *("--grain", "week", "--delay", "7d"),
        ),
    ),
)


@dataclass
class Walk:
    """How one case went."""

    case: Case
    seconds: dict[str, float] = field(default_factory=dict)
    n_partitions: int = 0
    n_generated: int = 0
    n_touched: int = 0
    training: Training | None = None
    trouble: str = ""

    @property
    def total_s(self) -> float | None:
        """Seconds to the first champion; None if there was none."""
        champion = self.training is not None and self.training.promoted
        return sum(self.seconds.values()) if champion else None

    @contextmanager
    def clock(self, part: str) -> Iterator[None]:
        """Take the time of a part."""
        began = time.monotonic()
        yield
        self.seconds[part] = time.monotonic() - began
        say(f"{self.case.problem_type}: {part} {self.seconds[part]:.1f} s")


def measure(*, quick: bool) -> Measured:
    """Walk from a database to a champion, once for each problem type."""
    walks = [_walk(case) for case in (CASES[-1:] if quick else CASES)]
    notes = [
        "Sources are the demo's generated databases, written before the clock starts; "
        "`mlops new` is given table, target, time, key and delay on its command line.",
        "In the clock: `mlops new`, the start of a new stack, and what `mlops replay` does up to "
        "the first champion: the history that the first training looks at, ingested, validated "
        "and published by the scheduler, and the training with its gate.",
        "Lines touched by hand are those of the generated project that differ when it has its "
        "champion from what `mlops new` wrote.",
        *(f"{walk.case.problem_type}: {walk.trouble}" for walk in walks if walk.trouble),
    ]
    return Measured(_figures(walks), {"Seconds of each part": _table(walks)}, notes)


def _walk(case: Case) -> Walk:
    walk, home = Walk(case), Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    try:
        database = home / f"{case.world}.db"
        importlib.import_module(f"demo.worlds.{case.world}").write(database)
        settings = _settings(home)
        settings.dags_folder.mkdir()
        with walk.clock("mlops new"):
            _new(case, database, settings)
        written = _lines(settings.dags_folder)
        walk.n_generated = sum(map(len, written.values()))
        with ExitStack() as cleanup:
            with walk.clock("stack"):
                stack = cleanup.enter_context(running_stack(settings))
            with walk.clock("history and training"):
                _train(walk, stack)
        walk.n_touched = _changed(written, _lines(settings.dags_folder))
    except (MlopsError, ReplayError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", None) or str(error)
        walk.trouble = " ".join(output.split())[-600:]
        say(f"{case.problem_type}: {walk.trouble}")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return walk


def _train(walk: Walk, stack: Stack) -> None:
    """Do what ``mlops replay`` does before its first partition."""
    spec = find_model(walk.case.model, stack.settings.dags_folder)
    first, last = choose_span(spec, None, None)
    calendar = Calendar(spec, first)
    walk.n_partitions = sum(map(len, calendar.history()))
    with AirflowApi(stack.airflow_url, *stack.login) as api:
        replay = Replay(api, calendar, last, View(Console(quiet=True)))
        walk.training = replay.prepare()


def _settings(home: Path) -> StackSettings:
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.bind(("127.0.0.1", 0))
        airflow, mlflow = (one.getsockname()[1] for one in (first, second))
    return StackSettings(
        home / "home",
        home / "dags",
        plugins_folder=ROOT / "plugins",
        airflow_port=airflow,
        mlflow_port=mlflow,
    )


def _new(case: Case, database: Path, settings: StackSettings) -> None:
    command = (tool("mlops"), "new", case.model, "--source", str(database), "--ci", "none")
    subprocess.run(
        [*command, *case.said, "--json"],
        env=os.environ | settings.to_env(),
        cwd=settings.dags_folder.parent,
        check=True,
        capture_output=True,
        text=True,
    )


def _lines(folder: Path) -> dict[str, list[str]]:
    """Return the lines of a project, by file."""
    files = (path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts)
    return {
        str(path.relative_to(folder)): path.read_text("utf-8").splitlines()
        for path in files
        if path.is_file()
    }


def _changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> int:
    """Count the lines that a person has written or removed."""
    return sum(
        line[:2] in ("+ ", "- ")
        for name in before | after
        for line in difflib.ndiff(before.get(name, []), after.get(name, []))
    )


def _figures(walks: Sequence[Walk]) -> list[Figure]:
    figures = []
    for walk in walks:
        kind = walk.case.problem_type
        figures += [
            figure(f"mlops new to a first champion, {kind}", walk.total_s, "s", below=LIMIT_S),
            figure(
                f"lines touched by hand, {kind}",
                None if walk.total_s is None else float(walk.n_touched),
                "lines",
                below=LIMIT_LINES + 1,
            ),
        ]
    return figures


def _table(walks: Sequence[Walk]) -> list[Sequence[str]]:
    parts = ("mlops new", "stack", "history and training")
    head = ("problem type", "source", *parts, "partitions taken in", "lines generated", "verdict")
    rows: list[Sequence[str]] = [head]
    for walk in walks:
        seconds = (f"{walk.seconds[part]:.1f}" if part in walk.seconds else "" for part in parts)
        verdict = str(walk.training) if walk.training else walk.trouble
        counts = (str(walk.n_partitions), str(walk.n_generated))
        rows.append((walk.case.problem_type, walk.case.world, *seconds, *counts, verdict))
    return rows
