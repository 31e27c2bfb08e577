"""Pins and features of 10M x 20 rows, beside plain scans of the same files; a year of nights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks._lake.fresh import in_fresh_process
from benchmarks._lake.growth import growth
from benchmarks._lake.pins_data import N_DAYS
from benchmarks._shared.figures import Samples, figure

if TYPE_CHECKING:
    from benchmarks._lake.fresh import Outcome
    from benchmarks._lake.plan import Plan
    from benchmarks._shared.figures import Figure

__all__ = ["figures"]

N_ROWS = 10_000_000
WITHIN = 1.25
PROGRAM = "benchmarks._lake.pins_measured"
ARROW, DUCKDB = "plain pyarrow scan", "plain DuckDB, same SQL, unordered and unchecked"
RUNS = (
    "arrow_scan",
    "pin",
    "read_pin",
    "verify_pin",
    "duckdb_scan",
    "features",
    "duckdb_features",
)


def figures(plan: Plan) -> list[Figure]:
    """Measure pins, features, and what a year of nights leaves behind.

    Parameters
    ----------
    plan : Plan
        How much, and where.

    Returns
    -------
    list of Figure
        Times and peaks of memory, and the growth of small files.
    """
    n_rows, root = plan.rows(N_ROWS), str(plan.folder / "lake")
    plan.say(f"  Writing {n_rows} rows of 20 columns in {N_DAYS} partitions")
    filled = in_fresh_process(PROGRAM, what="fill", root=root, n_rows=n_rows)
    runs: dict[str, list[Outcome]] = {what: [] for what in RUNS}
    for number in range(plan.rounds):
        for what in RUNS if number % 2 else reversed(RUNS):
            runs[what].append(_measured(plan, what, root, filled.facts["pins"], n_rows))
    plan.notes.append(
        f"{n_rows} rows of 20 columns (5 text, 2 times, a date, 4 integers, 2 booleans, 6 floats) "
        f"in {N_DAYS} partitions, {filled.facts['bytes'] / 1e6:.0f} MB in files; features.sql is "
        "an ASOF join with 12 columns, ordered by key and checked row by row. Files are in the "
        "page cache for all. A pin itself reads no rows: commits carry their digests."
    )
    return [*_judged({what: _samples(outcomes) for what, outcomes in runs.items()}), *growth(plan)]


def _judged(taken: dict[str, tuple[Samples, Samples]]) -> list[Figure]:
    scan, scan_peak = taken["arrow_scan"]
    plain, plain_peak = taken["duckdb_features"]
    found = []
    for what, name, limit in (
        ("pin", "pin", WITHIN),
        ("read_pin", "read_pin, streamed", WITHIN),
        ("verify_pin", "verify_pin, every cell digested", None),
    ):
        seconds, peak = taken[what]
        ratio = seconds.median / scan.median
        found += [
            figure(name, seconds, "s", peer=ARROW, peer_measured=scan),
            figure(f"{name}, by reading once", ratio, "x", below=limit),
            figure(f"{name}, peak memory", peak, "MB", peer=ARROW, peer_measured=scan_peak),
        ]
    scan_duckdb = taken["duckdb_scan"][0]
    seconds, peak = taken["features"]
    return [
        *found,
        figure("plain DuckDB scan of all columns", scan_duckdb, "s"),
        figure("features.sql", seconds, "s", peer=DUCKDB, peer_measured=plain),
        figure("features.sql, peak memory", peak, "MB", peer=DUCKDB, peer_measured=plain_peak),
    ]


def _samples(outcomes: list[Outcome]) -> tuple[Samples, Samples]:
    return (
        Samples.of([outcome.seconds for outcome in outcomes]),
        Samples.of([outcome.peak_mb for outcome in outcomes]),
    )


def _measured(plan: Plan, what: str, root: str, pins: dict[str, Any], n_rows: int) -> Outcome:
    outcome = in_fresh_process(PROGRAM, what=what, root=root, pins=pins)
    if outcome.facts["n_rows"] != n_rows:
        raise RuntimeError(f"{what} saw {outcome.facts['n_rows']} rows of {n_rows}")
    plan.say(f"  {what}: {outcome.seconds:.2f} s, {outcome.peak_mb:.0f} MB")
    return outcome
