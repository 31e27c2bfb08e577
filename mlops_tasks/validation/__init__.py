"""Validation: a raw partition is judged, published and quarantined, at any size."""

from mlops_tasks.validation.evidence import validation_evidence
from mlops_tasks.validation.publication import quarantine_table
from mlops_tasks.validation.readmission import Readmission, readmit
from mlops_tasks.validation.step import validate
from mlops_tasks.validation.suite import Expectation, Suite, load_suite

__all__ = [
    "Expectation",
    "Readmission",
    "Suite",
    "load_suite",
    "quarantine_table",
    "readmit",
    "validate",
    "validation_evidence",
]
