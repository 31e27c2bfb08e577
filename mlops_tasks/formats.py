"""Versions of what is stored: what an older or newer version of the project wrote can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import NewerFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_format"]

_FIRST = "1.0"


def check_format(raw: Mapping[str, Any], known: str, what: str) -> None:
    """Refuse what was written in a format that this code cannot know.

    Parameters
    ----------
    raw : mapping
        What was read; its ``format`` is ``<major>.<minor>``. Without one it is 1.0.
    known : str
        The newest format that this code knows. A newer minor version only adds keys, which a
        reader that does not know them leaves alone; a newer major version changes their meaning.
    what : str
        Named in the error.

    Raises
    ------
    NewerFormatError
        If the major version is newer.
    ValueError
        If it is no version at all.

    Examples
    --------
    >>> check_format({"format": "1.7", "colour": "red"}, "1.0", "the record")
    """
    found = str(raw.get("format", _FIRST))
    if int(found.partition(".")[0]) > int(known.partition(".")[0]):
        raise NewerFormatError(
            f"{what} has format {found}, this version of mlops-airflow reads formats up to "
            f"{known.partition('.')[0]}.x; nothing is damaged and nothing was changed. Upgrade "
            f"mlops-airflow here to a version that knows format {found}"
        )
