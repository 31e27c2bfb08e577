"""Counts of texts in bounded memory: all of them while they are few, then the frequent ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.profiles.zero_copy import integers, texts, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Counts = npt.NDArray[np.int64]

__all__ = ["MAX_EXACT", "FrequencyAccumulator", "FrequentItems"]

#: Of at most this many different values, every count is exact for ever.
MAX_EXACT = 1024
#: Of more, this many frequent ones are kept.
_MAX_FREQUENT = 256
#: While a partition streams by, this many.
_STREAM_VALUES = 8192


@dataclass(frozen=True, slots=True, eq=False)
class FrequentItems:
    """Values with their counts, the most frequent first.

    Attributes
    ----------
    values : Array of large_string
        Different values.
    counts : array of int64
        Rows of each.
    error : int
        No value has more rows than its count, or 0 when it is not there, plus this.
    is_exact : bool
        Whether all values are here.

    Notes
    -----
    A value is dropped only when it is not more frequent than the ``limit + 1``-th, whose count c
    is added to `error`; among n rows c is under ``n / limit``. Counts are never changed, unlike
    those of Misra and Gries, so that shares of frequent values stay comparable between windows.
    """

    values: pa.Array
    counts: Counts
    error: int = 0
    is_exact: bool = True

    @classmethod
    def merged(cls, parts: Sequence[FrequentItems], limit: int = _MAX_FREQUENT) -> FrequentItems:
        """Count the union of rows; of more than `MAX_EXACT` values, at most `limit` are kept.

        The result is the same whatever the order of the parts.
        """
        import numpy as np
        import pyarrow as pa

        encoded = pa.concat_arrays([part.values for part in parts]).dictionary_encode()
        weights = np.concatenate([part.counts for part in parts])
        values = encoded.dictionary
        counts = _sums(encoded.indices, weights, len(values))
        error = sum(part.error for part in parts)
        if len(values) <= MAX_EXACT and all(part.is_exact for part in parts):
            return cls(*_sorted(values, counts), error)
        cut = _cut(counts, limit)
        kept = counts > cut
        values, counts = _sorted(values.take(integers(np.flatnonzero(kept))), counts[kept])
        return cls(values, counts, error + cut, is_exact=False)


class FrequencyAccumulator:
    """Count the values of batches as they come."""

    def __init__(self) -> None:
        import numpy as np

        self._sum = FrequentItems(texts([]), np.zeros(0, np.int64))

    def add(self, values: pa.Array, counts: Counts) -> None:
        """Add the different values of a batch with their counts."""
        self._sum = FrequentItems.merged([self._sum, FrequentItems(values, counts)], _STREAM_VALUES)

    def finish(self) -> FrequentItems:
        """Return the counts, few enough to be stored."""
        return FrequentItems.merged([self._sum])


def _sums(indices: pa.Array, weights: Counts, size: int) -> Counts:
    import numpy as np

    at = view(indices, np.int32)
    # Doubles add integers exactly up to 2**53.
    return np.bincount(at, weights=weights, minlength=size).astype(np.int64)


def _cut(counts: Counts, limit: int) -> int:
    """Return the largest count that must go so that at most `limit` values stay."""
    import numpy as np

    if len(counts) <= limit:
        return 0
    return int(np.partition(counts, len(counts) - limit - 1)[len(counts) - limit - 1])


def _sorted(values: pa.Array, counts: Counts) -> tuple[pa.Array, Counts]:
    """Order by falling count and then by value, so that equal content looks equal."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.table([values, integers(counts)], ["value", "count"])
    order = pc.sort_indices(table, sort_keys=[("count", "descending"), ("value", "ascending")])
    return values.take(order), counts[view(order, np.uint64).astype(np.intp)]
