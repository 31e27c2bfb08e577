"""Monitoring: what drift, performance and labels of a window say, check by check."""

from mlops_tasks.monitoring.evidence import as_evidence, estimate_of, estimate_outcomes
from mlops_tasks.monitoring.labelled_predictions import (
    LabelledPredictions,
    read_labelled_predictions,
)
from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.moved import moved_name

__all__ = [
    "Check",
    "LabelledPredictions",
    "MonitorResult",
    "as_evidence",
    "estimate_of",
    "estimate_outcomes",
    "read_labelled_predictions",
]


def __getattr__(name: str) -> object:
    return moved_name(__name__, name)
