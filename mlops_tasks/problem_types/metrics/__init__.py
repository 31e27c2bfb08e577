"""Metrics by name, each with its direction and range, and with an interval right for few rows."""

from mlops_tasks.problem_types.metrics.interval import Interval, share_interval
from mlops_tasks.problem_types.metrics.metric import Metric
from mlops_tasks.problem_types.metrics.names import find_metric, metric_names
from mlops_tasks.problem_types.metrics.resampling import compare, measure

__all__ = [
    "Interval",
    "Metric",
    "compare",
    "find_metric",
    "measure",
    "metric_names",
    "share_interval",
]
