"""Validation: a raw partition is judged, published and quarantined, at any size."""

from mlops_tasks.moved import moved_name
from mlops_tasks.validation.publication import quarantine_table
from mlops_tasks.validation.suite import Expectation, Suite, load_suite

__all__ = ["Expectation", "Suite", "load_suite", "quarantine_table"]


def __getattr__(name: str) -> object:
    return moved_name(__name__, name)
