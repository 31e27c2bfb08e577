"""The timeline beside the other reports: one page of a model, always the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.reports import standing_report, write_standing_report
from mlops_tasks.timeline.page import render_timeline
from mlops_tasks.timeline.reading import read_timeline

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec

__all__ = ["publish_timeline", "timeline_address"]


def timeline_address(model: str) -> str:
    """Return where the page of a model is, relative to the lake.

    Parameters
    ----------
    model : str
        Name of the model.

    Examples
    --------
    >>> timeline_address("flight_delays")
    '_reports/flight_delays__timeline/newest.html'
    """
    return standing_report(f"{model}__timeline")


def publish_timeline(spec: ModelSpec, *, ledger: Ledger, lake: Lake) -> str:
    """Write the page of a model in place of the one before.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    ledger : Ledger
        What happened to it.
    lake : Lake
        Where the page goes.

    Returns
    -------
    str
        Address of the page, relative to the lake.
    """
    page = render_timeline(read_timeline(spec, ledger=ledger))
    return write_standing_report(lake.root, f"{spec.name}__timeline", page)
