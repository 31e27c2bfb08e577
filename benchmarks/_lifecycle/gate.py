"""The gate on many rows: ten metrics on all rows and in ten slices, each with a paired interval."""

from __future__ import annotations

from benchmarks._lake.fresh import in_fresh_process
from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.parts import Measured

__all__ = ["measure"]

_SECONDS, _MEGABYTES = 20, 1000
_ROWS, _QUICK_ROWS, _ROUNDS = 1_000_000, 50_000, 3


def measure(*, quick: bool) -> Measured:
    """Judge rows of which days depend on each other, and rows without days."""
    n_rows, figures = _QUICK_ROWS if quick else _ROWS, []
    for what, n_days in (("30 days", 30), ("rows of one day", 1)):
        say(f"gate: {n_rows:,} rows, {what}")
        taken = [
            in_fresh_process("benchmarks._lifecycle.gate_measured", n_rows=n_rows, n_days=n_days)
            for _ in range(1 if quick else _ROUNDS)
        ]
        about = f"{n_rows:,} rows, {what}: 10 metrics, 10 slices"
        seconds = Samples.of([one.seconds for one in taken])
        peaks = Samples.of([one.peak_mb for one in taken])
        figures += [
            figure(about, seconds, "s", below=_SECONDS),
            figure(f"{about}, peak of memory", peaks, "MB", below=_MEGABYTES),
        ]
    notes = [
        "Both predictions are given; asking the models is not part of it. Of 1 % of the rows the "
        "target is true. The peak is that of the whole process, libraries and rows included."
    ]
    return Measured(figures, {}, notes)
