"""Digest of a table's whole content, independent of row order and of how files are cut."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Hashes: TypeAlias = npt.NDArray[np.uint64]
    Rows: TypeAlias = pa.Table | pa.RecordBatch
    Fields: TypeAlias = tuple[tuple[str, str], ...]

__all__ = ["ContentDigest", "digest_table", "row_hashes"]

# Part of every digest: content digested by another definition never looks equal by chance.
_SCHEME = "content digest 2"
_LANES = 2
_SPREAD = 0x9E3779B97F4A7C15
_HALF = 32
_MASK = 2**64 - 1
_NAN = 0x7FF8000000000000
# Small enough for the few arrays of a chunk to stay in the processor's cache.
_CHUNK_ROWS = 32_768
_CHUNK_BYTES = 2**23
# The first words of each text are added place by place, quick while most texts have them.
_NEAR_WORDS = 8


class ContentDigest:
    """A running digest of rows that may arrive in any order, batch by batch.

    Notes
    -----
    All arithmetic is modulo 2**64, in two lanes that differ in their constants only. A number
    becomes its bit pattern ``x`` and then ``y = z ^ (z >> 32)``, where ``z`` is ``x`` times an odd
    constant, so that different numbers stay different; a text becomes two sums over its mixed
    8-byte words, one for each lane. A cell's
    part is ``y`` times an odd number drawn from SHA-like hashes of column name, type and lane; a
    null has a number of its own in each lane. The sum of a row's parts, mixed by splitmix64, is
    the row's hash, and a lane is the sum over all rows. Sums commute, so neither the order of rows
    or columns nor batch borders matter. One changed cell of a number always changes both lanes of
    its row; anything else goes unnoticed with a chance of about 2**-128. SHA-256 over scheme,
    names, types, row count and lanes is the digest. It guards against accident, not against an
    author who may choose rows freely. Nothing in it depends on a library's hash function.
    O(bytes), one batch in memory.

    References
    ----------
    Steele, Lea, Flood (2014), "Fast Splittable Pseudorandom Number Generators", OOPSLA.
    Lemire, Kaser (2014), "Strongly Universal String Hashing is Fast", The Computer Journal 57(11).

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
        self._lanes = [0] * _LANES
        self._fields: Fields | None = None

    def update(self, rows: Rows) -> None:
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
        fields = self._agree(_fields(rows.schema))
        for chunk in _chunks(rows):
            hashes = [_scratch(f"lane {lane}", chunk.num_rows) for lane in range(_LANES)]
            for values in hashes:
                values.fill(0)
            for name, kind in fields:
                for lane, part in enumerate(_cell_parts(chunk.column(name), name, kind)):
                    hashes[lane] += part
            for lane, values in enumerate(hashes):
                self._lanes[lane] = (self._lanes[lane] + _sum(_mix(values))) & _MASK
        self.n_rows += rows.num_rows

    def merge(self, other: ContentDigest) -> None:
        """Add the rows that another digest has seen, which may have run in another thread.

        Raises
        ------
        TypeError
            If it has seen other columns.
        """
        if other._fields is None:
            return
        self._agree(other._fields)
        self.n_rows += other.n_rows
        self._lanes = [(a + b) & _MASK for a, b in zip(self._lanes, other._lanes, strict=True)]

    def hexdigest(self) -> str:
        """Return the digest of all rows so far, 64 hexadecimal characters."""
        text = repr((_SCHEME, self._fields, self.n_rows, self._lanes))
        return hashlib.sha256(text.encode()).hexdigest()

    def _agree(self, fields: Fields) -> Fields:
        if self._fields is None:
            self._fields = fields
        elif self._fields != fields:
            raise TypeError(f"batch has columns {fields}, the digest began with {self._fields}")
        return fields


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


def row_hashes(rows: Rows) -> Hashes:
    """Return one 64-bit hash per row, in the rows' order; equal rows have equal hashes.

    Parameters
    ----------
    rows : Table or RecordBatch
        See `ContentDigest.update` for types and nulls.

    Returns
    -------
    array of uint64 of shape (n_rows,)
        Unequal rows have equal hashes with a chance of about 2**-64.
    """
    import numpy as np

    fields, hashes = _fields(rows.schema), [_zeros(0)]
    for chunk in _chunks(rows):
        total = _zeros(chunk.num_rows)
        for name, kind in fields:
            total += next(_cell_parts(chunk.column(name), name, kind))
        hashes.append(_mix(total))
    return np.concatenate(hashes)


def _cell_parts(column: pa.ChunkedArray | pa.Array, name: str, kind: str) -> Iterator[Hashes]:
    """Yield what each cell of a column adds to its row's hash, lane by lane.

    Each is valid until the next one is asked for: one piece of memory serves all lanes.
    """
    import numpy as np
    import pyarrow as pa

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    null = _is_null(whole) if whole.null_count else None
    part = _scratch("part", len(whole))
    patterns = _texts(whole) if kind == "string" else [_numbers(whole, kind, part)] * _LANES
    for lane, pattern in enumerate(patterns):
        factor, instead = _column_constants(name, kind, lane)
        np.multiply(pattern, factor, out=part)
        if null is not None:  # what lies below a null is anything
            np.copyto(part, instead, where=null)
        yield part


@lru_cache(maxsize=4096)
def _column_constants(name: str, kind: str, lane: int) -> tuple[np.uint64, np.uint64]:
    """Return the odd factor of a column's cells in one lane, and what its nulls count as."""
    import numpy as np

    raw = hashlib.blake2b(f"{name}\0{kind}\0{lane}".encode(), digest_size=16).digest()
    factor, null = int.from_bytes(raw[:8], "little") | 1, int.from_bytes(raw[8:], "little")
    return np.uint64(factor), np.uint64(null)


def _mix(values: Hashes) -> Hashes:
    """Apply splitmix64 in place: one bit changed changes half of all bits."""
    import numpy as np

    shifted = _scratch("shifted", len(values))
    values += np.uint64(_SPREAD)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        np.right_shift(values, np.uint64(shift), out=shifted)
        values ^= shifted
        if factor != 1:
            values *= np.uint64(factor)
    return values


def _chunks(rows: Rows) -> Iterator[Rows]:
    """Cut rows into pieces small in rows and in bytes: texts may be long."""
    n_rows = max(rows.num_rows, 1)
    step = min(_CHUNK_ROWS, max(n_rows * _CHUNK_BYTES // max(rows.nbytes, 1), 1))
    for start in range(0, rows.num_rows, step):
        yield rows.slice(start, step)


def _fields(schema: pa.Schema) -> Fields:
    return tuple((name, _kind(schema.field(name).type)) for name in sorted(schema.names))


def _kind(kind: pa.DataType) -> str:
    """Name the logical type, so that storage variants of one type (large strings) are equal."""
    import pyarrow.types as pt

    for name, belongs in (
        ("string", _is_text),
        ("int", pt.is_integer),
        ("float", pt.is_floating),
        ("bool", pt.is_boolean),
        ("time", lambda t: pt.is_timestamp(t) or pt.is_date(t)),
    ):
        if belongs(kind):
            return name
    raise TypeError(f"no digest for columns of type {kind}: cast to text, a number or a time first")


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    kind = kind.value_type if pt.is_dictionary(kind) else kind
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _numbers(column: pa.Array, kind: str, scratch: Hashes) -> Hashes:
    """Turn each number into its pattern, spread over all bits; anything where it is null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "float":
        bits = _scratch("bits", len(column))
        values = bits.view(np.float64)
        np.add(_values(pc.cast(column, pa.float64()), np.dtype(np.float64)), 0.0, out=values)
        nan = np.isnan(values)
        if nan.any():
            bits[nan] = _NAN
    else:
        whole = pc.cast(column, pa.timestamp("us")) if kind == "time" else column
        bits = _values(pc.cast(whole, pa.int64()), np.dtype(np.uint64))
    spread = _scratch("spread", len(column))
    np.multiply(bits, np.uint64(_SPREAD), out=spread)
    np.right_shift(spread, np.uint64(_HALF), out=scratch)
    spread ^= scratch
    return spread


def _values(column: pa.Array, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the 8-byte values of an array as they lie in memory, nulls not looked at."""
    import numpy as np

    return np.frombuffer(column.buffers()[1], kind, len(column), 8 * column.offset)


def _is_null(column: pa.Array) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    mask: npt.NDArray[np.bool_] = pc.is_null(column).to_numpy(zero_copy_only=False)
    return mask


def _texts(texts: pa.Array) -> list[Hashes]:
    """Turn each text into a pattern per lane: sums over its mixed words, and its length."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(texts.type):
        codes = pc.fill_null(texts.indices, 0).to_numpy(zero_copy_only=False)
        known = _texts(texts.dictionary) if len(texts.dictionary) else [_zeros(1)] * _LANES
        return [pattern.take(codes) for pattern in known]
    packed = pc.cast(texts, pa.large_binary())
    offsets = np.frombuffer(packed.buffers()[1], np.int64, len(packed) + 1, 8 * packed.offset)
    lengths = np.diff(offsets)
    data = np.zeros(offsets[-1] - offsets[0] + 8, np.uint8)  # the last word may reach beyond
    if len(data) > 8:
        data[:-8] = np.frombuffer(packed.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    sums = _word_sums(data, offsets[:-1] - offsets[0], lengths)
    spread = lengths.astype(np.uint64)
    for lane, total in enumerate(sums):
        total += spread * _column_constants("", "length", lane)[0]
    return sums


def _word_sums(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> list[Hashes]:
    """Sum over each text's words of 8 bytes: the mixed words, and their squares."""
    import numpy as np

    words = np.ndarray(len(data) - 7, "<u8", data, 0, (1,))  # one begins at every byte
    sums = [_zeros(len(starts)) for _ in range(_LANES)]
    some: Any = slice(None)
    longest = int(lengths.max(initial=0))
    for place in range(min((longest + 7) // 8, _NEAR_WORDS)):
        left = lengths[some] - 8 * place
        if left.min() <= 0:
            some = np.flatnonzero(lengths > 8 * place)
            left = lengths[some] - 8 * place
        parts = _words_at(words, starts, some, place)
        if left.min() < 8:
            parts = parts & _kept(left)
        parts = _mix(parts ^ np.uint64(place * _SPREAD % 2**64))
        for total in sums:
            total[some] += parts
            parts *= parts
    if longest > 8 * _NEAR_WORDS:
        _add_far_words(words, starts, lengths, sums)
    return sums


def _add_far_words(
    words: Hashes, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], sums: list[Hashes]
) -> None:
    """Add the words further on of long texts, those of all texts at once."""
    import numpy as np

    some = np.flatnonzero(lengths > 8 * _NEAR_WORDS)
    counts = ((lengths[some] + 7) >> 3) - _NEAR_WORDS
    ends = np.cumsum(counts)
    place = np.arange(ends[-1]) - np.repeat(ends - counts, counts) + _NEAR_WORDS
    left = np.repeat(lengths[some], counts) - 8 * place
    parts = words[np.repeat(starts[some], counts) + 8 * place] & _kept(left)
    parts = _mix(parts ^ (place.astype(np.uint64) * np.uint64(_SPREAD)))
    for total in sums:
        total[some] += np.add.reduceat(parts, ends - counts)
        parts *= parts


def _words_at(words: Hashes, starts: npt.NDArray[np.int64], some: Any, place: int) -> Hashes:
    """Return the word at one place of some texts; without looking each up if all are as long."""
    first, last = int(starts[0]) + 8 * place, int(starts[-1]) + 8 * place
    step = (last - first) // max(len(starts) - 1, 1)
    if isinstance(some, slice) and step and (starts[1:] - starts[:-1] == step).all():
        return words[first : last + 1 : step]
    found: Hashes = words[starts[some] + 8 * place]
    return found


def _kept(left: npt.NDArray[np.int64]) -> Hashes:
    """Return the mask of the bytes of a word that belong to the text."""
    import numpy as np

    masks = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
    kept: Hashes = masks[np.minimum(left, 8)]
    return kept


_MEMORY = threading.local()


def _scratch(use: str, n: int) -> Hashes:
    """Return an array to write to; each thread has one for each use: new memory is slow."""
    import numpy as np

    if n > _CHUNK_ROWS:
        return np.empty(n, np.uint64)
    kept: dict[str, Hashes] = _MEMORY.__dict__
    if use not in kept:
        kept[use] = np.empty(_CHUNK_ROWS, np.uint64)
    return kept[use][:n]


def _zeros(n: int) -> Hashes:
    import numpy as np

    return np.zeros(n, np.uint64)


def _sum(values: Hashes) -> int:
    import numpy as np

    return int(values.sum(dtype=np.uint64))
