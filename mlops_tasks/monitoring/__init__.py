"""Monitor: drift of inputs and predictions, and realised performance once labels are there."""

from mlops_tasks.monitoring.drift import measure_drift
from mlops_tasks.monitoring.performance import auc_standard_error, measure_performance

__all__ = ["auc_standard_error", "measure_drift", "measure_performance"]
