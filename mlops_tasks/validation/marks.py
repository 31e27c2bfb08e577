"""Which rows of a partition break which rule: one bit a row and rule, made when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bits = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]
    Positions = npt.NDArray[np.int64]

__all__ = ["RowMarks"]


class RowMarks:
    """The bad rows of a partition by reason, as bits.

    Parameters
    ----------
    n_rows : int
        Rows of the partition.

    Notes
    -----
    ``n_rows / 8`` bytes for every reason that applies to any row at all.

    Examples
    --------
    >>> marks = RowMarks(10)
    >>> marks.add("null:a", [1, 9])
    >>> marks.add("null:b", [9])
    >>> marks.counts(), marks.n_marked
    ({'null:a': 2, 'null:b': 1}, 2)
    >>> marks.bad(8, 2).tolist()
    [False, True]
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self._bits: dict[str, Bits] = {}

    def add(self, reason: str, positions: Positions | list[int]) -> None:
        """Mark rows; marking one again for the same reason changes nothing."""
        import numpy as np

        if not len(positions):
            return
        if reason not in self._bits:
            self._bits[reason] = np.zeros(-(-self.n_rows // 8), np.uint8)
        bits = self._bits[reason]
        where = np.asarray(positions, np.int64)
        first, last = int(where.min()) // 8, int(where.max()) // 8 + 1
        mask = np.zeros((last - first) * 8, np.bool_)
        mask[where - first * 8] = True
        bits[first:last] |= np.packbits(mask)

    def drop(self, reason: str) -> None:
        """Forget a reason: its rows are good after all."""
        self._bits.pop(reason, None)

    def rename(self, reason: str, into: str) -> None:
        """Give the rows of a reason another one, beside those that it may have already."""
        bits = self._bits.pop(reason, None)
        if bits is not None:
            other = self._bits.get(into)
            self._bits[into] = bits if other is None else bits | other

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each reason; a row may have several."""
        return {reason: _count(bits) for reason, bits in self._bits.items()}

    @property
    def n_marked(self) -> int:
        """Rows with at least one reason."""
        return _count(self._any(slice(None)))

    def n_marked_beyond(self, reason: str) -> int:
        """Count the rows with at least one reason other than this one."""
        return _count(self._any(slice(None), but=reason))

    def first(self, n: int) -> list[int]:
        """Return the positions of the first `n` rows of each reason, ascending, each row once."""
        import numpy as np

        found: set[int] = set()
        for bits in self._bits.values():
            start = np.flatnonzero(bits)[:n]  # each of these bytes has at least one
            rows = [8 * byte + bit for byte in start for bit in np.flatnonzero(_eight(bits[byte]))]
            found.update(int(row) for row in rows[:n])
        return sorted(found)

    def bad(self, start: int, n: int) -> Mask:
        """Return for `n` rows from `start` whether each has any reason."""
        return _unpacked(self._any(_bytes(start, n)), start, n)

    def reasons(self, start: int, n: int) -> list[str]:
        """Return the reasons of each bad row among `n` rows from `start`, joined by ``; ``."""
        import numpy as np

        where = np.flatnonzero(self.bad(start, n))
        texts: list[list[str]] = [[] for _ in where]
        for reason, bits in self._bits.items():
            marked = _unpacked(bits[_bytes(start, n)], start, n)[where]
            for row in np.flatnonzero(marked):
                texts[row].append(reason)
        return ["; ".join(text) for text in texts]

    def _any(self, part: slice, *, but: str = "") -> Bits:
        import numpy as np

        total = np.zeros(-(-self.n_rows // 8), np.uint8)[part]
        for reason, bits in self._bits.items():
            if reason != but:
                total |= bits[part]
        return total


def _bytes(start: int, n: int) -> slice:
    return slice(start // 8, -(-(start + n) // 8))


def _unpacked(bits: Bits, start: int, n: int) -> Mask:
    import numpy as np

    before = start % 8  # rows of the first byte that are not asked for
    return np.unpackbits(bits, count=before + n)[before:].astype(np.bool_)


def _eight(byte: np.uint8) -> Bits:
    import numpy as np

    return np.unpackbits(np.array([byte]))


def _count(bits: Bits) -> int:
    import numpy as np

    return int(np.bitwise_count(bits).sum())
