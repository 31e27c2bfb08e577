"""What differs between the rows of a commit and those that lie there now, from their sums alone."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlops_tasks.lake.digest import HALF, SPREAD, cell_parts, column_constants, mix

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.digest import ContentDigest, ContentSums

__all__ = ["difference"]

_MODULUS = 2**64
_SHOWN = 5


def difference(
    commit: Commit, found: ContentDigest, rows: Iterable[tuple[str, int, pa.RecordBatch]]
) -> str:
    """Name what differs: columns, or how many rows, or the one row and its cells.

    Parameters
    ----------
    commit : Commit
        What was committed.
    found : ContentDigest
        Of the rows that are there now; not equal to that of the commit.
    rows : iterable of tuple
        File name, number of the first row in it, and rows: those that are there now. Read only to
        find a single row.

    Returns
    -------
    str
        What differs.

    Notes
    -----
    The rows of the commit are gone, but their sums are recorded. If only one row differs, the
    differences of the column sums are the differences of its cells, which tells the row by its
    hash, and the steps that led from a number to its part of the sum can be undone.
    """
    was, now = commit.sums, found.sums()
    columns = _columns(was, now)
    if columns:
        return columns
    shifts = {
        name: (int(now.columns[name][1], 16) - int(was.columns[name][1], 16)) % _MODULUS
        for name in sorted(was.columns)
    }
    lane = (int(now.lanes[0], 16) - int(was.lanes[0], 16)) % _MODULUS
    n_more = found.n_rows - commit.n_rows
    if n_more == -1 and _hash(-sum(shifts.values())) == -lane % _MODULUS:
        return f"the row {_cells(was, {n: -s % _MODULUS for n, s in shifts.items()})} was removed"
    if n_more in (0, 1) and (one := _one_row(was, shifts, lane, rows, added=n_more == 1)):
        return one
    changed = [name for name, shift in shifts.items() if shift]
    if n_more:
        return f"{abs(n_more):,} rows were {'added' if n_more > 0 else 'removed'}"
    if not changed:
        return "the same cells stand in other rows"
    return f"as many rows, but cells of {changed} were changed in more than one of them"


def _columns(was: ContentSums, now: ContentSums) -> str:
    """Name columns that are gone, new, or of another type; nothing if there are none."""
    parts = [f"column {name!r} is gone" for name in sorted(was.columns.keys() - now.columns)]
    parts += [f"column {name!r} was added" for name in sorted(now.columns.keys() - was.columns)]
    parts += [
        f"column {name!r} is {now.columns[name][0]}, was {kind}"
        for name, (kind, _) in sorted(was.columns.items())
        if name in now.columns and now.columns[name][0] != kind
    ]
    return ", ".join(parts)


def _one_row(
    was: ContentSums,
    shifts: dict[str, int],
    lane: int,
    rows: Iterable[tuple[str, int, pa.RecordBatch]],
    *,
    added: bool,
) -> str:
    """Find the only row that was added or changed; nothing if it is not one alone."""
    import numpy as np

    total = np.uint64(sum(shifts.values()) % _MODULUS)
    for file, first, batch in rows:
        parts = {n: next(cell_parts(batch.column(n), n, was.columns[n][0])).copy() for n in shifts}
        hashes = np.zeros(batch.num_rows, np.uint64)
        for part in parts.values():
            hashes += part
        before = np.zeros_like(hashes) if added else mix(hashes - total)
        (hits,) = np.nonzero(mix(hashes) - before == np.uint64(lane))
        if len(hits):
            place = f"row {first + int(hits[0]) + 1:,} of {file}"
            if added:
                return f"{place} was added"
            row = batch.slice(int(hits[0]), 1).to_pylist()[0]
            cells = [
                f"{n!r} was {_cell(n, was, int(parts[n][hits[0]]) - shift)}, is {row[n]!r}"
                for n, shift in shifts.items()
                if shift
            ]
            return f"{place} was changed: " + ", ".join(cells)
    return ""


def _cells(was: ContentSums, parts: dict[str, int]) -> str:
    shown = [f"{name}={_cell(name, was, part)}" for name, part in parts.items()]
    return ", ".join(shown[:_SHOWN]) + (", …" if len(shown) > _SHOWN else "")


def _cell(name: str, was: ContentSums, part: int) -> str:
    """Undo what `cell_parts` did to a number; of a text only its hash was ever known."""
    kind = was.columns[name][0]
    factor, null = (int(constant) for constant in column_constants(name, kind, 0))
    if part % _MODULUS == null:
        return "None"
    if kind == "string":
        return "another text"
    spread = part * pow(factor, -1, _MODULUS) % _MODULUS
    bits = (spread ^ spread >> HALF) * pow(SPREAD, -1, _MODULUS) % _MODULUS
    return repr(_value(kind, bits))


def _value(kind: str, bits: int) -> Any:
    raw = bits.to_bytes(8, "little")
    whole = int.from_bytes(raw, "little", signed=True)
    if kind == "float":
        return struct.unpack("<d", raw)[0]
    if kind == "time":
        with suppress(OverflowError):  # beyond what Python's calendar knows
            return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=whole)).isoformat()
    return bool(whole) if kind == "bool" else whole


def _hash(total: int) -> int:
    import numpy as np

    return int(mix(np.array([total % _MODULUS], np.uint64))[0])
