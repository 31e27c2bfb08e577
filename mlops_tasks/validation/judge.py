"""Great Expectations on a frame: expectations in, findings out, nothing dropped on the way."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.validation.suite import Expectation

    Positions = npt.NDArray[np.int64]

__all__ = ["Finding", "Judge", "readable"]

N_EXAMPLES = 5
# Positions of all bad rows, but no query text of them all, and values only as examples.
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": N_EXAMPLES,
    "return_unexpected_index_query": False,
}


@dataclass(slots=True)
class Finding:
    """What one expectation found in one frame.

    Attributes
    ----------
    success : bool
        Whether it was met.
    row_wise : bool
        Whether it judged rows one by one.
    n_rows, n_bad : int
        Rows judged, without those it leaves out as missing, and those that fell short.
    positions : array of int64
        Index of the rows that fell short.
    observed : str
        What it saw, for a check of the whole.
    examples : tuple of str
        Some values that fell short.
    error : str
        Why it could not be made.
    """

    success: bool
    row_wise: bool = False
    n_rows: int = 0
    n_bad: int = 0
    positions: Positions | None = field(default=None, repr=False)
    observed: str = ""
    examples: tuple[str, ...] = ()
    error: str = ""


class Judge:
    """Great Expectations without its stores: it hashes and logs nothing, and only judges."""

    def __init__(self) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)

    def findings(
        self, frame: pd.DataFrame, expectations: Sequence[Expectation]
    ) -> dict[int, Finding]:
        """Judge a frame.

        Parameters
        ----------
        frame : DataFrame
            The columns that the expectations read. Its index says the position of each row.
        expectations : sequence of Expectation
            Of one suite.

        Returns
        -------
        dict of int to Finding
            By the index of the expectation; one for each of them.

        Raises
        ------
        SuiteError
            If Great Expectations gives back fewer results than it was asked for.
        """
        from great_expectations.execution_engine.pandas_execution_engine import (
            PandasExecutionEngine,
        )
        from great_expectations.expectations.expectation_configuration import (
            ExpectationConfiguration,
        )
        from great_expectations.validator.validator import Validator

        # The public way loads the frame as a batch and hashes every cell of it first, which takes
        # twice as long as judging does.
        engine = PandasExecutionEngine(batch_data_dict={"partition": frame})
        results = Validator(execution_engine=engine, data_context=self._context).graph_validate(
            configurations=[
                ExpectationConfiguration(type=e.kind, kwargs=e.kwargs, meta={"index": e.index})
                for e in expectations
            ],
            runtime_configuration={"result_format": dict(_RESULT_FORMAT)},
        )
        found = {_index(result): _finding(result) for result in results}
        lost = [e.label for e in expectations if e.index not in found]
        if lost:
            raise SuiteError(
                f"Great Expectations gave no result for {lost}; they would pass unchecked"
            )
        return found


def _index(result: Any) -> int:
    return int(result.expectation_config.meta["index"])


def _finding(result: Any) -> Finding:
    details = result.result or {}
    error = next(iter(_errors(result.exception_info)), "")
    if error:
        return Finding(success=False, error=error)
    if "unexpected_index_list" not in details:
        observed = details.get("observed_value")
        text = _differences(details) if observed is None else readable(observed)
        return Finding(success=bool(result.success), observed=text)
    import numpy as np

    return Finding(
        success=bool(result.success),
        row_wise=True,
        n_rows=int(details["element_count"]) - int(details.get("missing_count") or 0),
        n_bad=int(details["unexpected_count"]),
        positions=np.asarray(details["unexpected_index_list"], np.int64),
        examples=tuple(readable(v) for v in details.get("partial_unexpected_list") or []),
    )


def _errors(info: Any) -> Iterable[str]:
    """Find the messages in GX's two shapes of exception info: one, or one per metric."""
    nested = info.values() if info and "exception_message" not in info else [info or {}]
    for item in nested:
        if isinstance(item, dict) and (text := item.get("exception_message")):
            yield str(text).strip().splitlines()[0]


def _differences(details: dict[str, Any]) -> str:
    """Say which values are too many and which are missing, where GX observes nothing else."""
    parts = []
    for what, word in (("unexpected", "unexpected"), ("missing", "missing")):
        if n := details.get(f"{what}_count"):
            some = [readable(value) for value in details.get(f"partial_{what}_list") or []]
            parts.append(f"{n} {word}: {', '.join(some[:N_EXAMPLES])}")
    return "; ".join(parts) or "nothing"


def readable(value: Any) -> str:
    """Return a value as a person reads it, whatever library it comes from.

    Parameters
    ----------
    value : Any
        A number, a text, a time, or a list or mapping of them.

    Returns
    -------
    str
        At most 200 characters.

    Examples
    --------
    >>> readable(3.0), readable([1.5, None]), readable({"a": 2})
    ('3', '1.5, null', 'a 2')
    """
    if isinstance(value, dict):
        text = ", ".join(f"{name} {readable(item)}" for name, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        text = ", ".join(readable(item) for item in value)
    elif _is_null(value):
        text = "null"
    elif hasattr(value, "isoformat"):
        text = value.isoformat().replace("+00:00", "Z")
    elif isinstance(value, bool | str):
        text = str(value)
    else:
        text = _number(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _is_null(value: Any) -> bool:
    """Tell None, NaN and NaT, which are unequal to themselves, and pandas' NA, which is neither."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _number(value: Any) -> str:
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, Decimal | Fraction) and math.isfinite(value) and value == int(value):
        return str(int(value))
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    if math.isfinite(number) and number == int(number) and abs(number) < 2**53:
        return str(int(number))
    return f"{number:.6g}"
