"""Numbers, shares and names as a reader of a report or of a picture wants them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["change", "exact", "instant", "percent", "short_name", "short_number", "with_names"]

_N_NAMES = 3
_LONGEST_NAME = 40
# Whole numbers below are written in full.
_WHOLE = 1e15


def short_number(value: float) -> str:
    """Write a number with at most four digits that matter.

    Without an exponent between 0.001 and a million.

    Examples
    --------
    >>> [short_number(x) for x in (0.0, 1234.567, 0.012345, 1.5e12)]
    ['0', '1235', '0.01235', '1.5e+12']
    """
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e" in text and 1e3 <= abs(value) < 1e6 else text


def change(old: float, new: float) -> str:
    """Write two numbers with as many digits as distinguish them."""
    short = short_number(old), short_number(new)
    if short[0] == short[1] and old != new:
        return f"{old:.12g} → {new:.12g}"
    return f"{short[0]} → {short[1]}"


def exact(value: float) -> str:
    """Write a number so that it can be looked for."""
    return f"{value:.0f}" if value == round(value) and abs(value) < _WHOLE else f"{value:.7g}"


def percent(share: float) -> str:
    """Write a share; of small ones fewer digits are known."""
    value = 100 * share
    return f"{value:.3g} %" if value == 0 or value >= 1 else f"{value:.2g} %"


def instant(microseconds: float) -> str:
    """Write an instant to the minute, in UTC."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=float(microseconds))
    return f"{moment:%Y-%m-%d %H:%M}"


def short_name(name: str) -> str:
    """Cut a long name."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def with_names(text: str, names: Iterable[str]) -> str:
    """Add the first of some names."""
    all_ = list(names)
    more = f" and {len(all_) - _N_NAMES} more" if len(all_) > _N_NAMES else ""
    return f"{text}: {', '.join(all_[:_N_NAMES])}{more}" if all_ else text
