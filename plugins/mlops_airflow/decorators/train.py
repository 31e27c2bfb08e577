"""``@task.mlops_train``: a function builds the estimator that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from mlops_airflow.decorators.calling import called_with, with_names
from mlops_airflow.operators.train import TrainModelOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

__all__ = ["train_task"]

_GIVEN = ("categorical", "numeric", "text", "random_state")


class _TrainDecoratedOperator(DecoratedOperator, TrainModelOperator):
    """`TrainModelOperator` whose estimator is what the decorated function returns."""

    template_fields: Sequence[str] = (  # type: ignore[assignment]
        *DecoratedOperator.template_fields,
        *TrainModelOperator.template_fields,
    )
    custom_operator_name = "@task.mlops_train"

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        kwargs["op_kwargs"] = with_names(_GIVEN, python_callable, kwargs.get("op_kwargs"))
        super().__init__(python_callable=python_callable, estimator=python_callable, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Train what the function returns."""
        self.build = lambda **features: called_with(self, context, features)
        trained: dict[str, Any] = super().execute(context)
        return trained


def train_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a task of a function that builds an estimator: it is trained on a table.

    Parameters
    ----------
    python_callable : callable, optional
        The function. It is given ``categorical``, ``numeric`` and ``random_state``, and ``text``
        if there are such features; other parameters are arguments of the call, or keys of the
        task's context. It returns an unfitted estimator.
    **kwargs
        Arguments of `TrainModelOperator` but ``estimator``.

    Returns
    -------
    TaskDecorator
        Found by Airflow as ``@task.mlops_train``.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=False,
        decorated_operator_class=_TrainDecoratedOperator,
        **kwargs,
    )
