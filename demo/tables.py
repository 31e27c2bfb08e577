"""Tables of facts that every report of the demo shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable


def facts_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Make a table; a column whose name begins with # is right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for column in columns:
        is_number = column.startswith("#")
        table.add_column(column.removeprefix("#"), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*("" if cell is None else escape(_text(cell)) for cell in row))
    return table


def _text(cell: object) -> str:
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)


def performance_table(rows: list[dict[str, Any]], when: str = "day") -> Table:
    """One line per check of each day: what predictions were worth."""
    return facts_table(
        "Realised performance (once labels are there)",
        (when, "version", "check", "#value", "#threshold", "verdict"),
        (
            [
                *(row["day"], row.get("model_version"), check["name"], check["value"]),
                *(check["threshold"], _verdict(check)),
            ]
            for row in rows
            if row["kind"] == "performance"
            for check in row["checks"]
        ),
    )


def drift_table(rows: list[dict[str, Any]], when: str = "day") -> Table:
    """One line per day: every check that alarms, else the strongest; JSON has them all."""
    lines = []
    for row in rows:
        if row["kind"] != "drift":
            continue
        alarms = [check for check in row["checks"] if check["alarm"]]
        shown = alarms or row["checks"][:1]
        text = ", ".join(_drift_text(check) for check in shown)
        lines.append([row["day"], row.get("model_version"), len(row["checks"]), len(alarms), text])
    return facts_table(
        "Drift of inputs and predictions (effect size > threshold)",
        (when, "version", "#checks", "#alarms", "alarms, or else the strongest"),
        lines,
    )


def _drift_text(check: dict[str, Any]) -> str:
    if check["value"] is None:
        return f"{check['name']}: {check['text']}"
    sign = ">" if check["alarm"] else "<="
    return f"{check['name']} {check['value']:.2f} {sign} {check['threshold']:.2f}"


def _verdict(check: dict[str, Any]) -> str:
    if check["value"] is None:
        return str(check["text"])
    return "ALARM" if check["alarm"] else "fine"


def _decided(row: dict[str, Any]) -> str:
    if row["retrain"]:
        return "retrain"
    return "cannot tell" if row.get("cause") == "cannot_tell" else "not retrained"


def decision_table(rows: list[dict[str, Any]], when: str = "night") -> Table:
    """One line per decision, with its answer and its reason."""
    return facts_table(
        "Decisions",
        (when, "decision", "cause", "because"),
        (
            [
                row["night"],
                _decided(row),
                row.get("cause"),
                row.get("reason"),
            ]
            for row in rows
        ),
    )
