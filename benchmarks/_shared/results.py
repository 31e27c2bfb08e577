"""What a benchmark leaves behind: a table, a JSON file, its section of RESULTS.md."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks._shared.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from benchmarks._shared.figures import Figure

__all__ = ["RESULTS", "Report", "replace_section"]

RESULTS = ROOT / "benchmarks" / "RESULTS.md"

HEAD = """# Results

Written by the benchmarks, never by hand: `make bench` measures everything again, and each benchmark
replaces its own section. [README.md](README.md) says how to run them and what the figures mean.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """All that one benchmark has to say.

    Parameters
    ----------
    name : str
        Name of the benchmark, also of its section.
    machine : dict
        From `benchmarks._shared.machine.machine`.
    load : dict of str to float
        Load averages, by when they were read.
    figures : list of Figure
        What was measured.
    tables : dict of str to rows
        More tables by title; the first row of each is its head.
    notes : list of str
        Sentences a reader needs to judge the figures.
    """

    name: str
    machine: dict[str, Any]
    load: dict[str, float]
    figures: list[Figure]
    tables: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def joined(cls, reports: Sequence[Report]) -> Report:
        """Make one report of several, for a JSON file that holds all figures of one call.

        Parameters
        ----------
        reports : sequence of Report
            At least one; name, machine and load are those of the first.

        Returns
        -------
        Report
            With the figures and notes of all.
        """
        first = reports[0]
        figures = [figure for report in reports for figure in report.figures]
        notes = [note for report in reports for note in report.notes]
        return cls(first.name, first.machine, first.load, figures, notes=notes)

    def print(self, console: Console) -> None:
        """Print every table.

        Parameters
        ----------
        console : Console
            Where to.
        """
        tables = {f"{self.name}: figures": self._rows()} | self.tables
        for title, (head, *rows) in tables.items():
            table = Table(*head, title=title, title_justify="left")
            for row in rows:
                table.add_row(*row)
            console.print(table)
        for line in [self._where(), *self.notes]:
            console.print(line, markup=False)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON: name, machine, load and figures."""
        figures = [figure.as_json() for figure in self.figures]
        return {
            "name": self.name,
            "machine": self.machine,
            "load": self.load,
            "figures": figures,
            "notes": self.notes,
        }

    def write_json(self, path: Path) -> None:
        """Write the report to a JSON file.

        Parameters
        ----------
        path : Path
            The file.
        """
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")

    def write_section(self, path: Path = RESULTS) -> None:
        """Replace this benchmark's section of the results file.

        Parameters
        ----------
        path : Path, optional
            The file; made when missing.
        """
        text = path.read_text(encoding="utf-8") if path.exists() else HEAD
        path.write_text(replace_section(text, self.name, self.as_markdown()), encoding="utf-8")

    def as_markdown(self) -> str:
        """Return the section as Markdown."""
        day = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        parts = [f"## {self.name}", f"{day}. {self._where()}", _markdown(self._rows())]
        for title, rows in self.tables.items():
            parts += [f"**{title}**", _markdown(rows)]
        parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(part for part in parts if part)

    def _rows(self) -> list[Sequence[str]]:
        rows: list[Sequence[str]] = [("what", "ours", "required", "met", "peer")]
        for one in self.figures:
            met = {None: "", True: "yes", False: "NO"}[one.ok]
            peer = _amount(one.peer_value, one.peer_low, one.peer_high, one.unit)
            rows.append(
                (
                    one.what,
                    _amount(one.value, one.low, one.high, one.unit),
                    f"{one.required} {one.unit}" if one.required else "",
                    met,
                    f"{peer} ({one.peer})" if one.peer else "",
                )
            )
        return rows

    def _where(self) -> str:
        m = self.machine
        load = ", ".join(f"{value} {when}" for when, value in self.load.items())
        packages = ", ".join(f"{name} {number}" for name, number in m["packages"].items())
        return (
            f"Commit {m['commit']} on {m['cores']} cores ({m['processor']}), {m['ram_gb']} GB RAM, "
            f"{m['system']}, Python {m['python']}, {packages}. Load average: {load}."
        )


def replace_section(text: str, name: str, section: str) -> str:
    r"""Replace one section of the results, or add it; sections are sorted by name.

    Parameters
    ----------
    text : str
        The whole file.
    name : str
        The section to replace.
    section : str
        Its new content.

    Returns
    -------
    str
        The new file.

    Examples
    --------
    >>> replace_section("# Results\n", "lake", "## lake").splitlines()
    ['# Results', '', '<!-- begin lake -->', '## lake', '<!-- end lake -->']
    """
    pattern = re.compile(r"<!-- begin (\S+) -->\n(.*?)\n<!-- end \1 -->\n*", re.DOTALL)
    sections = dict(pattern.findall(text)) | {name: section}
    head = pattern.sub("", text).strip()
    blocks = [
        f"<!-- begin {key} -->\n{sections[key]}\n<!-- end {key} -->" for key in sorted(sections)
    ]
    return "\n\n".join([head, *blocks]) + "\n"


def _amount(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    if value is None:
        return "not measured"
    spread = f" ({low:.3g} to {high:.3g})" if low is not None and high is not None else ""
    return f"{value:.3g} {unit}{spread}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
