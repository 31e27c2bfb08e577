"""Digest of a table's whole content, independent of row order and of how files are cut."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Hashes = npt.NDArray[np.uint64]

__all__ = ["ContentDigest", "digest_table"]

_NAN = 0x7FF8000000000000
_LANES = (b"lane-a", b"lane-b")


class ContentDigest:
    """A running digest of rows that may arrive in any order, batch by batch.

    Notes
    -----
    Each row becomes two 64-bit hashes (a chain of splitmix64 over its cells, seeded by column name
    and type); each lane is the sum of them modulo 2**64. Sums commute, so neither row order nor
    batch borders matter, while an added, lost or changed row moves them. SHA-256 over names,
    types, row count and sums is the digest. It guards against accident, not against an author who
    may choose rows freely. O(cells), one batch in memory.

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
        self._sums = [0, 0]
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

        names = sorted(rows.schema.names)
        fields = tuple((name, _kind(rows.schema.field(name).type)) for name in names)
        if self._fields is None:
            self._fields = fields
        elif self._fields != fields:
            raise TypeError(f"batch has columns {fields}, the digest began with {self._fields}")
        cells = {name: _cells(rows.column(name)) for name in names}
        nulls = {name: _is_null(rows.column(name)) for name in names}
        for lane, salt in enumerate(_LANES):
            row_hash = np.zeros(rows.num_rows, dtype=np.uint64)
            for name, kind in fields:
                cell_hash = _mix(cells[name] ^ _seed(salt, name, kind))
                # No value stands for a null: its hash differs from lane to lane.
                cell_hash[nulls[name]] = _seed(salt, name, "null")
                row_hash = _mix(row_hash + cell_hash)
            total = int(row_hash.sum(dtype=np.uint64))
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


def _seed(salt: bytes, name: str, kind: str) -> np.uint64:
    import numpy as np

    raw = hashlib.blake2b(f"{name}\0{kind}".encode(), key=salt, digest_size=8).digest()
    return np.uint64(int.from_bytes(raw, "little"))


def _mix(value: Hashes) -> Hashes:
    import numpy as np

    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


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


def _cells(column: pa.ChunkedArray | pa.Array) -> Hashes:
    """Turn one column into one 64-bit pattern per cell, anything where it is null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = _kind(column.type)
    if kind == "string":
        return _text_cells(column)
    if kind == "float":
        values = pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        bits = (values + 0.0).view(np.uint64).copy()  # adding zero turns -0.0 into 0.0
        bits[np.isnan(values)] = _NAN
    else:
        target = pa.timestamp("us") if kind == "time" else None
        whole = pc.cast(pc.cast(column, target) if target else column, pa.int64())
        bits = pc.fill_null(whole, 0).to_numpy(zero_copy_only=False).view(np.uint64)
    cells: Hashes = bits
    return cells


def _is_null(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    mask: npt.NDArray[np.bool_] = pc.is_null(column).to_numpy(zero_copy_only=False)
    return mask


def _text_cells(column: Any) -> Hashes:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = pc.dictionary_encode(whole)
    values = [
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
        for text in encoded.dictionary.to_pylist()
    ]
    table: Hashes = np.array([*values, 0], dtype=np.uint64)
    indices = pc.fill_null(encoded.indices, len(values)).to_numpy(zero_copy_only=False)
    cells: Hashes = table[indices]
    return cells
