"""Digest of a table's whole content, independent of row order and of how files are cut."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Hashes = npt.NDArray[np.uint64]

__all__ = ["ContentDigest", "digest_table", "row_hashes"]

_NAN = 0x7FF8000000000000
_LANES = (0, 0xA5A5A5A55A5A5A5A)
# Small enough for the hashes of a column to stay in the processor's cache.
_CHUNK_ROWS = 65_536


class ContentDigest:
    """A running digest of rows that may arrive in any order, batch by batch.

    Notes
    -----
    A cell becomes 64 bits: its own bit pattern, or for text a sum over a hash of each byte and its
    place. Column name and type seed a splitmix64 of it, the sum over a row's cells is the row's
    hash, and each lane is the sum over all rows of another splitmix64 of that, modulo 2**64. Sums
    commute, so neither the order of rows or columns nor batch borders matter, while an added, lost
    or changed row moves them. SHA-256 over names, types, row count and lanes is the digest.
    It guards against accident, not against an author who may choose rows freely. Nothing in it
    depends on a library's hash function. O(bytes), one batch in memory.

    References
    ----------
    Steele, Lea, Flood (2014), "Fast Splittable Pseudorandom Number Generators", OOPSLA.

    Examples
    --------
    >>> import pyarrow as pa
    >>> a, b = ContentDigest(), ContentDigest()
    >>> a.update(pa.table({"x": [1, 2, 3]}))
    >>> b.update(pa.table({"x": [3, 1]}))
    >>> b.update(pa.table({"x": [2]}))
    >>> a.hexdigest() == b.hexdigest()
    True
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._sums = [0] * len(_LANES)
        self._fields: tuple[tuple[str, str], ...] | None = None

    def update(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Add rows; all batches must have the same columns and types, in any column order.

        Parameters
        ----------
        rows : Table or RecordBatch
            Columns of text, integers, floats, booleans, timestamps or dates. Nulls and NaN count
            as values of their own, different from each other.

        Raises
        ------
        TypeError
            If a column is of another type, or a batch has other columns than the first.
        """
        import numpy as np

        fields = _fields(rows.schema)
        if self._fields is None:
            self._fields = fields
        elif self._fields != fields:
            raise TypeError(f"batch has columns {fields}, the digest began with {self._fields}")
        for hashes in _row_hashes(rows, fields):
            for lane, salt in enumerate(_LANES):
                total = int(_mix(hashes ^ np.uint64(salt)).sum(dtype=np.uint64))
                self._sums[lane] = (self._sums[lane] + total) % 2**64
        self.n_rows += rows.num_rows

    def hexdigest(self) -> str:
        """Return the digest of all rows so far, 64 hexadecimal characters."""
        text = repr((self._fields, self.n_rows, self._sums))
        return hashlib.sha256(text.encode()).hexdigest()


def digest_table(rows: pa.Table | Iterable[pa.RecordBatch]) -> str:
    """Return the content digest of a table or of a stream of batches.

    Parameters
    ----------
    rows : Table or iterable of RecordBatch
        See `ContentDigest.update` for types and nulls.

    Returns
    -------
    str
        64 hexadecimal characters.

    Examples
    --------
    >>> import pyarrow as pa
    >>> digest_table(pa.table({"x": [1, 2]})) == digest_table(pa.table({"x": [2, 1]}))
    True
    >>> digest_table(pa.table({"x": [1, 2]})) == digest_table(pa.table({"x": [1, 3]}))
    False
    """
    import pyarrow as pa

    digest = ContentDigest()
    for batch in [rows] if isinstance(rows, pa.Table) else rows:
        digest.update(batch)
    return digest.hexdigest()


def row_hashes(rows: pa.Table) -> Hashes:
    """Return one 64-bit hash per row, in the rows' order; equal rows have equal hashes.

    Parameters
    ----------
    rows : Table
        See `ContentDigest.update` for types and nulls.

    Returns
    -------
    array of uint64 of shape (n_rows,)
        Unequal rows have equal hashes with a chance of 2**-64.
    """
    import numpy as np

    parts = list(_row_hashes(rows, _fields(rows.schema)))
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _fields(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    return tuple((name, _kind(schema.field(name).type)) for name in sorted(schema.names))


def _row_hashes(
    rows: pa.Table | pa.RecordBatch, fields: tuple[tuple[str, str], ...]
) -> Iterator[Hashes]:
    import numpy as np

    for start in range(0, rows.num_rows, _CHUNK_ROWS):
        chunk = rows.slice(start, _CHUNK_ROWS)
        hashes = np.zeros(chunk.num_rows, dtype=np.uint64)
        for name, kind in fields:
            column = chunk.column(name)
            cells = _mix(_cells(column, kind) ^ _seed(name, kind))
            if column.null_count:  # no value stands for a null: it has a hash of its own
                cells[_is_null(column)] = _seed(name, "null")
            hashes += cells
        yield hashes


@lru_cache(maxsize=4096)
def _seed(name: str, kind: str) -> np.uint64:
    import numpy as np

    raw = hashlib.blake2b(f"{name}\0{kind}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(raw, "little"))


def _mix(value: Hashes) -> Hashes:
    """Apply splitmix64 in place: one bit changed changes half of all bits."""
    import numpy as np

    value += np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value


def _kind(kind: pa.DataType) -> str:
    """Name the logical type, so that storage variants of one type (large strings) are equal."""
    import pyarrow.types as pt

    for name, belongs in (
        ("string", lambda t: pt.is_string(t) or pt.is_large_string(t) or pt.is_string_view(t)),
        ("int", pt.is_integer),
        ("float", pt.is_floating),
        ("bool", pt.is_boolean),
        ("time", lambda t: pt.is_timestamp(t) or pt.is_date(t)),
    ):
        if belongs(kind):
            return name
    raise TypeError(f"no digest for columns of type {kind}: cast to text, a number or a time first")


def _cells(column: pa.ChunkedArray | pa.Array, kind: str) -> Hashes:
    """Turn one column into one 64-bit pattern per cell, anything where it is null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if kind == "string":
        return _text_cells(whole)
    if kind == "float":
        values = pc.fill_null(pc.cast(whole, pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        bits = (values + 0.0).view(np.uint64)  # adding zero turns -0.0 into 0.0, and copies
        bits[np.isnan(values)] = _NAN
    else:
        target = pa.timestamp("us") if kind == "time" else whole.type
        numbers = pc.cast(pc.cast(whole, target), pa.int64())
        bits = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).astype(np.uint64)
    cells: Hashes = bits
    return cells


def _is_null(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    mask: npt.NDArray[np.bool_] = pc.is_null(column).to_numpy(zero_copy_only=False)
    return mask


def _text_cells(column: Any) -> Hashes:
    import numpy as np
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(column)
    known = np.append(_text_hashes(encoded.dictionary), np.uint64(0))
    indices = pc.fill_null(encoded.indices, len(known) - 1).to_numpy(zero_copy_only=False)
    cells: Hashes = known[indices]
    return cells


def _text_hashes(texts: pa.Array) -> Hashes:
    """Hash every text: the sum over a hash of each byte and its place, mixed with the length."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    packed = pc.cast(texts, pa.large_binary())
    offsets = np.frombuffer(packed.buffers()[1], np.int64)[packed.offset :][: len(packed) + 1]
    lengths = np.diff(offsets)
    hashes = np.zeros(len(packed), np.uint64)
    if len(packed) and lengths.any():
        data = np.frombuffer(packed.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        starts = offsets[:-1] - offsets[0]
        place = np.arange(len(data)) - np.repeat(starts, lengths)
        parts = _byte_table()[(place & 255) << 8 | data]
        if place.max() > 255:
            parts = _mix(parts ^ (place >> 8).astype(np.uint64))
        full = lengths > 0  # an empty text has no byte to sum from
        hashes[full] = np.add.reduceat(parts, starts[full])
    return _mix(hashes ^ lengths.astype(np.uint64))


@lru_cache(maxsize=1)
def _byte_table() -> Hashes:
    import numpy as np

    return _mix(np.arange(65_536, dtype=np.uint64))
