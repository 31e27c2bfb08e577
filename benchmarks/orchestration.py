"""What Airflow costs per task, stock and as this project sets it up, in one run.

Both stacks run the same Dags of the same checkout from the same data, in turn: each round starts
one of them anew, runs every Dag once to warm up and once more for the clock. Timed are
`flight_delays.train` (5 tasks) and `flight_delays.score` (2 tasks) on 17 days of January, and a
Dag of 7 tasks in a row that do nothing. The time of a run is from the REST request to the end that
Airflow records; medians of at least 3 rounds.

Stock means: every interval, the way processes start, heartbeats, parallelism and threads are left
to Airflow's defaults; the report lists each variable in which the profiles differ. It is stock at
its best: both have bytecode (an installation by uv has none until a process that may write has
imported it, a read-only one never; `--no-bytecode` measures that too), both without example Dags,
both run our operators, which import heavy libraries lazily and pass `pip_requirements` to MLflow.

A task's own work is its step function alone (`mlops_tasks`), timed in one process with warm imports
beside the same MLflow server, in the environment of the stack. Overhead per task is the run's wall
time less its steps' own work, divided by the number of tasks: scheduling, process start, parsing
of the Dag file, connections, first use of libraries in a new process, links, XCom and logging all
count. Tasks of the trivial Dag have no own work.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from benchmarks._orchestration.clone import time_to_first_champion
from benchmarks._orchestration.measure import Bench, Plan
from benchmarks._orchestration.report import champion_report, orchestration_report
from benchmarks._shared.console import console, say
from benchmarks._shared.machine import load_average
from benchmarks._shared.results import RESULTS, Report


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each stack.")] = 3,
    nights: Annotated[int, typer.Option(min=0, help="Nights to replay.")] = 6,
    quick: Annotated[bool, typer.Option(help="One round, one night; RESULTS.md stays.")] = False,
    clone: Annotated[bool, typer.Option(help="Also from git clone to a champion.")] = False,
    only_clone: Annotated[bool, typer.Option(help="Nothing but --clone.")] = False,
    no_bytecode: Annotated[bool, typer.Option(help="Also stock Airflow without .pyc.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
    airflow_port: Annotated[int, typer.Option(help="Port of Airflow.")] = 28080,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = 25000,
) -> None:
    """Measure the orchestration; exits 0 also where a figure falls short."""
    signal.signal(signal.SIGTERM, _terminated)
    folder = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    rounds, nights = (1, min(nights, 1)) if quick else (rounds, nights)
    plan = Plan(folder, airflow_port, mlflow_port, rounds, nights, no_bytecode)
    reports: list[Report] = []
    try:
        if not only_clone:
            reports.append(orchestration_report(plan, Bench(plan, say).take()))
        if clone or only_clone:
            reports.append(_first_champion(plan))
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception:
        say(f"The measurement failed; the homes of the stacks, with their logs, stay in {folder}")
        raise
    for report in reports:
        report.print(console)
        if not quick:
            report.write_section(RESULTS)
    if json_file is not None:
        Report.joined(reports).write_json(json_file)
    shutil.rmtree(folder)


def _first_champion(plan: Plan) -> Report:
    say("From git clone to the first champion")
    load = load_average()
    found = time_to_first_champion(
        plan.folder / "clone", plan.airflow_port, plan.mlflow_port, lambda line: say(f"  {line}")
    )
    if found.seconds is None:
        say("No champion came. The end of the output:")
        console.print("\n".join(found.last_lines), markup=False)
    return champion_report(found, load)


def _terminated(signum: int, frame: object) -> NoReturn:
    sys.exit(128 + signum)


if __name__ == "__main__":
    typer.run(main)
