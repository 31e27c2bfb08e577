"""The report of an example project: what the ledger says, in tables or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.conditions import CAUSES_BY_ALARM
from demo.report import MONITORS
from demo.tables import decision_table, drift_table, facts_table, performance_table
from mlops_tasks.registry.ledger import EvidenceKind

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mlops_tasks.registry.ledger import Ledger


def build_project_report(ledger: Ledger, model: str) -> dict[str, Any]:
    """Put what the ledger says of a model in order.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    model : str
        The model.

    Returns
    -------
    dict
        Plain JSON; ``closed`` if an alarm has caused a training that the gate has judged.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in ledger.entries(model=model):
        found.setdefault(entry.kind, []).append({"key": entry.key, **entry.evidence})
    decisions = found.get(EvidenceKind.DECISION, [])
    causes = {row["key"]: row.get("cause") for row in decisions if row["retrain"]}
    judged = {row["key"] for row in found.get(EvidenceKind.VERDICT, [])}
    scored = [row["model_version"] for row in found.get(EvidenceKind.DRIFT, [])]
    return {
        "model": model,
        "champions": [
            {**row, "partitions_scored": scored.count(str(row["version"]))}
            for row in found.get(EvidenceKind.PROMOTION, [])
        ],
        "trainings": [
            {**row, "cause": causes.get(row["key"], "first training")}
            for row in found.get(EvidenceKind.VERDICT, [])
        ],
        "monitoring": [
            {"day": row["key"], "kind": kind, **row}
            for kind in MONITORS
            for row in found.get(kind, [])
        ],
        "decisions": [{"night": row["key"], **row} for row in decisions],
        "closed": any(causes.get(key) in CAUSES_BY_ALARM for key in judged),
    }


def print_project_report(report: dict[str, Any], console: Console) -> None:
    """Print the tables.

    Parameters
    ----------
    report : dict
        From `build_project_report`.
    console : Console
        Where to.
    """
    console.print(f"\n[bold]{report['model']}: {len(report['decisions'])} decisions[/bold]")
    for table in (
        _champion_table(report["champions"]),
        _training_table(report["trainings"]),
        performance_table(report["monitoring"], "partition"),
        drift_table(report["monitoring"], "partition"),
        decision_table(report["decisions"], "as of"),
    ):
        console.print(table)
    console.print(
        "[bold green]The loop has closed: an alarm caused a training, and the gate judged it."
        if report["closed"]
        else "[bold red]The loop is still open: no alarm has caused a training yet."
    )


def _champion_table(rows: list[dict[str, Any]]) -> Table:
    return facts_table(
        "Champion by date",
        ("as of", "version", "before", "#partitions scored", "why"),
        (
            [
                *(row["key"], str(row["version"]), row.get("previous")),
                *(row["partitions_scored"], row.get("reason")),
            ]
            for row in rows
        ),
    )


def _training_table(rows: list[dict[str, Any]]) -> Table:
    return facts_table(
        "Trainings and the gate",
        ("as of", "cause", "metric", "#rows", "#challenger", "#champion", "verdict"),
        (
            [
                *(row["key"], row["cause"], row.get("metric"), row.get("n_rows")),
                (row.get("challenger") or {}).get(row.get("metric")),
                (row.get("champion") or {}).get(row.get("metric")),
                f"{row.get('verdict')}: {row.get('reason')}",
            ]
            for row in rows
        ),
    )
