"""The two samples that every contender gets: 15 number columns and 5 of texts, as Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["N_NUMBERS", "daily_table", "write_samples"]

N_NUMBERS = 15
_CARDINALITIES = (2, 5, 20, 100, 1000)
_ROW_GROUP = 131_072
#: Columns that drift, and by how many standard deviations.
_DRIFTED, _SHIFT = (0, 1, 5), 0.1


def write_samples(folder: Path, n_rows: int) -> tuple[Path, Path]:
    """Write a reference and a current sample.

    Parameters
    ----------
    folder : Path
        Where to.
    n_rows : int
        Rows of each.

    Returns
    -------
    tuple of Path
        Reference and current.
    """
    paths = folder / f"reference_{n_rows}.parquet", folder / f"current_{n_rows}.parquet"
    for seed, path in enumerate(paths):
        if not path.exists():
            random = np.random.default_rng(seed)
            table = _table(random, n_rows, N_NUMBERS, len(_CARDINALITIES), seed * _SHIFT)
            pq.write_table(table, path, row_group_size=_ROW_GROUP)
    return paths


def daily_table(day: int, n_rows: int, n_columns: int) -> pa.Table:
    """Return the rows of one day, a quarter of the columns texts.

    Parameters
    ----------
    day : int
        Seeds the values.
    n_rows, n_columns : int
        Size.

    Returns
    -------
    Table
        In memory.
    """
    random = np.random.default_rng(1000 + day)
    return _table(random, n_rows, n_columns * 3 // 4, n_columns - n_columns * 3 // 4, 0.0)


def _table(
    random: np.random.Generator, n_rows: int, n_numbers: int, n_texts: int, shift: float
) -> pa.Table:
    draws = (random.standard_normal, random.standard_exponential, random.random)
    columns = {
        f"number_{i:03d}": draws[i % 3](n_rows) + (shift if i in _DRIFTED else 0.0)
        for i in range(n_numbers)
    }
    for i in range(n_texts):
        size = _CARDINALITIES[i % len(_CARDINALITIES)]
        words = pa.array([f"value {j:04d}" for j in range(size)])
        chosen = np.minimum(random.exponential(size / 4, n_rows).astype(np.int32), size - 1)
        columns[f"text_{i:03d}"] = words.take(pa.array(chosen))
    return pa.table(columns)
