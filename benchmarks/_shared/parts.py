"""A benchmark of several parts, each a module that writes a section of the results of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from benchmarks._shared.console import console, say
from benchmarks._shared.machine import load_average, machine
from benchmarks._shared.results import RESULTS, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmarks._shared.figures import Figure

__all__ = ["Benchmark", "Measured"]


class Measured(NamedTuple):
    """What a part has measured; the benchmark adds machine and load."""

    figures: list[Figure]
    tables: dict[str, list[Sequence[str]]]
    notes: list[str]


@dataclass(frozen=True)
class Benchmark:
    """A name and, by part, a module of ``benchmarks._<name>`` that has ``measure(quick=)``."""

    name: str
    modules: Mapping[str, str]
    packages: Mapping[str, tuple[str, ...]]
    usual: tuple[str, ...] = ("deltalake", "mlflow", "pandas", "pyarrow")

    def run(self, only: Iterable[str] | None, *, quick: bool, json_file: Path | None) -> None:
        """Measure some parts or all, print them, and keep them unless it was a quick look."""
        reports = [self._report(part, quick=quick) for part in only or self.modules]
        for report in reports:
            report.print(console)
            if not quick:
                report.write_section(RESULTS)
        if json_file is not None:
            replace(Report.joined(reports), name=self.name).write_json(json_file)

    def _report(self, part: str, *, quick: bool) -> Report:
        say(f"{part}: begins")
        before = load_average()
        module = import_module(f"benchmarks._{self.name}.{self.modules[part]}")
        found: Measured = module.measure(quick=quick)
        load = {"before": before, "after": load_average()}
        about = machine(self.packages.get(part, self.usual))
        return Report(f"{self.name}_{part}", about, load, *found)
