"""The rows that leaks are looked for in: few enough, the same each time, every class among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.features.build import feature_frame
from mlops_tasks.features.leaks.informedness import Classes
from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.problem_types import TARGET, problem_type

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.specs import EstimatorSpec

__all__ = ["LeakSample", "draw_sample", "first_by_hash"]

MAX_ROWS = 20_000
_FEWEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class LeakSample:
    """Rows whose label is known.

    Attributes
    ----------
    frame : DataFrame
        The features as an estimator gets them.
    classes : Classes
        Of the label; of numbers their fifths.
    numbers : list of array of float64 of shape (n_rows,)
        What columns could sum to.
    """

    frame: pd.DataFrame
    classes: Classes
    numbers: list[npt.NDArray[np.float64]]


def draw_sample(spec: EstimatorSpec, rows: pa.Table) -> LeakSample | None:
    """Draw at most 20,000 labelled rows, as many of each class, by the hashes of their keys.

    Parameters
    ----------
    spec : EstimatorSpec
        The model.
    rows : Table
        From `labelled_rows`.

    Returns
    -------
    LeakSample or None
        None if fewer than two classes have 10 rows: nothing can be told of them.
    """
    import numpy as np

    problem = problem_type(spec.problem_type)
    codes = problem.target_classes(rows.column(TARGET).to_numpy(zero_copy_only=False))
    sizes = np.bincount(codes, minlength=1)
    if (sizes >= _FEWEST).sum() < 2:
        return None
    ordered = np.lexsort((row_hashes(rows.select(list(spec.key or spec.features))), codes))
    place = np.arange(len(codes)) - (np.cumsum(sizes) - sizes)[codes[ordered]]
    quota = MAX_ROWS // int((sizes >= _FEWEST).sum())
    kept = (place < quota) & (sizes >= _FEWEST)[codes[ordered]]
    drawn = rows.take(ordered[kept])
    return LeakSample(
        frame=feature_frame(spec, drawn),
        classes=Classes(
            np.unique(codes[ordered][kept], return_inverse=True)[1], place[kept] % 2 == 1
        ),
        numbers=problem.target_numbers(drawn.column(TARGET).to_numpy(zero_copy_only=False)),
    )


def first_by_hash(spec: EstimatorSpec, rows: pa.Table) -> pa.Table:
    """Return at most 20,000 rows, by the hashes of their keys."""
    import numpy as np

    if rows.num_rows <= MAX_ROWS:
        return rows
    return rows.take(
        np.argsort(row_hashes(rows.select(list(spec.key or spec.features))))[:MAX_ROWS]
    )
