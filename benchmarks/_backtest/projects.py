"""Every example but the flights: the default beside a training with each decision."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._backtest.played import beside_every_night, find_spec, play, table
from benchmarks._shared.console import say
from benchmarks._shared.parts import Measured
from mlops_tasks.backtest.words import conclusions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._shared.figures import Figure

__all__ = ["measure"]

# By model, the world of the demo that it reads; all that a world has is played.
WORLDS = {
    "demand": "demand",
    "support_tickets": "tickets",
    "machine_failures": "machines",
    "machine_heat": "machines",
}
QUICK: dict[str, Any] = {
    "first": "2023-01-02",
    "last": "2023-05-29",
    "policies": ("never", "every", "default"),
}


def measure(*, quick: bool) -> Measured:
    """Play one after another, each in a world made anew."""
    figures: list[Figure] = []
    tables: dict[str, list[Sequence[str]]] = {}
    notes: list[str] = []
    for model, world in {"demand": "demand"}.items() if quick else WORLDS.items():
        say(f"projects: {model}")
        with tempfile.TemporaryDirectory(prefix="mlops-benchmark-") as folder:
            database = Path(folder, "world.db")
            importlib.import_module(f"demo.worlds.{world}").write(database)
            spec = find_spec(model)
            report = play(spec, database, **(QUICK if quick else {}))
        figures += beside_every_night(report)
        tables[f"Policies of {model}, {spec.problem_type}"] = table(report)
        notes += [f"{model}: {line}" for line in conclusions(report)]
    return Measured(figures, tables, notes)
