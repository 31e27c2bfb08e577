"""``mlops backtest``: policies of retraining on the past, before one is trusted."""

from __future__ import annotations

import json
import logging
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from mlops_tasks.backtest import BacktestReport
    from mlops_tasks.trial import TrialStep

__all__ = ["backtest"]

_CANNOT, _INTERRUPTED = 3, 130
_SHOWN_EVERY_S = 30.0

Model = Annotated[str, typer.Argument(help="Name of the model.")]
First = Annotated[
    str | None,
    typer.Option("--from", show_default=False, help="First partition; else the first of the rows."),
]
Last = Annotated[
    str | None, typer.Option("--to", show_default=False, help="Last partition; else the newest.")
]
PlayFrom = Annotated[
    str | None,
    typer.Option(show_default=False, help="First partition that is played; before it is history."),
]
ShownFrom = Annotated[
    str | None,
    typer.Option(
        show_default=False, help="Choose before this partition, show from it on; else halves."
    ),
]
Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", show_default=False, help="Only this policy; may be repeated."),
]
Cost = Annotated[
    float | None,
    typer.Option(show_default=False, help="What a training costs: of the metric over one period."),
]
Html = Annotated[
    Path | None, typer.Option("--html", show_default=False, help="Write the picture as a page.")
]
Png = Annotated[
    Path | None, typer.Option("--png", show_default=False, help="Write the picture as a PNG.")
]
Keep = Annotated[
    Path | None,
    typer.Option(show_default=False, help="Keep lake, ledger and runs in this new folder."),
]


def backtest(
    model: Model,
    first: First = None,
    last: Last = None,
    *,
    play_from: PlayFrom = None,
    shown_from: ShownFrom = None,
    policy: Policies = None,
    training_cost: Cost = None,
    html: Html = None,
    png: Png = None,
    keep: Keep = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Compare policies of retraining on months of the past, without Airflow.

    Never, nightly, weekly, drift alone, performance alone, the default and the model's own policy,
    each through the steps that production runs, beside an oracle that knows all labels beforehand.
    Sources are only read. Exit code 0: compared; 3: it could not be done.
    """
    connect()
    from mlops_airflow.hooks.connections import defined_connection
    from mlops_airflow.projects import find_model
    from mlops_tasks.backtest import backtest as run
    from mlops_tasks.exceptions import MlopsError

    logging.disable(logging.WARNING)  # what matters of it is in the report
    # An interrupted backtest removes what it has made.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = output(stderr=as_json)
    try:
        with console.status("planning") as status:
            report = run(
                find_model(model),
                first=first,
                last=last,
                play_from=play_from,
                policies=policy or (),
                shown_from=shown_from,
                training_cost=training_cost,
                connect=defined_connection,
                keep=keep,
                watch=_Progress(console, status.update).show,
            )
        _write(report, html, png)
    except MlopsError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report, console, [path for path in (html, png) if path])


class _Progress:
    """What a backtest is at: on a terminal its newest step, elsewhere a line now and then."""

    def __init__(self, console: Console, update: object) -> None:
        self.console, self.update = console, update
        self._shown = time.monotonic()
        self._steps = 0

    def show(self, step: TrialStep) -> None:
        """Show a step that has ended."""
        self._steps += 1
        line = f"{self._steps:,} steps: {step.name} {step.about} {step.key}"
        if self.console.is_terminal:
            self.update(line)  # type: ignore[operator]
        elif time.monotonic() - self._shown > _SHOWN_EVERY_S:
            self._shown = time.monotonic()
            self.console.print(line, markup=False, soft_wrap=True)


def _write(report: BacktestReport, html: Path | None, png: Path | None) -> None:
    from mlops_tasks.backtest.page import draw_png, render_page

    if html is not None:
        html.write_text(render_page(report), "utf-8")
    if png is not None:
        draw_png(report, png)


def _show(report: BacktestReport, console: Console, written: list[Path]) -> None:
    from mlops_tasks.backtest.words import COLUMNS, conclusions, notes, table_rows

    begins = report.periods[report.n_chosen].first
    for title, shown in (
        (f"{report.model}, {report.periods[0].first} until {begins}: settings are chosen", False),
        (f"{report.model}, {begins} to {report.periods[-1].last}: settings are shown", True),
    ):
        table = Table(title=title, title_justify="left", title_style="bold")
        for number, name in enumerate(COLUMNS):
            named = report.metric_title if name == "metric" else name
            table.add_column(named, justify="right" if number else "left", overflow="fold")
        for cells in table_rows(report, shown=shown):
            table.add_row(*cells)
        console.print(table)
    for line in (*conclusions(report), *notes(report)):
        console.print(line, markup=False, soft_wrap=True)
    console.print(
        f"{report.n_decisions:,} decisions and {report.n_fits} fits in {report.seconds:.1f} s"
        + "".join(f"; wrote {path}" for path in written),
        markup=False,
        soft_wrap=True,
    )


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"mlops: {text}", markup=False, highlight=False)
    raise typer.Exit(_CANNOT)
