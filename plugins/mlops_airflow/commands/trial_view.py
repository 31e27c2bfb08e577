"""What `mlops try` shows: a line as each step ends, and the report as tables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console

    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.trial import Conclusion, Training, TrialReport, TrialStep

__all__ = ["TrialView"]

_STYLES = {"fine": "green", "alarm": "red", "cannot tell": "yellow", "failed": "bold red"}
_TAKEN = ("ingest", "validate")
_INDENT, _LEAST = " " * 11, 60


class TrialView:
    """Lines while a trial works, tables at its end.

    Parameters
    ----------
    console : Console
        Where to.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._status = console.status("planning")
        self._taken: list[TrialStep] = []

    def __enter__(self) -> TrialView:
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._show_taken()
        self._status.stop()

    def show(self, step: TrialStep) -> None:
        """Show a step that has ended; partitions that are taken in without news, at once."""
        self._status.update(f"{step.name} {step.about} {step.key}")
        if step.name in _TAKEN and step.answer == "fine":
            if self._taken and self._taken[-1].about != step.about:
                self._show_taken()
            self._taken.append(step)
            return
        self._show_taken()
        self._line(step.name, step.about, step.key, step.n_rows, step.seconds, step.answer)
        if step.text:
            style = None if step.answer == "fine" else _STYLES[step.answer]
            self._detail(step.text, style)

    def _show_taken(self) -> None:
        if not self._taken:
            return
        first, *_, last = *self._taken, self._taken[-1]
        published = [one for one in self._taken if one.name == "validate"]
        keys = sorted({one.key for one in self._taken})
        span = keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"
        n_rows = sum(one.n_rows or 0 for one in published)
        seconds = sum(one.seconds for one in self._taken)
        self._line("take in", last.about, span, n_rows, seconds, first.answer)
        for one in self._taken:
            if "quarantined" in one.text:
                self._detail(f"{one.key}: {one.text}", None)
        self._taken.clear()

    def _detail(self, text: str, style: str | None) -> None:
        """Print what is on one line of the console; the report has all of it."""
        line, room = " ".join(text.split()), max(self.console.width - len(_INDENT), _LEAST)
        shown = line if len(line) <= room else f"{line[: room - 1]}…"
        self.console.print(f"{_INDENT}{shown}", style=style, markup=False, soft_wrap=True)

    def _line(
        self, name: str, about: str, key: str, n_rows: int | None, seconds: float, answer: str
    ) -> None:
        rows = "" if n_rows is None else f"{n_rows:,} rows"
        text = f"  {name:<9}{about} {key}"
        style = _STYLES[answer]
        self.console.print(
            f"{escape(text):<62} {rows:>14} {seconds:>7.2f} s  [{style}]{answer}[/]",
            soft_wrap=True,
        )

    def report(self, spec: ModelSpec, report: TrialReport, keep: Path | None) -> None:
        """Print the report."""
        for table in (
            _step_table(report.steps),
            _training_table(report.trainings),
            _decision_table(report),
            _conclusion_table(report.conclusions),
        ):
            if table.row_count:
                self.console.print()
                self.console.print(table)
        self.console.print()
        for line in _verdict(report):
            self.console.print(line, markup=False, soft_wrap=True)
        if keep is not None:
            self.console.print(f"Kept in {keep.resolve()}.", markup=False, soft_wrap=True)


def _verdict(report: TrialReport) -> list[str]:
    took = f"{report.seconds:.1f} s"
    if report.failure is not None:
        one = report.failure
        where = " ".join(filter(None, (one.step, one.about, one.key)))
        lines = [f"The loop stops at {where}: {one.message}"]
        if not one.known:
            lines.append("This error is not ours; --traceback shows where it comes from.")
        return lines
    if report.champion is None:
        return [f"No champion: {report.reason} ({took})"]
    champion = report.champion
    return [
        f"Version {champion.version} of {report.model}, trained as of {champion.as_of}, is the "
        f"champion: {report.reason} ({took})"
    ]


def _step_table(steps: Iterable[TrialStep]) -> Table:
    found: dict[str, list[TrialStep]] = defaultdict(list)
    for step in steps:
        found[step.name].append(step)
    table = _table(
        "Steps", "step", "#times", "#rows", "#seconds", "#fine", "#alarm", "#cannot tell"
    )
    for name, some in found.items():
        counts = [
            sum(one.answer == word for one in some) for word in ("fine", "alarm", "cannot tell")
        ]
        n_rows = sum(one.n_rows or 0 for one in some)
        seconds = f"{sum(one.seconds for one in some):.2f}"
        _add(table, name, len(some), n_rows or "", seconds, *(n or "" for n in counts))
    return table


def _training_table(trainings: Iterable[Training]) -> Table:
    table = _table(
        "Trainings and the gate",
        *("as of", "cause", "trained on", "#rows", "metric", "verdict"),
    )
    for one in trainings:
        _add(
            table,
            one.as_of,
            one.cause,
            " to ".join(one.train),
            one.n_train,
            _metric(one),
            f"{one.verdict}: {one.reason}",
        )
    return table


def _metric(one: Training) -> str:
    if one.value is None:
        return f"{one.metric} not defined on {one.n_evaluation:,} rows"
    span = "" if one.lower is None else f" ({one.lower:.4f} to {one.upper:.4f})"
    return f"{one.metric} {one.value:.4f}{span} on {one.n_evaluation:,} rows"


def _decision_table(report: TrialReport) -> Table:
    """Show the decisions, those that say the same in a row at once."""
    table = _table("Decisions", "as of", "retrain", "because")
    rows: list[list[Any]] = []
    for one in report.decisions:
        why = one.reason if one.cause == "none" else f"{one.cause}: {one.reason}"
        same = rows and rows[-1][1:] == [one.retrain, why]
        if same:
            rows[-1][0] = f"{rows[-1][0].split(' to ')[0]} to {one.as_of}"
        else:
            rows.append([one.as_of, one.retrain, why])
    for when, retrain, because in rows:
        _add(table, when, "yes" if retrain else "no", because)
    return table


def _conclusion_table(conclusions: Iterable[Conclusion]) -> Table:
    table = _table(
        "What monitoring could tell",
        *("kind", "check", "#fine", "#alarm", "#cannot tell", "newest answer, and what would help"),
    )
    for one in conclusions:
        counts = (n or "" for n in (one.n_fine, one.n_alarm, one.n_cannot_tell))
        fix = f" → {one.fix}" if one.fix else ""
        _add(table, one.kind, one.name, *counts, f"{one.text}{fix}")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        right = column.startswith("#")
        table.add_column(column.removeprefix("#"), justify="right" if right else "left")
    return table


def _add(table: Table, *cells: object) -> None:
    table.add_row(*(f"{one:,}" if isinstance(one, int) else escape(str(one)) for one in cells))
