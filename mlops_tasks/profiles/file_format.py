"""The stored form of a profile: one compressed block of arrays behind a checked head."""

from __future__ import annotations

import json
import math
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profiles.categories import CategoryColumns
from mlops_tasks.profiles.numeric import COUNTS, MOMENTS, NumericColumns
from mlops_tasks.profiles.zero_copy import view

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Array = npt.NDArray[Any]

__all__ = ["FORMAT_VERSION", "decode", "encode"]

FORMAT_VERSION = 2
_MAGIC = b"MLOPSPRF"
#: Magic, version, CRC-32 of all that follows it, bytes of the block when decompressed.
_HEAD = struct.Struct("<8sHIQ")
_CHECKED = struct.calcsize("<8sHI")
_MAX_BYTES = 1 << 30
#: Sorted doubles: their differences have fewer bits than they.
_SORTED = "points"
#: Fewer numbers than these are put together in one step.
_FEW = 1024
#: What version 1 had in its tables, among much that nothing read.
_COUNTS_1 = ("n", "n_null", "n_nan", "n_pos_inf", "n_neg_inf", "n_rounded", "n_finite")
_MOMENTS_1 = ("mean", "second", "third", "slack", "minimum", "maximum")
_N_CATEGORY_COUNTS_1 = 4


def encode(
    n_rows: int, order: tuple[str, ...], numbers: NumericColumns, categories: CategoryColumns
) -> bytes:
    """Return the stored form of the parts of a profile, for `decode`."""
    lengths, data = _bytes_of(categories.values)
    facts = {
        "n_rows": n_rows,
        "order": order,
        "numbers": numbers.names,
        "categories": categories.names,
    }
    arrays = {
        "is_time": numbers.is_time,
        "counts": numbers.counts,
        "moments": numbers.moments,
        "sizes": numbers.sizes,
        "points": numbers.points,
        "text_counts": categories.counts,
        "text_sizes": categories.sizes,
        "lengths": lengths,
        "data": data,
        "rows": categories.rows,
    }
    return _pack(facts, arrays)


def decode(raw: bytes) -> tuple[int, tuple[str, ...], NumericColumns, CategoryColumns]:
    """Return what `encode` was given, if nothing was damaged and the version is not newer."""
    version, facts, a = _unpack(raw)
    if version == 1:
        a = _of_version_1(a)
    numbers = (a["is_time"], a["counts"], a["moments"], a["sizes"], a["points"])
    categories = (a["text_counts"], a["text_sizes"], _texts_of(a["lengths"], a["data"]), a["rows"])
    return (
        facts["n_rows"],
        tuple(facts["order"]),
        NumericColumns(tuple(facts["numbers"]), *numbers),
        CategoryColumns(tuple(facts["categories"]), *categories),
    )


def _of_version_1(arrays: dict[str, Array]) -> dict[str, Array]:
    """Take what is still read from the arrays of version 1."""
    import numpy as np

    counts = arrays["counts"][:, [_COUNTS_1.index(name) for name in COUNTS]]
    moments = arrays["moments"][:, [_MOMENTS_1.index(name) for name in MOMENTS]]
    # The first and last moment of times lay apart, and what had no value had 0.
    has_none = counts[:, COUNTS.index("n_finite"), None] == 0
    ends = np.where(has_none, np.nan, arrays["bounds"])
    moments[:, -2:] = np.where(arrays["is_time"][:, None], ends, moments[:, -2:])
    text_counts = np.ascontiguousarray(arrays["text_counts"][:, :_N_CATEGORY_COUNTS_1])
    return arrays | {"counts": counts, "moments": moments, "text_counts": text_counts}


def _pack(facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """Write plain JSON and named arrays into one block."""
    import pyarrow as pa

    shapes = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    head = json.dumps({"facts": facts, "arrays": shapes}, separators=(",", ":")).encode()
    block = b"".join(
        [struct.pack("<I", len(head)), head, *(_planes(n, a) for n, a in arrays.items())]
    )
    packed: bytes = pa.Codec("zstd").compress(block, asbytes=True)
    checked = struct.pack("<Q", len(block)) + packed
    return struct.pack("<8sHI", _MAGIC, FORMAT_VERSION, zlib.crc32(checked)) + checked


def _unpack(raw: bytes) -> tuple[int, dict[str, Any], dict[str, Array]]:
    """Return the version, the facts, which are not to be changed, and the arrays."""
    import numpy as np
    import pyarrow as pa

    version, size = _checked_head(raw)
    block = np.frombuffer(pa.Codec("zstd").decompress(raw[_HEAD.size :], size), np.uint8)
    (length,) = struct.unpack_from("<I", block.data)
    facts, layout = _layout(block[4 : 4 + length].tobytes())
    start = 4 + length
    arrays = {}
    for name, kind, shape, size in layout:
        arrays[name] = _joined(name, block[start : start + size], kind).reshape(shape)
        start += size
    return version, facts, arrays


@lru_cache(maxsize=64)
def _layout(head: bytes) -> tuple[dict[str, Any], list[tuple[str, np.dtype[Any], list[int], int]]]:
    """Return the facts, and name, type, shape and bytes of each array; days often share them."""
    import numpy as np

    written = json.loads(head)
    kinds = [(name, np.dtype(kind), shape) for name, kind, shape in written["arrays"]]
    return written["facts"], [(*one, one[1].itemsize * math.prod(one[2])) for one in kinds]


def _bytes_of(values: pa.Array) -> tuple[Array, Array]:
    """Return the lengths of texts in bytes (int64), and all their bytes (uint8)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    raw = pc.cast(values, pa.large_binary())
    lengths = view(pc.binary_length(raw), np.int64)
    return lengths, np.frombuffer(b"".join(raw.to_pylist()), np.uint8)


def _texts_of(lengths: Array, data: Array) -> pa.Array:
    """Return the texts of `_bytes_of`, as large strings."""
    import numpy as np
    import pyarrow as pa

    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    buffers = (pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)))
    return pa.LargeStringArray.from_buffers(len(lengths), *buffers)


def _checked_head(raw: bytes) -> tuple[int, int]:
    """Return the version, and the size of the block."""
    if len(raw) < _HEAD.size or not raw.startswith(_MAGIC):
        raise DamagedTableError(f"these {len(raw)} bytes are not a profile")
    _, version, crc, size = _HEAD.unpack_from(raw)
    if not 1 <= version <= FORMAT_VERSION:
        raise DamagedTableError(
            f"the profile has format {version}, this program reads formats up to {FORMAT_VERSION}: "
            "profile the partition again, or use the program that wrote it"
        )
    if zlib.crc32(raw[_CHECKED:]) != crc or size > _MAX_BYTES:
        raise DamagedTableError("the profile is damaged: profile the partition again")
    return version, size


def _planes(name: str, array: Array) -> bytes:
    """Lay the first bytes of all numbers side by side, then the second: they repeat themselves."""
    import numpy as np

    flat = np.ascontiguousarray(array).reshape(-1)
    if name == _SORTED:
        flat = np.diff(flat.view(np.int64), prepend=0)
    return flat.view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()


def _joined(name: str, planes: Array, kind: np.dtype[Any]) -> Array:
    import numpy as np

    rows = planes.reshape(kind.itemsize, -1)
    if rows.shape[1] < _FEW:
        table = np.array(rows.T, order="C")  # never a view: it would keep the whole block
    else:
        table = np.empty(rows.shape[::-1], np.uint8)
        for place, plane in enumerate(rows):
            table[:, place] = plane  # of many, twice as fast as a transposed copy
    flat = table.reshape(-1)
    if name == _SORTED:
        return np.cumsum(flat.view(np.int64)).view(kind)
    return flat.view(kind)
