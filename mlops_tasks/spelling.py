"""Say which name was probably meant, and how long ones are shown."""

from __future__ import annotations

import reprlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "shortened"]

_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = 40
_SHORT.maxstring = _SHORT.maxother = 80


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


def shortened(value: object) -> str:
    """Return the repr of a name, a key or a list of them, of a length that people read.

    Parameters
    ----------
    value : object
        What somebody else wrote: it may be megabytes long.

    Returns
    -------
    str
        The middle of long texts and the end of long lists are dots.

    Examples
    --------
    >>> shortened(["id", "x" * 1000])
    "['id', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']"
    """
    return _SHORT.repr(value)
