"""Call a decorated function with what a step gives it, beside its own arguments."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import determine_kwargs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import DecoratedOperator

__all__ = ["called_with", "with_names"]


def with_names(
    names: Iterable[str], function: Callable[..., Any], given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Fill in, for Airflow's check of a call, the parameters that only the step will give."""
    wanted = inspect.signature(function).parameters
    return {name: None for name in names if name in wanted} | dict(given or {})


def called_with(operator: DecoratedOperator, context: Context, given: Mapping[str, Any]) -> Any:
    """Call the function of a task with its own arguments, the context and what a step gives."""
    kwargs = {**context, **operator.op_kwargs, **given}
    function = operator.python_callable
    return function(*operator.op_args, **determine_kwargs(function, operator.op_args, kwargs))
