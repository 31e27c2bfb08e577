"""How much memory a validation may take for rows, set by the machine it runs on."""

from __future__ import annotations

import os
import re

from mlops_tasks.exceptions import SpecError

__all__ = ["MEMORY_VARIABLE", "memory_limit", "rows_within"]

MEMORY_VARIABLE = "MLOPS_VALIDATION_MEMORY"
_DEFAULT = "1GB"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?)?B", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
# A row is there as it was read, as a frame, and in what is computed of that: measured, three
# times its size in Arrow at the peak.
_COPIES = 3
# Marks lie eight to a byte.
_MIN_ROWS = 8


def memory_limit() -> tuple[str, int]:
    """Return the limit as it is written in ``MLOPS_VALIDATION_MEMORY``, and in bytes.

    Raises
    ------
    SpecError
        If it is no size.

    Notes
    -----
    Written as DuckDB's: ``1GB`` (the default) is 10**9 bytes, ``1GiB`` 2**30. It counts what the
    rows of a chunk take; the process itself takes about 300 MB beside it.
    """
    text = os.environ.get(MEMORY_VARIABLE, _DEFAULT)
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise SpecError(
            f"{MEMORY_VARIABLE} is {text!r}, which is no size; write it like 500MB or 2GB"
        )
    unit = (found[2] or "").lower()
    base = 1024 if unit.endswith("i") else 1000
    return text, int(float(found[1]) * base ** _POWERS[unit[:1]])


def rows_within(row_bytes: float) -> int:
    """Return how many rows of a size in Arrow may be judged at once.

    Parameters
    ----------
    row_bytes : float
        Bytes of a row.
    """
    _, limit = memory_limit()
    return max(int(limit / (_COPIES * max(row_bytes, 1))), _MIN_ROWS)
