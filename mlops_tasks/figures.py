"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["short_number"]

_PLAIN = 1e15


def short_number(value: float, digits: int = 4, *, sign: bool = False) -> str:
    """Return a number with a few significant digits, and all of those before the point.

    Parameters
    ----------
    value : float
        The number.
    digits : int, default 4
        Significant digits.
    sign : bool, default False
        Whether a number above 0 gets a plus.

    Examples
    --------
    >>> short_number(1019.62, 3), short_number(13861.5), short_number(0.034159, 3, sign=True)
    ('1020', '13862', '+0.0342')
    """
    plus = "+" if sign else ""
    if 10**digits <= abs(value) + 0.5 < _PLAIN:
        return f"{value:{plus}.0f}"
    return f"{value:{plus}.{digits}g}"
