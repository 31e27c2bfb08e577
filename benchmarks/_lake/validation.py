"""Validation of a partition of 1M x 20: our whole step beside Great Expectations on its own."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from benchmarks._lake.fresh import in_fresh_process
from benchmarks._lake.validation_orders import CLEAN_DAY, COLUMNS, DAY, prepare, suite_items
from benchmarks._shared.figures import Samples, figure

if TYPE_CHECKING:
    from benchmarks._lake.fresh import Outcome
    from benchmarks._lake.plan import Plan
    from benchmarks._shared.figures import Figure

__all__ = ["figures"]

N_ROWS = 1_000_000
MAX_RATIO = 1.2
PEER = "GX alone, rows in memory"
#: Program, day, bytes of memory for every row of the partition, and whether it publishes. All fit
#: into one chunk, or a quarter of them.
_RUNS = {
    "step": ("validation_ours", DAY, 10_000, True),
    "clean": ("validation_ours", CLEAN_DAY, 10_000, True),
    "judging": ("validation_ours", DAY, 10_000, False),
    "chunks": ("validation_ours", DAY, 125, True),
    "gx": ("validation_gx", DAY, 10_000, False),
}


def figures(plan: Plan) -> list[Figure]:
    """Measure the validation.

    Parameters
    ----------
    plan : Plan
        How much, and where.

    Returns
    -------
    list of Figure
        Time, time by that of Great Expectations, and memory.
    """
    n_rows = plan.rows(N_ROWS)
    plan.say(f"  Making {n_rows} rows")
    prepare(plan.folder, n_rows)
    runs: dict[str, list[Outcome]] = {name: [] for name in _RUNS}
    for number in range(plan.rounds):
        for name in reversed(_RUNS) if number % 2 else _RUNS:
            runs[name].append(_measured(plan, name, n_rows))
    plan.notes.append(
        f"{n_rows} rows of {len(COLUMNS)} columns, {len(suite_items())} expectations, one row in a "
        "thousand breaks one. The step reads the rows from the lake, judges contract, keys and "
        "suite, quarantines bad rows, publishes the others with a digest of every cell, waits "
        "until all is on disk, and writes its report; judging alone stops before it publishes. A "
        "day without a bad row is published by links to the files it has been read from. Great "
        "Expectations finds the rows in memory, judges them in its default result format, which "
        "names no rows, and keeps nothing."
    )
    return [*_times(runs), *_memory(runs)]


def _times(runs: dict[str, list[Outcome]]) -> list[Figure]:
    gx = _seconds(runs["gx"])
    texts = {
        "step": "the whole step",
        "clean": "the whole step, no bad row",
        "judging": "reading and judging alone",
        "chunks": "the whole step, in chunks",
    }
    found = []
    for name, text in texts.items():
        ours = _seconds(runs[name])
        limit = None if name == "chunks" else MAX_RATIO
        found.append(figure(text, ours, "s", peer=PEER, peer_measured=gx))
        found.append(figure(f"{text}, by GX's time", ours.median / gx.median, "x", below=limit))
    return found


def _memory(runs: dict[str, list[Outcome]]) -> list[Figure]:
    gx = Samples.of([one.peak_mb for one in runs["gx"]])
    return [
        figure(
            f"{text}, peak memory",
            Samples.of([one.peak_mb for one in runs[name]]),
            "MB",
            peer=PEER,
            peer_measured=gx,
        )
        for name, text in (("step", "the whole step"), ("chunks", "in chunks"))
    ]


def _seconds(outcomes: list[Outcome]) -> Samples:
    return Samples.of([outcome.seconds for outcome in outcomes])


def _measured(plan: Plan, name: str, n_rows: int) -> Outcome:
    """Measure once, on a lake of its own that shares the raw files."""
    program, day, row_memory, whole_step = _RUNS[name]
    folder = plan.folder / "run"
    shutil.copytree(plan.folder / "lake", folder / "lake", copy_function=os.link)
    shutil.copy(plan.folder / "orders.json", folder)
    outcome = in_fresh_process(
        f"benchmarks._lake.{program}",
        folder=str(folder),
        day=day,
        memory=f"{n_rows * row_memory}B",
        whole_step=whole_step,
    )
    shutil.rmtree(folder)
    if (outcome.facts.get("n_chunks", 1) > 1) != (name == "chunks"):
        raise RuntimeError(f"{name} was made in {outcome.facts['n_chunks']} chunks")
    if outcome.facts.get("n_results", len(suite_items())) != len(suite_items()):
        raise RuntimeError(f"{program} has dropped expectations: {outcome.facts}")
    plan.say(f"  {name}, {n_rows} rows: {outcome.seconds:.2f} s, {outcome.peak_mb:.0f} MB")
    return outcome
