"""Validation: a raw partition is judged, published and quarantined, at any size."""

from mlops_tasks.validation.evidence import report_address, validation_evidence
from mlops_tasks.validation.publication import quarantine_table
from mlops_tasks.validation.readmission import Readmission, readmit
from mlops_tasks.validation.report import REPORTS
from mlops_tasks.validation.step import validate
from mlops_tasks.validation.suite import Expectation, Suite, load_suite

__all__ = [
    "REPORTS",
    "Expectation",
    "Readmission",
    "Suite",
    "load_suite",
    "quarantine_table",
    "readmit",
    "report_address",
    "validate",
    "validation_evidence",
]
