"""Which parameters to train with: candidates, a search, and folds inside the training window."""

from mlops_tasks.tuning.candidates import (
    Candidate,
    CandidateResult,
    Choice,
    FoldScore,
    candidate_spec,
)
from mlops_tasks.tuning.folds import Fold, fold_rows, selection_folds
from mlops_tasks.tuning.measuring import goodness, measure_fold
from mlops_tasks.tuning.studies import Studies, Trial, check_installed

__all__ = [
    "Candidate",
    "CandidateResult",
    "Choice",
    "Fold",
    "FoldScore",
    "Studies",
    "Trial",
    "candidate_spec",
    "check_installed",
    "fold_rows",
    "goodness",
    "measure_fold",
    "selection_folds",
]
