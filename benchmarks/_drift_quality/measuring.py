"""Run every method on the same draws."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._drift_quality.draws import Plan, Scores
from benchmarks._drift_quality.population import month_of_flights
from benchmarks._drift_quality.programs import start_module
from benchmarks._shared.machine import load_average
from benchmarks._shared.peers import environment_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

__all__ = ["EVIDENTLY", "MONTH", "NANNYML", "OURS", "PLANS", "QUICK_PLANS", "Measured", "measure"]

OURS, EVIDENTLY, NANNYML = "ours", "Evidently", "NannyML"

#: The month and the seed are others than those on which the thresholds were set: January and 2013.
MONTH = 7
#: 28 days is what the level needs (ADR 11). No alarm in 299 days proves under 1 % with 95 %
#: certainty, two in 628 do.
PLANS = (
    Plan(500, (0.1, 0.2, 0.3, 0.4), n_references=21, n_still=30, n_drifted=5, n_shared=21),
    Plan(5_000, (0.03, 0.06, 0.1, 0.15), n_references=21, n_still=30, n_drifted=2, n_shared=21),
    Plan(50_000, (0.01, 0.02, 0.04), n_references=21, n_still=30, n_drifted=4, n_shared=4),
)
QUICK_PLANS = (
    Plan(500, (0.2, 0.4), n_references=2, n_still=25, n_drifted=5, n_shared=2),
    Plan(5_000, (0.06, 0.15), n_references=2, n_still=10, n_drifted=4, n_shared=1),
)


class BenchmarkError(RuntimeError):
    """A method could not be run."""


@dataclass(frozen=True)
class Measured:
    """Scores of every method on the same draws.

    Parameters
    ----------
    scores : dict of int to dict of str to Scores
        By rows a day and method.
    load : dict of str to float
        Load averages.
    said : dict of str to list of str
        What each method printed.
    """

    scores: dict[int, dict[str, Scores]] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)


def measure(folder: Path, plans: Sequence[Plan], say: Callable[[str], None]) -> Measured:
    """Let all methods judge the same draws; Evidently on one core, the others on another.

    Parameters
    ----------
    folder : Path
        For the month and the scores.
    plans : sequence of Plan
        What to draw.
    say : callable
        Called with what is going on.

    Returns
    -------
    Measured
        With every method's scores.

    Raises
    ------
    BenchmarkError
        If a method fails, or did not see the same rows.
    """
    say("Environments of the peers")
    pythons = {
        OURS: Path(sys.executable),
        EVIDENTLY: environment_of("evidently"),
        NANNYML: environment_of("nannyml"),
    }
    measured = Measured()
    measured.load["before"] = load_average()
    month = folder / "month.npz"
    month_of_flights(MONTH).save(month)
    what = json.dumps([asdict(plan) for plan in plans])
    modules = {OURS: "ours", EVIDENTLY: "peer_evidently", NANNYML: "peer_nannyml"}

    def start(name: str) -> None:
        (folder / name).mkdir()
        running[name] = start_module(
            pythons[name], modules[name], [str(month), what, str(folder / name)]
        )

    running: dict[str, subprocess.Popen[str]] = {}
    start(EVIDENTLY)
    for name in (NANNYML, OURS, EVIDENTLY):
        if name != EVIDENTLY:
            start(name)
        output, _ = running[name].communicate()
        if running[name].returncode != 0:
            raise BenchmarkError(f"{name} failed:\n{output[-3000:]}")
        measured.said[name] = output.splitlines()
        say(f"{name}: {'; '.join(measured.said[name])}")
    measured.load["after"] = load_average()
    for plan in plans:
        found = {name: Scores.load(folder / name / f"{plan.n}.npz") for name in modules}
        if len({one.fingerprint for one in found.values()}) != 1:
            raise BenchmarkError(f"{plan.n} rows a day: the methods did not see the same rows")
        measured.scores[plan.n] = found
    return measured
