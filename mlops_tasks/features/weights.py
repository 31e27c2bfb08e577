"""The weight of each row in a fit, from a column of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.result import place

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.specs import EstimatorSpec

__all__ = ["row_weights"]


def row_weights(spec: EstimatorSpec, rows: pa.Table) -> npt.NDArray[np.float64] | None:
    """Return the weight of each row, or None if the model has no weights.

    Parameters
    ----------
    spec : EstimatorSpec
        The model.
    rows : Table
        From `labelled_rows`.

    Returns
    -------
    array of float64 of shape (n_rows,) or None
        Finite and at least 0, not all of them 0.

    Raises
    ------
    FeatureError
        If there is no such column of numbers, or a value is missing, negative or not finite.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.types as pt

    if spec.weight is None:
        return None
    where = f"{place(spec)}: weight {spec.weight!r}"
    if spec.weight not in rows.schema.names:
        raise FeatureError(f"{where} is no column of it; give it beside the features")
    kind = rows.schema.field(spec.weight).type
    if not (pt.is_integer(kind) or pt.is_floating(kind)):
        raise FeatureError(f"{where} is {kind}; make it a double (float64)")
    found = rows.column(spec.weight).cast(pa.float64(), safe=False)
    weights: npt.NDArray[np.float64] = found.to_numpy()  # a null is NaN
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = rows.slice(int(wrong.argmax()), 1).to_pylist()[0]
        raise FeatureError(
            f"{where} is missing, negative or infinite in {int(wrong.sum())} of {len(weights)} "
            f"rows, first { {key: row[key] for key in spec.key} } with {row[spec.weight]!r}; give "
            "each row a number of at least 0, and 0 to those that are not to count"
        )
    if not weights.any():
        raise FeatureError(f"{where} is 0 in all {len(weights)} rows: nothing would be learnt")
    return weights
