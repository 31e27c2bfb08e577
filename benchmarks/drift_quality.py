"""How often drift is reported where there is none, and how often it is missed where there is.

Days are drawn from one month of real flights, so without drift nothing has changed, and then drift
of a known size is put into 1, 3 or all columns. Ours, Evidently's default preset and NannyML's
default thresholds judge the very same rows, at 500, 5,000 and 50,000 rows a day. Methods that alarm
more often also detect more, so power is compared at an equal rate of false alarms: each method's
threshold is swept until it alarms on 5 % of the days without drift.

Each peer runs in a virtual environment of its own, made from its pinned requirements.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks._drift_quality.measuring import PLANS, QUICK_PLANS, measure
from benchmarks._drift_quality.real_days import judge_real_days
from benchmarks._drift_quality.report import quality_report
from benchmarks._shared.console import console, say
from benchmarks._shared.results import RESULTS


def main(
    *,
    quick: Annotated[bool, typer.Option(help="A few draws; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Measure the quality of drift detection; exits 0 also where a figure falls short."""
    plans = QUICK_PLANS if quick else PLANS
    folder = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    try:
        measured = measure(folder, plans, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("Real days")
    report = quality_report(plans, measured, judge_real_days())
    report.print(console)
    if not quick:
        report.write_section(RESULTS)
    if json_file is not None:
        report.write_json(json_file)


if __name__ == "__main__":
    typer.run(main)
