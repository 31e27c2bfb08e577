"""Say which name was probably meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return the rest of an error about a name that does not exist.

    Parameters
    ----------
    name : str
        What was written.
    valid : iterable of str
        What may be written.

    Returns
    -------
    str
        The closest name, if one is close, and all of them.

    Examples
    --------
    >>> did_you_mean("positiv", ["dataset", "positive"])
    "did you mean 'positive'? There are: dataset, positive"
    >>> did_you_mean("x", [])
    'there are none'
    """
    names = sorted(valid)
    if not names:
        return "there are none"
    close = get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]!r}? There" if close else "there"
    return f"{meant} are: {', '.join(names)}"
