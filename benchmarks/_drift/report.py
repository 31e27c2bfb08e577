"""From raw times to figures, tables and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._drift.measure import KLL_SIZES, N_COLUMNS_WINDOW
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.machine import machine
from benchmarks._shared.results import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._drift.measure import Measured, Plan
    from benchmarks._shared.figures import Figure

__all__ = ["speed_report"]

PACKAGES = ("numpy", "pyarrow")
TIMES_EVIDENTLY, TIMES_FLOOR, MEMORY_MB, FLAT = 40.0, 1.5, 400.0, 1.25
PROFILE_KB, WINDOW_S, ROLLED_S = 64.0, 1.5, 0.2


def speed_report(plan: Plan, measured: Measured) -> Report:
    """Write down what the runs have shown.

    Parameters
    ----------
    plan : Plan
        How much was measured.
    measured : Measured
        The raw times.

    Returns
    -------
    Report
        The section ``drift_speed``.
    """
    figures = [
        *_times(plan, measured),
        *_ratios(plan, measured),
        *_memory(plan, measured),
        *_accuracy(measured),
        *_windows(plan, measured),
    ]
    tables = {"Seconds and megabytes, medians of fresh processes": _table(plan, measured)}
    load = measured.load
    return Report("drift_speed", machine(PACKAGES), load, figures, tables, _notes(plan, measured))


def _times(plan: Plan, measured: Measured) -> list[Figure]:
    figures = []
    for size in map(str, plan.sizes):
        ours = measured.of("ours", size, "read_s", "run_s")
        for peer in plan.peers:
            what = f"profile and drift, 2 × {int(size):,} rows × 20 columns, from Parquet"
            theirs = measured.of(peer, size, "read_s", "run_s")
            figures.append(figure(what, ours, "s", peer=peer, peer_measured=theirs))
    return figures


def _ratios(plan: Plan, measured: Measured) -> list[Figure]:
    size = str(plan.sizes[-1])
    ours = measured.of("ours", size, "read_s", "run_s")
    # Only Evidently's own work, without its reading; all of ours.
    evidently, floor = (measured.of(name, size, "run_s") for name in ("evidently", "floor"))
    rows = f"at {plan.sizes[-1]:,} rows"
    return [
        figure(
            f"{rows}: times faster than Evidently without its reading",
            evidently.median / ours.median if evidently and ours else None,
            "×",
            at_least=TIMES_EVIDENTLY,
        ),
        figure(
            f"{rows}: times the single pass of KLL sketches and counts alone",
            ours.median / floor.median if floor and ours else None,
            "×",
            below=TIMES_FLOOR,
        ),
    ]


def _memory(plan: Plan, measured: Measured) -> list[Figure]:
    size = str(plan.sizes[-1])
    figures = [
        figure(
            f"peak memory at {plan.sizes[-1]:,} rows",
            measured.of("ours", size, "peak_mb"),
            "MB",
            below=MEMORY_MB,
            peer=peer,
            peer_measured=measured.of(peer, size, "peak_mb"),
        )
        for peer in plan.peers
    ]
    many = str(plan.repeats)
    once, often = (measured.of("ours_streaming", n, "peak_mb") for n in ("1", many))
    if plan.repeats and once and often:
        rows = f"{plan.repeats * plan.sizes[-1]:,} rows in one pass"
        figures += [
            figure(f"peak memory of {rows}", often.median, "MB", below=MEMORY_MB),
            figure(f"of that for {plan.sizes[-1]:,}", often.median / once.median, "×", below=FLAT),
            figure(f"time of {rows}", measured.of("ours_streaming", many, "run_s"), "s"),
        ]
    stored = figure("stored profile of 20 columns", measured.profile_kb, "KB", below=PROFILE_KB)
    return [*figures, stored]


def _accuracy(measured: Measured) -> list[Figure]:
    figures = []
    for k in KLL_SIZES:
        for part, unit in (("rank_error_%", "%"), ("bytes", "bytes")):
            what = {"%": "worst rank error of 15 columns", "bytes": "stored number column"}[unit]
            ours = measured.of("accuracy_ours", "", part)
            theirs = measured.of("accuracy_kll", k, part)
            peer = f"KLL, k = {k}"
            figures.append(figure(what, ours, unit, peer=peer, peer_measured=theirs))
    return figures


def _windows(plan: Plan, measured: Measured) -> list[Figure]:
    if not plan.days:
        return []
    what = f"{plan.days} days × {N_COLUMNS_WINDOW} columns"
    every = ("read_s", "merge_s", "run_s")
    return [
        figure(
            f"{what}: read, merged, all drift computed",
            measured.of("ours_window", "days", *every),
            "s",
            below=WINDOW_S,
        ),
        *_parts_of(measured, "days", every),
        figure(
            f"{what}: the same where the store's roll-ups serve",
            measured.of("ours_window", "roll-ups", *every),
            "s",
            below=ROLLED_S,
        ),
        *_parts_of(measured, "roll-ups", every),
        figure(
            "before it: the lake opened, its last day read",
            measured.of("ours_window", "roll-ups", "open_s"),
            "s",
        ),
        figure(
            f"{what}: reading them when all roll-ups must be made",
            measured.of("ours_window", "made", "read_s"),
            "s",
        ),
    ]


def _parts_of(measured: Measured, how: str, every: Sequence[str]) -> list[Figure]:
    return [
        figure(f"of it: {name}", measured.of("ours_window", how, part), "s")
        for part, name in zip(every, ("read", "merged", "drift"), strict=True)
    ]


def _table(plan: Plan, measured: Measured) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("contender", "rows", "import s", "read s", "work s", "CPU s of the process", "peak MB")
    ]
    for size in map(str, plan.sizes):
        for name in ("ours", *plan.peers):
            parts = ("import_s", "read_s", "run_s", "cpu_s", "peak_mb")
            found = [measured.of(name, size, part) for part in parts]
            rows.append((name, f"{int(size):,}", *map(_text, found)))
    return rows


def _text(samples: Samples | None) -> str:
    return f"{samples.median:.3g}" if samples else "not measured"


def _notes(plan: Plan, measured: Measured) -> list[str]:
    failed = [f"{name} could not be measured: {why}" for name, why in measured.failures.items()]
    return [
        "Both samples have 15 columns of doubles and 5 of texts with 2 to 1,000 values; three of "
        "them drift. Imports are not in any time. Ours and the floor read in the same pass; the "
        "others' reading (pandas) is in the first figures, not in the comparison with Evidently.",
        "The floor is one KLL sketch (Apache datasketches, k = 200) for each number column and a "
        "frequent-items sketch, fed with counts, for each text column, over the same batches: no "
        "moments, nulls or drift.",
        "The window is read through the profile store of a lake: which days there are and at which "
        "version, their files, the merge, and the day effects of 60 of them, of 28 where roll-ups "
        "serve. The last day is read before it, as monitoring does; that opens the lake, whose "
        "commit records a process parses once. The store makes roll-ups of whole months and weeks "
        "when a window is first read.",
        f"The long table is the sample of {plan.sizes[-1]:,} rows, read from disk "
        f"{plan.repeats} times in one pass of one builder; one of its columns has 1,000 texts "
        "that no other time has.",
        "Ours runs with the variables of NumPy and Arrow that the stack gives its tasks; the "
        "others run as they are installed.",
        *failed,
    ]
