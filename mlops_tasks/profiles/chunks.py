"""One chunk of rows: each column is folded by itself, then the pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.profiles.correlations import Correlations
from mlops_tasks.profiles.streams import NumericStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.profiles.streams import CategoryStream, TimeStream

__all__ = ["Chunk"]


class Chunk:
    """Rows that are folded at once, column beside column.

    Parameters
    ----------
    rows : Table
        At least one row.
    streams : mapping of str to stream
        What the columns are folded into.
    correlated : tuple of str
        Numeric columns whose pairs are wanted.
    """

    def __init__(
        self,
        rows: pa.Table,
        streams: Mapping[str, NumericStream | TimeStream | CategoryStream],
        correlated: tuple[str, ...],
    ) -> None:
        import numpy as np

        self._rows, self._streams, self._names = rows, streams, correlated
        self._place = {name: i for i, name in enumerate(correlated)}
        self._z = np.empty((len(correlated), rows.num_rows))
        self._center = np.zeros(len(correlated))
        self._present: dict[int, npt.NDArray[np.bool_]] = {}

    def fold(self, name: str) -> None:
        """Fold one column into its stream."""
        import numpy as np

        stream, column = self._streams[name], self._rows.column(name).combine_chunks()
        if not isinstance(stream, NumericStream):
            stream.add(column)
            return
        place = self._place.get(name)
        z = np.empty(len(column)) if place is None else self._z[place]
        center, present = stream.add(column, z)
        if place is not None:
            self._center[place] = center
            if present is not None:
                self._present[place] = present

    def correlations(self) -> Correlations:
        """Return the moments of all pairs, once every column is folded."""
        import numpy as np

        present = None
        if self._present:
            present = np.ones_like(self._z)
            for place, mask in self._present.items():
                present[place] = mask
        return Correlations.of(self._names, self._center, self._z, present)
