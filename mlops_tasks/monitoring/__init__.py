"""Monitor: drift of inputs and predictions, and once labels are there, performance and theirs."""

from mlops_tasks.monitoring.drift import measure_drift
from mlops_tasks.monitoring.labels import measure_labels, tell_apart
from mlops_tasks.monitoring.outcomes import Outcomes, read_outcomes
from mlops_tasks.monitoring.performance import measure_performance

__all__ = [
    "Outcomes",
    "measure_drift",
    "measure_labels",
    "measure_performance",
    "read_outcomes",
    "tell_apart",
]
