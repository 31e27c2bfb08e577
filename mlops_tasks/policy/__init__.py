"""The policy: which evidence is a reason to train again."""

from mlops_tasks.moved import moved_name
from mlops_tasks.policy.absence import Absence, find_absences
from mlops_tasks.policy.conditions import (
    AlarmHistory,
    drift_alarms,
    estimate_note,
    performance_alarms,
)
from mlops_tasks.policy.decisions import DecisionRow, decision_rows
from mlops_tasks.policy.evidence import PolicyEvidence, read_evidence
from mlops_tasks.policy.memory import Decided, Memory, read_memory
from mlops_tasks.policy.windows import later_windows

__all__ = [
    "Absence",
    "AlarmHistory",
    "Decided",
    "DecisionRow",
    "Memory",
    "PolicyEvidence",
    "decision_rows",
    "drift_alarms",
    "estimate_note",
    "find_absences",
    "later_windows",
    "performance_alarms",
    "read_evidence",
    "read_memory",
]


def __getattr__(name: str) -> object:
    return moved_name(__name__, name)
