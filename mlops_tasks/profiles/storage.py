"""The stored form of a profile: one compressed block of arrays behind a checked head."""

from __future__ import annotations

import json
import math
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.profiles.bridge import view

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Array = npt.NDArray[Any]

__all__ = ["FORMAT_VERSION", "pack", "text_arrays", "texts_of", "unpack"]

FORMAT_VERSION = 1
_MAGIC = b"MLOPSPRF"
#: Magic, version, CRC-32 of all that follows it, bytes of the block when decompressed.
_HEAD = struct.Struct("<8sHIQ")
_CHECKED = struct.calcsize("<8sHI")
_MAX_BYTES = 1 << 30
#: Sorted doubles: their differences have fewer bits than they.
_SORTED = "points"
#: So few numbers are put together in one step.
_FEW = 1024


def pack(facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """Write plain JSON and named arrays into one block.

    Parameters
    ----------
    facts : mapping of str to JSON
        Small.
    arrays : mapping of str to array
        Of any fixed-size type.

    Returns
    -------
    bytes
        What `unpack` reads.
    """
    import pyarrow as pa

    shapes = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    head = json.dumps({"facts": facts, "arrays": shapes}, separators=(",", ":")).encode()
    block = b"".join(
        [struct.pack("<I", len(head)), head, *(_planes(n, a) for n, a in arrays.items())]
    )
    packed: bytes = pa.Codec("zstd").compress(block, asbytes=True)
    checked = struct.pack("<Q", len(block)) + packed
    return struct.pack("<8sHI", _MAGIC, FORMAT_VERSION, zlib.crc32(checked)) + checked


def unpack(raw: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read what `pack` wrote.

    Parameters
    ----------
    raw : bytes
        All of it.

    Returns
    -------
    tuple of dict
        The facts, not to be changed, and the arrays.

    Raises
    ------
    DamagedTableError
        If it is no profile, of another version, or not what was written.
    """
    import numpy as np
    import pyarrow as pa

    block = np.frombuffer(
        pa.Codec("zstd").decompress(raw[_HEAD.size :], _checked_size(raw)), np.uint8
    )
    (length,) = struct.unpack_from("<I", block.data)
    facts, layout = _layout(block[4 : 4 + length].tobytes())
    start = 4 + length
    arrays = {}
    for name, kind, shape, size in layout:
        arrays[name] = _joined(name, block[start : start + size], kind).reshape(shape)
        start += size
    return facts, arrays


@lru_cache(maxsize=64)
def _layout(head: bytes) -> tuple[dict[str, Any], list[tuple[str, np.dtype[Any], list[int], int]]]:
    """Return the facts, and name, type, shape and bytes of each array; days often share them."""
    import numpy as np

    told = json.loads(head)
    kinds = [(name, np.dtype(kind), shape) for name, kind, shape in told["arrays"]]
    return told["facts"], [(*one, one[1].itemsize * math.prod(one[2])) for one in kinds]


def text_arrays(values: pa.Array) -> tuple[Array, Array]:
    """Turn texts into their lengths in bytes and all their bytes.

    Parameters
    ----------
    values : Array of large_string
        Without nulls.

    Returns
    -------
    tuple of array
        Lengths (int64), and all bytes (uint8).
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    raw = pc.cast(values, pa.large_binary())
    lengths = view(pc.binary_length(raw), np.int64)
    return lengths, np.frombuffer(b"".join(raw.to_pylist()), np.uint8)


def texts_of(lengths: Array, data: Array) -> pa.Array:
    """Return the texts that `text_arrays` took apart.

    Parameters
    ----------
    lengths, data : array
        From there.

    Returns
    -------
    Array of large_string
        The texts.
    """
    import numpy as np
    import pyarrow as pa

    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    buffers = (pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)))
    return pa.LargeStringArray.from_buffers(len(lengths), *buffers)


def _checked_size(raw: bytes) -> int:
    if len(raw) < _HEAD.size or not raw.startswith(_MAGIC):
        raise DamagedTableError(f"these {len(raw)} bytes are not a profile")
    _, version, crc, size = _HEAD.unpack_from(raw)
    if version != FORMAT_VERSION:
        raise DamagedTableError(
            f"the profile has format {version}, this program reads {FORMAT_VERSION}: profile the "
            "partition again, or use the program that wrote it"
        )
    if zlib.crc32(raw[_CHECKED:]) != crc or size > _MAX_BYTES:
        raise DamagedTableError("the profile is damaged: profile the partition again")
    return int(size)


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
