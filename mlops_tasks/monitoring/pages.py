"""The page of a measurement and the windows before it, beside the tables and in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.drift import DriftReport, render_page
from mlops_tasks.reports import newest_facts, write_report
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["publish_page"]

# Windows before this one in the heatmap of the page.
_PAGE_WINDOWS = 30


def publish_page(
    report: DriftReport,
    day: str,
    *,
    topic: str,
    table: str,
    spec: ModelSpec,
    champion: RegisteredVersion,
    lake: Lake,
    tracking: Tracking,
) -> str:
    """Write the page of a report to the lake and to the run of a version.

    Parameters
    ----------
    report : DriftReport
        What was measured.
    day : str
        Last day of its window; scored.
    topic : str
        ``"drift"`` or ``"labels"``: the beginning of its title, and its folder in MLflow.
    table : str
        Under whose name the reports of this topic are kept.
    spec : ModelSpec
        The model.
    champion : RegisteredVersion
        The version whose run gets the page.
    lake, tracking : Lake, Tracking
        Where the page goes.

    Returns
    -------
    str
        Address of the page, relative to the lake.
    """
    first, last = (spec.calendar.shift(day, -steps) for steps in (_PAGE_WINDOWS, 1))
    before = newest_facts(lake.root, table, first=first, last=last)
    reports = [*(from_json(DriftReport, raw) for raw in before), report]
    page = render_page(reports, title=f"{topic.capitalize()} of {spec.name}")
    (newest,) = lake.table(spec.predictions_table).commits(first=day, last=day)
    tracking.log_bytes(champion.run_id, f"{topic}/{day}.html", page.encode())
    return write_report(lake.root, table, day, str(newest.version), page, to_json(report))
