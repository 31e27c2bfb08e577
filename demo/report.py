"""The demo's report: tables for people, JSON for programs, both from the same facts."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from demo.conditions import challenger_version, evaluation_window, loop_conditions
from demo.plan import ALL_DAGS
from demo.tables import decision_table, drift_table, facts_table, performance_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from demo.evidence import Evidence
    from mlops_tasks.registry.ledger import LedgerEntry

MONITORS = ("performance", "drift")


def build_report(evidence: Evidence) -> dict[str, Any]:
    """Put the facts of a replay in order.

    Parameters
    ----------
    evidence : Evidence
        From `demo.evidence.collect`.

    Returns
    -------
    dict
        Plain JSON.
    """
    conditions = loop_conditions(evidence)
    return {
        "nights": evidence.nights,
        "datasets": _datasets(evidence),
        "champions": _champions(evidence),
        "scored": [_scored(evidence, day.day) for day in evidence.scored],
        "monitoring": [
            {"day": entry.key, "kind": kind, **entry.evidence}
            for kind in MONITORS
            for entry in evidence.of_kind(kind)
        ],
        "decisions": [{"night": e.key, **e.evidence} for e in evidence.of_kind("decision")],
        "challengers": [_challenger(evidence, entry) for entry in evidence.of_kind("verdict")],
        "durations": _durations(evidence),
        "conditions": [
            {"name": c.name, "holds": c.holds, "evidence": c.evidence} for c in conditions
        ],
        "closed": all(condition.holds for condition in conditions),
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print the tables.

    Parameters
    ----------
    report : dict
        From `build_report`.
    console : Console
        Where to.
    """
    nights = report["nights"]
    span = f"{nights[0]} to {nights[-1]}" if nights else "none"
    console.print(f"\n[bold]Nights replayed: {len(nights)}[/bold] ({span})")
    for table in (
        _rows_table(report["datasets"]),
        _champion_table(report["champions"]),
        performance_table(report["monitoring"]),
        drift_table(report["monitoring"]),
        decision_table(report["decisions"]),
        _challenger_table(report["challengers"]),
        _duration_table(report["durations"]),
        _condition_table(report["conditions"]),
    ):
        console.print(table)
    answer = "[green]The loop has closed." if report["closed"] else "[red]The loop is still open."
    console.print(f"[bold]{answer}")


def _datasets(evidence: Evidence) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {}
    for entry in evidence.of_kind("validation"):
        names = ("n_rows_in", "n_validated", "n_quarantined")
        row = sums.setdefault(entry.model, {"partitions": 0, **dict.fromkeys(names, 0)})
        row["partitions"] += 1
        for name in names:
            row[name] += int(entry.evidence[name])
    return [{"dataset": name, **row} for name, row in sorted(sums.items())]


def _champions(evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {
            "since": entry.key,
            "version": str(entry.evidence["version"]),
            "previous": entry.evidence.get("previous"),
            "reason": entry.evidence.get("reason", ""),
            "days_scored": sum(
                day.model_version == str(entry.evidence["version"]) for day in evidence.scored
            ),
        }
        for entry in evidence.of_kind("promotion")
    ]


def _scored(evidence: Evidence, day: str) -> dict[str, Any]:
    found = next(item for item in evidence.scored if item.day == day)
    return {name: getattr(found, name) for name in found.__slots__}


def _challenger(evidence: Evidence, entry: LedgerEntry) -> dict[str, Any]:
    decisions = {e.key: e.evidence for e in evidence.of_kind("decision") if e.evidence["retrain"]}
    cause = decisions.get(entry.key, {})
    return {
        "as_of": entry.key,
        "cause": cause.get("cause", "first training"),
        "cause_text": cause.get("reason", ""),
        "version": challenger_version(evidence, entry),
        "evaluation": evaluation_window(evidence, entry),
        **entry.evidence,
    }


def _durations(evidence: Evidence) -> list[dict[str, Any]]:
    rows = []
    for dag_id in ALL_DAGS:
        seconds = [
            run.duration_s for run in evidence.succeeded(dag_id) if run.duration_s is not None
        ]
        if seconds:
            rows.append(
                {
                    "dag_id": dag_id,
                    "runs": len(seconds),
                    "median_s": round(median(seconds), 2),
                    "longest_s": round(max(seconds), 2),
                    "total_s": round(sum(seconds), 1),
                }
            )
    return rows


def _rows_table(rows: list[dict[str, Any]]) -> Table:
    names = ("dataset", "partitions", "n_rows_in", "n_validated", "n_quarantined")
    return facts_table(
        "Rows",
        ("dataset", "#days", "#rows in", "#validated", "#quarantined"),
        ([row[name] for name in names] for row in rows),
    )


def _champion_table(rows: list[dict[str, Any]]) -> Table:
    return facts_table(
        "Champion by date",
        ("since the night", "version", "before", "#days scored", "why"),
        (
            [row["since"], row["version"], row["previous"], row["days_scored"], row["reason"]]
            for row in rows
        ),
    )


def _challenger_table(rows: list[dict[str, Any]]) -> Table:
    return facts_table(
        "Trainings and the gate",
        ("as of", "cause", "version", "judged on", "#flights", "#AUC", "#champion's", "verdict"),
        (
            [
                *(row["as_of"], row["cause"], row["version"]),
                " to ".join(row["evaluation"] or ()),
                row.get("n_rows"),
                (row.get("challenger") or {}).get("roc_auc"),
                (row.get("champion") or {}).get("roc_auc"),
                f"{row.get('verdict')}: {row.get('reason')}",
            ]
            for row in rows
        ),
    )


def _duration_table(rows: list[dict[str, Any]]) -> Table:
    return facts_table(
        "How long each part took",
        ("Dag", "#runs", "#median", "#longest", "#together"),
        (
            [
                *(row["dag_id"], row["runs"], f"{row['median_s']:.1f} s"),
                *(f"{row['longest_s']:.1f} s", f"{row['total_s']:.0f} s"),
            ]
            for row in rows
        ),
    )


def _condition_table(rows: list[dict[str, Any]]) -> Table:
    return facts_table(
        "Has the loop closed?",
        ("", "condition", "found"),
        (["yes" if row["holds"] else "NO", row["name"], row["evidence"]] for row in rows),
    )
