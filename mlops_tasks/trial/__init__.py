"""The whole loop over some partitions of the past, in a throw-away lake.

Modules: `loop` (the steps in their real order), `span` (which partitions, and where the first
training comes), `stores` (a lake, a ledger and an MLflow store that are removed afterwards),
`findings` (what a step came to, in one line), `conclusions` (what monitoring could tell, and what
would let it), `report` (what `try_model` returns).
"""

from mlops_tasks.trial.loop import try_model
from mlops_tasks.trial.report import (
    Conclusion,
    Decision,
    Failure,
    Training,
    TrialReport,
    TrialStep,
)

__all__ = [
    "Conclusion",
    "Decision",
    "Failure",
    "Training",
    "TrialReport",
    "TrialStep",
    "try_model",
]
