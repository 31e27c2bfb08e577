"""Which rows of a partition break which rule: one bit a row and rule, made when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bits = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]
    Positions = npt.NDArray[np.int64]

__all__ = ["RowFlags"]


class RowFlags:
    """The flagged rows of a partition by reason, in ``n_rows / 8`` bytes a reason.

    Examples
    --------
    >>> flags = RowFlags(10)
    >>> flags.add("null:a", [1, 9])
    >>> flags.add("null:b", [9])
    >>> flags.counts(), flags.n_flagged
    ({'null:a': 2, 'null:b': 1}, 2)
    >>> flags.mask(8, 2).tolist()
    [False, True]
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self._bits: dict[str, Bits] = {}

    def add(self, reason: str, positions: Positions | list[int]) -> None:
        """Flag rows; flagging one again for the same reason changes nothing."""
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

    def adopt(self, reason: str, other: RowFlags, other_reason: str) -> None:
        """Flag the rows that other flags have for a reason of theirs."""
        if (bits := other._bits.get(other_reason)) is not None:
            own = self._bits.get(reason)
            self._bits[reason] = bits if own is None else own | bits

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each reason; a row may have several."""
        return {reason: _count(bits) for reason, bits in self._bits.items()}

    @property
    def n_flagged(self) -> int:
        """Rows with at least one reason."""
        return _count(self._any(slice(None)))

    def n_flagged_beyond(self, reason: str) -> int:
        """Count the rows with at least one reason other than this one."""
        return _count(self._any(slice(None), but=reason))

    def first(self, n: int) -> list[int]:
        """Return the positions of the first `n` rows of each reason, ascending, each row once."""
        import numpy as np

        found: set[int] = set()
        for bits in self._bits.values():
            start = np.flatnonzero(bits)[:n]  # each of these bytes has at least one
            flagged = np.flatnonzero(np.unpackbits(bits[start]))[:n].tolist()
            found.update(8 * int(start[row // 8]) + row % 8 for row in flagged)
        return sorted(found)

    def mask(self, start: int, n: int) -> Mask:
        """Return for `n` rows from `start` whether each has any reason."""
        return _unpacked(self._any(_bytes(start, n)), start, n)

    def reasons(self, start: int, n: int) -> list[str]:
        """Return the reasons of each flagged row among `n` rows from `start`, joined by ``; ``."""
        import numpy as np

        where = np.flatnonzero(self.mask(start, n))
        texts: list[list[str]] = [[] for _ in where]
        for reason, bits in self._bits.items():
            flagged = _unpacked(bits[_bytes(start, n)], start, n)[where]
            for row in np.flatnonzero(flagged):
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


def _count(bits: Bits) -> int:
    import numpy as np

    return int(np.bitwise_count(bits).sum())
