"""An interval as a bar against its margin, in the coordinates of a small picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.gate.criteria import Criterion

__all__ = ["HEIGHT", "WIDTH", "Bar", "interval_bar"]

WIDTH, HEIGHT = 320.0, 30.0
_PAD = 0.12
#: Kinds whose values are differences to the champion, above 0 where the challenger is better.
_DIFFERENCES = frozenset({"superiority", "non_inferiority", "slice"})
_FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Bar:
    """Positions from left to right; None is not drawn.

    Attributes
    ----------
    lower, upper : float
        Ends of the interval, which an unbounded one has at the edge.
    value, margin, zero : float or None
        The value, what the interval is held against, and no difference.
    allowed : tuple of (float, float) or None
        From where to where an interval passes.
    open_ended : bool
        Whether the interval has no upper end.
    """

    lower: float
    upper: float
    value: float | None
    margin: float | None
    zero: float | None
    allowed: tuple[float, float] | None
    open_ended: bool


def interval_bar(one: Criterion, beside: Sequence[Criterion] = ()) -> Bar | None:
    """Lay out the bar of a criterion, on the scale of others of its name.

    None without a value, or where a value alone would be held against nothing.

    Parameters
    ----------
    one : Criterion
        What is drawn.
    beside : sequence of Criterion, optional
        Criteria that are drawn on the same scale.
    """
    if one.value is None or (one.margin is None and one.lower is None and not _has_zero(one)):
        return None
    low, high = _scale([one, *beside])

    def at(value: float | None) -> float | None:
        return None if value is None else round((value - low) / (high - low) * WIDTH, 1)

    lower = one.value if one.lower is None else one.lower
    open_ended = one.upper is None and one.lower is not None
    upper = high if open_ended else one.value if one.upper is None else one.upper
    margin = at(one.margin)
    return Bar(
        lower=at(lower) or 0.0,
        upper=at(upper) or 0.0,
        value=at(one.value),
        margin=margin,
        zero=at(0.0) if _has_zero(one) else None,
        allowed=None if margin is None else _allowed(one, margin),
        open_ended=open_ended,
    )


def _scale(criteria: Sequence[Criterion]) -> tuple[float, float]:
    known = [0.0] if any(map(_has_zero, criteria)) else []
    for one in criteria:
        known += [v for v in (one.value, one.lower, one.upper, one.margin) if v is not None]
    low, high = min(known), max(known)
    pad = _PAD * (high - low) or _PAD * abs(high) or 1.0
    return low - pad, high + pad


def _has_zero(one: Criterion) -> bool:
    return one.kind in _DIFFERENCES or (one.kind == _FLOOR and one.margin == 0)


def _allowed(one: Criterion, margin: float) -> tuple[float, float] | None:
    """Return the side of the margin on which an interval passes."""
    if one.kind in _DIFFERENCES:
        return margin, WIDTH
    if one.kind != _FLOOR:
        return 0.0, margin
    # A floor says not which way its metric goes; the answer does, where it is clear.
    if one.margin is None or one.lower is None or one.upper is None or one.answer != "fine":
        return None
    return (margin, WIDTH) if one.lower > one.margin else (0.0, margin)
