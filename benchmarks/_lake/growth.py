"""What a year of nights leaves behind: small files, and the time to open, read and commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._lake.fresh import in_fresh_process
from benchmarks._shared.figures import Samples, figure

if TYPE_CHECKING:
    from benchmarks._lake.plan import Plan
    from benchmarks._shared.figures import Figure

__all__ = ["growth"]

NIGHTS = (1, 100, 365)
PROGRAM = "benchmarks._lake.growth_measured"
# Log and records of one table together: what no night may exceed.
MAX_FILES = 150


def growth(plan: Plan) -> list[Figure]:
    """Write night after night as the loop does, and look at the tables on some of them.

    Parameters
    ----------
    plan : Plan
        How much, and where.

    Returns
    -------
    list of Figure
        For nights 1, 100 and 365.
    """
    nights = [night for night in NIGHTS if night <= (20 if plan.quick else NIGHTS[-1])]
    root, found, first = str(plan.folder / "nights"), [], 0
    for night in nights:
        plan.say(f"  Writing the nights up to {night}")
        in_fresh_process(PROGRAM, what="write", root=root, first=first, last=night)
        first = night
        taken = [in_fresh_process(PROGRAM, what="look", root=root) for _ in range(plan.rounds)]
        facts = taken[-1].facts
        found += [
            figure(f"night {night}, {name}", Samples.of([one.facts[key] for one in taken]), "ms")
            for key, name in (
                ("open_ms", "open a table in a new process"),
                ("read_ms", "read a day of it"),
                ("commit_ms", "commit a day of it"),
            )
        ]
        found += [
            figure(f"night {night}, {name}", float(facts[key]), unit, below=limit)
            for key, name, unit, limit in (
                ("log_files", "files in its log and records", "files", MAX_FILES),
                ("log_bytes", "its log", "bytes", None),
                ("record_bytes", "its records", "bytes", None),
                ("data_files", "data files, old versions too", "files", None),
                ("vacuumed", "data files after a vacuum", "files", None),
            )
        ]
    plan.notes.append(
        "Each night writes a day of `raw`, `published`, `quarantine` and `predictions`, and again "
        "the day of a week ago; the figures are those of `published`, of 20 columns. Optimizing is "
        "the lake's own, after every 50 commits; log files stay a week. The vacuum is asked what "
        "it would keep, with one pin in every ten nights."
    )
    return found
