"""Names that become tables, folders and parts of SQL."""

from __future__ import annotations

import re

from mlops_tasks.exceptions import SpecError

__all__ = ["check_name"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def check_name(name: str) -> str:
    """Return `name` if it is safe as a table, folder and SQL name.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores, a letter first, at most 63 characters.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    SpecError
        If the name could leave its folder or its quotes.

    Examples
    --------
    >>> check_name("flights")
    'flights'
    """
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"name {name!r} is not allowed: use lower-case letters, digits and underscores, "
            "a letter first, at most 63 characters"
        )
    return name
