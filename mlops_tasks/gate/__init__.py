"""The gate, which says whether a challenger may replace the champion."""

from mlops_tasks.gate.criteria import Criterion, conclude
from mlops_tasks.gate.further import further_criteria
from mlops_tasks.gate.leaks import hold_back, split_suspects
from mlops_tasks.gate.plan import GatePlan, check_registration
from mlops_tasks.gate.report import error_rate, gate_report
from mlops_tasks.gate.verdict import Verdict, judge
from mlops_tasks.gate.worst_slices import worst_slices

__all__ = [
    "Criterion",
    "GatePlan",
    "Verdict",
    "check_registration",
    "conclude",
    "error_rate",
    "further_criteria",
    "gate_report",
    "hold_back",
    "judge",
    "split_suspects",
    "worst_slices",
]
