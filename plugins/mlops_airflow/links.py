"""Buttons on a task that lead to what it made: in MLflow, or a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

__all__ = ["MlflowModelVersionLink", "MlflowRunLink", "ReportLink", "TimelineLink"]


class MlflowRunLink(BaseOperatorLink):
    """Open the MLflow run of this task."""

    name = "MLflow run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address the operator left; the worker stores it when the task ends."""
        return getattr(operator, "mlflow_run_url", "")


class MlflowModelVersionLink(BaseOperatorLink):
    """Open the model version of this task."""

    name = "Model version"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address the operator left; the worker stores it when the task ends."""
        return getattr(operator, "mlflow_version_url", "")


class ReportLink(BaseOperatorLink):
    """Open the report of this task: of a validation, of drift, or of the gate."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address the operator left; the worker stores it when the task ends."""
        return getattr(operator, "report_url", "")


class TimelineLink(BaseOperatorLink):
    """Open the timeline of the model: all that was measured and decided, on one axis."""

    name = "Timeline"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address the operator left; the worker stores it when the task ends."""
        return getattr(operator, "timeline_url", "")
