"""The `row_condition` of an expectation: which rows it is about."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SuiteError
from mlops_tasks.validation.limits import Limits, are_comparable, members
from mlops_tasks.validation.literals import literal_limit, literal_member

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Positions = npt.NDArray[np.int64]

__all__ = ["CONDITION_FORM", "checked_condition", "selected_rows"]

CONDITION_FORM = (
    'write row_condition as an object, like {"type": "comparison", "column": {"name": "shop"}, '
    '"operator": "==", "parameter": "bakery"}'
)
_ORDER = (">", ">=", "<", "<=")
_SIGNS = ("==", "!=", "IN", "NOT_IN", *_ORDER)


def checked_condition(condition: Any, types: Mapping[str, str]) -> dict[str, Any]:
    """Return a condition with its values as the columns of the contract hold them.

    Code in a text, which nobody can check, is refused, and so is what cannot be compared. Columns
    without a type in the contract are compared with what is written.
    """
    kind = condition.get("type") if isinstance(condition, dict) else None
    if kind in ("and", "or") and isinstance(condition.get("conditions"), list):
        parts = [checked_condition(part, types) for part in condition["conditions"]]
        return {**condition, "conditions": parts}
    column = condition.get("column") if kind in ("comparison", "nullity") else None
    name = column.get("name") if isinstance(column, dict) else None
    if not isinstance(name, str):
        raise SuiteError(f"{CONDITION_FORM}")
    if kind == "nullity":
        return dict(condition)
    sign, parameter = condition.get("operator"), condition.get("parameter")
    if sign not in _SIGNS or (sign in ("IN", "NOT_IN")) != isinstance(parameter, list):
        raise SuiteError(
            f"row_condition compares {name!r} by {sign!r} with {parameter!r}; the "
            f"operators are {', '.join(_SIGNS)}, and IN and NOT_IN take a list"
        )
    return {**condition, "parameter": _checked(name, sign, parameter, types.get(name))}


def _checked(column: str, sign: str, parameter: Any, held: str | None) -> Any:
    """Return what a column is compared with, as it holds it."""
    name = "row_condition"
    if held is None:
        return parameter
    if sign in ("IN", "NOT_IN"):
        return [literal_member(name, column, value, held) for value in parameter]
    if sign in _ORDER and not (held == "string" and isinstance(parameter, str)):
        return literal_limit(name, column, parameter, held, last=sign in (">", "<="))
    return literal_member(name, column, parameter, held)


def selected_rows(kwargs: Mapping[str, Any], rows: pa.Table) -> tuple[pa.Table, Positions | None]:
    """Return the rows that the condition of an expectation selects, and their positions.

    Without a condition these are all rows, and None.
    """
    import numpy as np

    condition = kwargs.get("row_condition")
    if not condition:
        return rows, None
    mask = _mask(condition, rows)
    return rows.filter(mask), np.flatnonzero(mask.to_numpy())


def _mask(condition: Mapping[str, Any], rows: pa.Table) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    if condition["type"] in ("and", "or"):
        combine = pc.and_ if condition["type"] == "and" else pc.or_
        return reduce(combine, [_mask(part, rows) for part in condition["conditions"]])
    values = rows.column(condition["column"]["name"])
    if condition["type"] == "nullity":
        missing = pc.is_null(values, nan_is_null=True)
        return missing if condition["is_null"] else pc.invert(missing)
    return _compared(values, condition["operator"], condition["parameter"])


def _compared(values: pa.ChunkedArray, sign: str, parameter: Any) -> pa.ChunkedArray:
    """Compare a column; a missing value is unequal to all, and neither more nor less."""
    import pyarrow.compute as pc

    if sign in ("==", "IN"):
        return members(values, parameter if sign == "IN" else [parameter])
    if sign in ("!=", "NOT_IN"):
        return pc.invert(members(values, parameter if sign == "NOT_IN" else [parameter]))
    limits = {
        ">": Limits(low=parameter, strict_low=True),
        ">=": Limits(low=parameter),
        "<": Limits(high=parameter, strict_high=True),
        "<=": Limits(high=parameter),
    }[sign]
    if are_comparable(values.type, limits.given):
        return pc.fill_null(limits.mask(values), fill_value=False)
    compare = {">": pc.greater, ">=": pc.greater_equal, "<": pc.less, "<=": pc.less_equal}[sign]
    return pc.fill_null(compare(values, parameter), fill_value=False)
