"""A classifier that distinguishes current from reference rows: sees what no single column shows."""

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
    """How well both sides can be distinguished.

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
    """Train a classifier to distinguish current rows from reference rows.

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
    >>> found = domain_classifier_auc(pa.table({"x": x, "y": x}), pa.table({"x": x, "y": y}))
    >>> found.auc > 0.8
    True
    """
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    sides = [s.to_pandas() if hasattr(s, "to_pandas") else s for s in (reference, current)]
    _check(*sides)
    random = np.random.default_rng(random_state)
    drawn = [side.sample(min(len(side), max_rows), random_state=random) for side in sides]
    n, m = map(len, drawn)
    rows, y = pd.concat(drawn, ignore_index=True), np.repeat([0, 1], [n, m])
    forest = RandomForestClassifier(
        _N_TREES, min_samples_leaf=5, oob_score=True, random_state=random_state
    ).fit(np.column_stack([_codes(rows[name]) for name in rows]), y)
    found = zip(map(str, rows), forest.feature_importances_.tolist(), strict=True)
    return DomainResult(
        auc=float(roc_auc_score(y, forest.oob_decision_function_[:, 1])),
        standard_error=math.sqrt((n + m + 1) / (12 * n * m)),
        n_reference=n,
        n_current=m,
        importance={k: round(v, 4) for k, v in sorted(found, key=lambda pair: -pair[1])},
    )


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
