"""Checks before a run: all that can be known of a model without training it, in seconds."""

from mlops_tasks.checks.registry import CHECKS, Check, check_model
from mlops_tasks.checks.result import Answer, CheckResult, exit_code
from mlops_tasks.checks.sample import Sample

__all__ = ["CHECKS", "Answer", "Check", "CheckResult", "Sample", "check_model", "exit_code"]
