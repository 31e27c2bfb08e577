"""Run every contender in turn, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._drift.contenders import FIRST_DAY, TABLE
from benchmarks._drift.data import daily_table, write_samples
from benchmarks._shared.figures import Samples
from benchmarks._shared.machine import ROOT, load_average
from benchmarks._shared.peers import environment_of
from mlops_airflow.stack.processor import numeric_environment
from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.partitions import shift_day
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KLL_SIZES", "N_COLUMNS_WINDOW", "N_DAYS", "PEERS", "Measured", "Plan", "measure"]

PEERS = ("floor", "evidently", "whylogs", "nannyml")
#: Sizes of KLL sketches to compare with: the library's default, and one as accurate as ours.
KLL_SIZES = ("200", "1000", "2400")
N_DAYS, N_COLUMNS_WINDOW, _DAY_ROWS = 365, 200, 1000
_SCRIPT = Path(__file__).with_name("contenders.py")
_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, and where.

    Parameters
    ----------
    folder : Path
        For the data.
    sizes : tuple of int
        Rows of each sample; the last is the one that requirements speak of.
    rounds : int
        Fresh processes of each contender and size.
    repeats : int
        How often the largest sample streams by for the memory of a long table; 0 for not at all.
    days : int
        Daily profiles of the window; 0 for not at all.
    peers : tuple of str
        Who else is measured.
    """

    folder: Path
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    rounds: int = 3
    repeats: int = 50
    days: int = N_DAYS
    peers: tuple[str, ...] = PEERS


Run = dict[str, float]


@dataclass
class Measured:
    """What was measured, and what could not be."""

    runs: dict[tuple[str, str], list[Run]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, str] = field(default_factory=dict)
    profile_kb: float = 0.0
    load: dict[str, float] = field(default_factory=dict)

    def of(self, name: str, what: str, *parts: str) -> Samples | None:
        """Return the sums of some parts of a contender's runs; None when it did not run."""
        runs = self.runs.get((name, what))
        return Samples.of([sum(run[part] for part in parts) for run in runs]) if runs else None


def measure(plan: Plan, say: Callable[[str], None]) -> Measured:
    """Take all measurements.

    Parameters
    ----------
    plan : Plan
        How much.
    say : callable
        Called with what is going on, one short line at a time.

    Returns
    -------
    Measured
        The raw times.
    """
    measured = Measured(load={"before": load_average()})
    pythons = _environments(plan, measured, say)
    for size in plan.sizes:
        say(f"{size:,} rows")
        samples = write_samples(plan.folder, size)
        for _ in range(plan.rounds):
            for name in ("ours", *pythons):
                _take(measured, pythons, name, str(size), *map(str, samples), say=say)
    _accuracy(measured, pythons, samples[0], say)
    if plan.repeats:
        say(f"{plan.repeats} times {plan.sizes[-1]:,} rows in one pass")
        for repeats in (1, plan.repeats) * plan.rounds:
            arguments = (str(samples[0]), str(repeats))
            _take(measured, pythons, "ours_streaming", str(repeats), *arguments, say=say)
    if plan.days:
        _windows(plan, measured, say)
    measured.load["after"] = load_average()
    return measured


def _accuracy(
    measured: Measured, pythons: dict[str, Path], path: Path, say: Callable[[str], None]
) -> None:
    say("accuracy and size")
    measured.profile_kb = _profile_kb(path)
    _take(measured, pythons, "accuracy_ours", "", str(path), "", say=say)
    if "floor" in pythons:
        own = pythons | {"accuracy_kll": pythons["floor"]}
        for k in KLL_SIZES:
            _take(measured, own, "accuracy_kll", k, str(path), k, say=say)


def _environments(plan: Plan, measured: Measured, say: Callable[[str], None]) -> dict[str, Path]:
    found = {}
    for peer in plan.peers:
        say(f"environment of {peer}")
        try:
            found[peer] = environment_of(peer)
        except RuntimeError as error:
            measured.failures[peer] = str(error)
            say(f"  {peer} cannot be installed: {error}")
    return found


def _take(
    measured: Measured,
    pythons: dict[str, Path],
    name: str,
    what: str,
    first: str,
    second: str,
    *,
    say: Callable[[str], None],
) -> None:
    if name in measured.failures:
        return
    outer = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env = outer if name in pythons else outer | numeric_environment() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [str(pythons.get(name, sys.executable)), str(_SCRIPT), name, first, second],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        measured.failures[name] = done.stderr.strip()[-600:]
        say(f"  {name} failed: {measured.failures[name]}")
        return
    run: Run = json.loads(done.stdout.strip().rpartition("\n")[2])
    measured.runs[name, what].append(run)
    parts = ", ".join(f"{part} {value:.2f}" for part, value in run.items())
    say(f"  {name}: {parts}")


def _profile_kb(path: Path) -> float:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    return len(Profile.of(file.iter_batches(), file.schema_arrow).to_bytes()) / 1024


def _windows(plan: Plan, measured: Measured, say: Callable[[str], None]) -> None:
    say(f"{plan.days} days of {N_COLUMNS_WINDOW} columns: publishing them with their profiles")
    lake = Lake(plan.folder / "lake")
    store = ProfileStore(lake)
    for day in range(plan.days):
        rows = daily_table(day, _DAY_ROWS, N_COLUMNS_WINDOW)
        key = shift_day(FIRST_DAY, day)
        published = overwrite_partition(lake.table(TABLE), key, rows, token=1)
        store.write(published, Profile.of(rows.to_batches(), rows.schema))
    # The first reader makes the roll-ups.
    arguments = ("ours_window", "made", str(lake.root), "roll-ups")
    _take(measured, {}, *arguments, say=say)
    for _ in range(plan.rounds):
        for how in ("days", "roll-ups"):
            _take(measured, {}, "ours_window", how, str(lake.root), how, say=say)
