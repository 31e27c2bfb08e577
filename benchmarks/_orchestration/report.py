"""From raw times to figures, tables and notes."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks._orchestration.login import CLOSED, OPEN
from benchmarks._orchestration.measure import DAG_IDS, SEQUENCE
from benchmarks._orchestration.stacks import OURS, STOCK, differences
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.machine import load_average, machine
from benchmarks._shared.results import Report
from demo.plan import SCORE, TRAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._orchestration.clone import FirstChampion
    from benchmarks._orchestration.measure import Measured, Plan
    from benchmarks._orchestration.stacks import Variant
    from benchmarks._shared.figures import Figure

__all__ = ["champion_report", "orchestration_report"]

PACKAGES = ("apache-airflow", "mlflow")
SPEED_UP, OVERHEAD_S, MEMORY_GB, CHAMPION_S = 4.0, 0.7, 3.0, 360.0
LOGIN_PERCENT = 5.0
_LONGEST_VALUE = 60


def orchestration_report(plan: Plan, measured: Measured) -> Report:
    """Write down what the rounds have shown.

    Parameters
    ----------
    plan : Plan
        How much was measured.
    measured : Measured
        The raw times.

    Returns
    -------
    Report
        The section ``orchestration``.
    """
    figures = [
        *_wall_times(measured),
        *_overheads(measured),
        *_login(measured),
        *_nights_and_memory(measured),
    ]
    tables = {
        "Where a task's time goes: seconds per task, medians of the runs": _parts_table(measured),
        "Own work of each step, seconds": _own_work_table(measured),
        "Settings of ours; stock leaves them to Airflow": _settings_table(plan),
    }
    return Report(
        "orchestration", machine(PACKAGES), measured.load, figures, tables, _notes(plan, measured)
    )


def champion_report(found: FirstChampion, load_before: float) -> Report:
    """Write down how long a fresh clone takes to its first champion.

    Parameters
    ----------
    found : FirstChampion
        What came of it.
    load_before : float
        Load average before the clone.

    Returns
    -------
    Report
        The section ``first_champion``.
    """
    figures = [
        figure("git clone to first promoted champion", found.seconds, "s", below=CHAMPION_S),
        *(figure(f"of it: {part}", seconds, "s") for part, seconds in found.parts.items()),
    ]
    notes = [
        f"Cloned: commit {found.commit}. Empty HOME, no caches; packages come from the index that "
        "the machine is configured for, so its speed and the network's are in the figure."
    ]
    if found.seconds is None:
        notes.append("No champion came; the benchmark's own output ends with what `make` said.")
    load = {"before": load_before, "after": load_average()}
    return Report("first_champion", machine(PACKAGES), load, figures, notes=notes)


def _wall_times(measured: Measured) -> list[Figure]:
    figures = []
    for dag_id in DAG_IDS:
        ours, stock = (measured.wall_s(variant, dag_id) for variant in (OURS, STOCK))
        figures.append(
            figure(f"{dag_id}: trigger to success", ours, "s", peer=STOCK.name, peer_measured=stock)
        )
        required = SPEED_UP if dag_id != SEQUENCE else None
        speed_up = stock.median / ours.median
        figures.append(figure(f"{dag_id}: times faster", speed_up, "×", at_least=required))
    for name, runs in measured.runs.items():
        if name not in (OURS.name, STOCK.name):
            for dag_id in DAG_IDS:
                ours = measured.wall_s(OURS, dag_id)
                theirs = Samples.of([run.wall_s for run in runs[dag_id]])
                what = f"{dag_id}: trigger to success"
                figures.append(figure(what, ours, "s", peer=name, peer_measured=theirs))
    return figures


def _overheads(measured: Measured) -> list[Figure]:
    return [
        figure(
            f"{dag_id}: overhead per task",
            _overhead(measured, OURS, dag_id),
            "s",
            below=OVERHEAD_S,
            peer=STOCK.name,
            peer_measured=_overhead(measured, STOCK, dag_id),
        )
        for dag_id in DAG_IDS
    ]


def _overhead(measured: Measured, variant: Variant, dag_id: str) -> Samples:
    own = sum(measured.own_work_s.get(dag_id, {}).values())
    runs = measured.runs[variant.name][dag_id]
    return Samples.of([(run.wall_s - own) / len(run.tasks) for run in runs])


def _login(measured: Measured) -> list[Figure]:
    closed, without = (measured.login_s[name] for name in (CLOSED, OPEN))
    ratios = [a / b for a, b in zip(closed, without, strict=True)]
    what = "steps of a training through MLflow"
    return [
        figure(
            f"{what} {CLOSED}",
            Samples.of(closed),
            "s",
            peer=f"MLflow {OPEN}",
            peer_measured=Samples.of(without),
        ),
        figure(
            f"{what}: more time {CLOSED}",
            100 * (statistics.median(ratios) - 1),
            "%",
            below=LOGIN_PERCENT,
        ),
    ]


def _nights_and_memory(measured: Measured) -> list[Figure]:
    figures = []
    if measured.night_s:
        per_minute = 60.0 * len(measured.night_s) / sum(measured.night_s)
        figures.append(figure("nights replayed per minute", per_minute, "nights/min"))
        figures.append(figure("one night", Samples.of(measured.night_s), "s"))
    figures.append(
        figure(
            "peak memory of the stack (PSS)",
            measured.peak_gb.get(OURS.name) or None,
            "GB",
            below=MEMORY_GB,
            peer=STOCK.name,
            peer_measured=measured.peak_gb.get(STOCK.name) or None,
        )
    )
    return figures


def _parts_table(measured: Measured) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for name, by_dag in measured.runs.items():
        for dag_id in DAG_IDS:
            parts = [run.parts() for run in by_dag[dag_id]]
            if not rows:
                rows.append(("stack", "Dag", *parts[0]))
            medians = [statistics.median(part[key] for part in parts) for key in parts[0]]
            rows.append((name, dag_id, *(f"{value:.2f}" for value in medians)))
    return rows


def _own_work_table(measured: Measured) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("Dag", "task", "own work", "ours, in execute", "stock, in execute")
    ]
    for dag_id in (TRAIN, SCORE):
        for step, seconds in measured.own_work_s.get(dag_id, {}).items():
            inside = [_inside_execute(measured, variant, dag_id, step) for variant in (OURS, STOCK)]
            rows.append((dag_id, step, f"{seconds:.2f}", *(f"{value:.2f}" for value in inside)))
    return rows


def _inside_execute(measured: Measured, variant: Variant, dag_id: str, step: str) -> float:
    return statistics.median(
        task.execute_ended - task.execute_began
        for run in measured.runs[variant.name][dag_id]
        for task in run.tasks
        if task.task_id == step
    )


def _settings_table(plan: Plan) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("variable", "ours")]
    for name, value in differences(plan.folder):
        short = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}..."
        rows.append((name, short))
    return rows


def _notes(plan: Plan, measured: Measured) -> list[str]:
    processes = ", ".join(f"{name} {n}" for name, n in measured.peak_processes.items())
    return [
        f"{plan.rounds} rounds of each stack in turn, each started anew, each Dag run once to warm "
        "up and once for the clock; value is the median, smallest and largest in brackets.",
        "Own work is the step function alone, in one warm process; everything else a run takes is "
        "overhead. `in execute` also holds what a new process does for the first time, on stock "
        "Airflow above all imports.",
        "Stock Airflow has bytecode here, as after its first start in a writable environment.",
        f"Memory is the sum of the proportional set sizes of all processes (at the peak: "
        f"{processes}), sampled each second during the warm-up runs and the replayed nights, "
        "never during timed runs.",
        "With and without a login: the same steps in one warm process through two MLflow servers "
        "on equal data, in turn; more time is the median of the pairs.",
        "Nights are those after the slice, played by the demo's own replay.",
    ]
