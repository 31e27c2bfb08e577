"""``@task.mlops_ingest``: a function gives the rows of a partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from mlops_airflow.decorators.calling import called_with, with_names
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_tasks.exceptions import SpecError
from mlops_tasks.sources import FunctionRows
from mlops_tasks.specs import FunctionSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

    from mlops_tasks.sources import Source

__all__ = ["ingest_task"]

_GIVEN = ("partition",)


class _IngestDecoratedOperator(DecoratedOperator, IngestPartitionOperator):
    """`IngestPartitionOperator` whose source is the decorated function."""

    template_fields: Sequence[str] = (  # type: ignore[assignment]
        *DecoratedOperator.template_fields,
        *IngestPartitionOperator.template_fields,
    )
    custom_operator_name = "@task.mlops_ingest"

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        kwargs["op_kwargs"] = with_names(_GIVEN, python_callable, kwargs.get("op_kwargs"))
        super().__init__(python_callable=python_callable, **kwargs)
        source = self.dataset.source
        if not isinstance(source, FunctionSource) or source.function is not None:
            raise SpecError(
                f"@task.mlops_ingest {self.task_id!r}: the rows of {self.dataset.name!r} come from "
                f"{source.called!r}; write source=FunctionSource() in the dataset, or use "
                "IngestPartitionOperator"
            )

    def _source(self, context: Context) -> Source:
        return FunctionRows(lambda partition: called_with(self, context, {"partition": partition}))


def ingest_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a task of a function that gives the rows of a partition of a dataset.

    Parameters
    ----------
    python_callable : callable, optional
        The function. Its parameter ``partition`` is the `Partition` that is asked for; others are
        arguments of the call, or keys of the task's context.
    **kwargs
        Arguments of `IngestPartitionOperator`: ``dataset``, whose source is `FunctionSource`, and
        ``partition``.

    Returns
    -------
    TaskDecorator
        Found by Airflow as ``@task.mlops_ingest``.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=False,
        decorated_operator_class=_IngestDecoratedOperator,
        **kwargs,
    )
