"""Can a classifier tell current rows from reference rows? Sees what no single column shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EmptyPartitionError, SchemaMismatchError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

__all__ = ["MIN_ROWS", "DomainResult", "domain_classifier_auc"]

_N_TREES = 100
#: Of each side: fewer teach a classifier nothing.
MIN_ROWS = 50
_MAX_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class DomainResult:
    """How well both sides can be told apart.

    Attributes
    ----------
    auc : float
        Area under the ROC curve on rows that the classifier had not seen, in [0, 1]; 0.5 is chance.
    standard_error : float
        Of the area without any drift.
    n_reference, n_current : int
        Rows looked at.
    importance : dict of str to float
        Share of each column in what the classifier found, largest first; they sum to 1.
    """

    auc: float
    standard_error: float
    n_reference: int
    n_current: int
    importance: dict[str, float]


def domain_classifier_auc(
    reference: pa.Table, current: pa.Table, *, max_rows: int = 5000, random_state: int = 0
) -> DomainResult:
    """Train a classifier to tell current rows from reference rows.

    Parameters
    ----------
    reference, current : Table
        Rows with the same columns, or data frames; numbers, booleans, times and texts. Missing
        values are values of their own. At least 50 rows each.
    max_rows : int, default 5000
        Rows taken from each side, without replacement.
    random_state : int, default 0
        Seed of the sample, the folds and the classifier.

    Returns
    -------
    DomainResult
        The same for the same rows and seed.

    Raises
    ------
    SchemaMismatchError
        If the columns differ.
    EmptyPartitionError
        If a side has fewer than 50 rows.

    Notes
    -----
    A random forest of 100 trees, each row scored by the trees that had not seen it; O(max_rows ·
    log(max_rows)). It reads rows, not profiles, and takes a second or so: it is asked where
    `DriftSpec.max_domain_auc` is set. Categories are numbers by their frequency; of more than 200
    the rare ones are one. Rows of one day resemble each other: an area of 0.55 is no alarm, one of
    0.8 is. The error without drift is that of the Mann–Whitney statistic,
    ``sqrt((n + m + 1) / (12 n m))``.

    References
    ----------
    Lopez-Paz, Oquab (2017), Revisiting classifier two-sample tests, ICLR.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> random = np.random.default_rng(0)
    >>> x, y = random.normal(size=(2, 400))
    >>> told = domain_classifier_auc(pa.table({"x": x, "y": x}), pa.table({"x": x, "y": y}))
    >>> told.auc > 0.8
    True
    """
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    sides = [_frame(side) for side in (reference, current)]
    _check(*sides)
    random = np.random.default_rng(random_state)
    sizes = [min(len(side), max_rows) for side in sides]
    y = np.repeat([0, 1], sizes)
    forest = RandomForestClassifier(
        _N_TREES, min_samples_leaf=5, oob_score=True, random_state=random_state
    ).fit(_matrix(sides, sizes, random), y)
    names = [str(name) for name in sides[0].columns]
    ranked = sorted(zip(names, forest.feature_importances_, strict=True), key=lambda pair: -pair[1])
    n, m = sizes
    return DomainResult(
        auc=float(roc_auc_score(y, forest.oob_decision_function_[:, 1])),
        standard_error=math.sqrt((n + m + 1) / (12 * n * m)),
        n_reference=n,
        n_current=m,
        importance={name: round(float(value), 4) for name, value in ranked},
    )


def _frame(side: Any) -> Any:
    return side.to_pandas() if hasattr(side, "to_pandas") else side


def _check(reference: Any, current: Any) -> None:
    if list(reference.columns) != list(current.columns):
        odd = sorted(set(reference.columns) ^ set(current.columns))
        raise SchemaMismatchError(
            f"reference and current rows differ in their columns or their order: {odd}; select the "
            "same columns of both"
        )
    if min(len(reference), len(current)) < MIN_ROWS:
        raise EmptyPartitionError(
            f"{len(reference)} reference and {len(current)} current rows: a classifier needs at "
            f"least {MIN_ROWS} of each; take a longer window"
        )


def _matrix(
    sides: list[Any], sizes: list[int], random: np.random.Generator
) -> npt.NDArray[np.float64]:
    import numpy as np
    import pandas as pd

    drawn = [
        side.iloc[random.choice(len(side), size, replace=False)]
        for side, size in zip(sides, sizes, strict=True)
    ]
    rows = pd.concat(drawn, ignore_index=True)
    return np.column_stack([_codes(rows[name]) for name in rows.columns])


def _codes(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    import numpy as np
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    missing = column.isna().to_numpy()
    if is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    if is_datetime64_any_dtype(column):
        return np.where(missing, np.nan, column.astype("int64").to_numpy(dtype=float))
    frequent = column.value_counts().index[:_MAX_CATEGORIES]
    codes = pd.Index(frequent).get_indexer(column).astype(float)
    return np.where(missing, np.nan, np.where(codes < 0, len(frequent), codes))
