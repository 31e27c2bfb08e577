"""Arrow arrays as NumPy arrays and back, sharing memory.

Arrow's own ways (`to_numpy`, `pyarrow.array`) import pandas the first time, which takes longer than
to profile 100,000 rows and 60 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["integers", "texts", "valid", "view"]


def view(array: pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the values of an array of numbers, read-only; anything where it is null.

    The type must be as wide as that of the array.

    >>> import pyarrow as pa
    >>> view(pa.array([1, 2, 3]).slice(1), "int64").tolist()
    [2, 3]
    """
    import numpy as np

    kind = np.dtype(dtype)
    if not len(array):
        return np.zeros(0, kind)
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * kind.itemsize)


def valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return where an array that has nulls has none."""
    import numpy as np

    packed = np.frombuffer(array.buffers()[0], np.uint8)
    stop = array.offset + len(array)
    return np.unpackbits(packed, count=stop, bitorder="little")[array.offset :].astype(bool)


def integers(values: npt.NDArray[np.int64]) -> pa.Array:
    """Return a contiguous array as an Arrow array of int64."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def texts(values: Sequence[str]) -> pa.Array:
    """Return an Arrow array of texts, as large strings."""
    import numpy as np
    import pyarrow as pa

    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    buffers = (pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))
    return pa.LargeStringArray.from_buffers(len(encoded), *buffers)
