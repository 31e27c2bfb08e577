"""Numbers that are categories: a column profiled as numbers, read as categories."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.profiles.categories import CategoryProfile
from mlops_tasks.profiles.frequent_items import MAX_EXACT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.profiles.numeric import NumericProfile

    Floats = npt.NDArray[np.float64]

__all__ = ["categories_of", "single_precision"]


def categories_of(numbers: NumericProfile) -> CategoryProfile:
    """Read a column of numbers as one of categories, with the texts that this would have.

    Its points stand for all of its finite numbers; others are missing. Exact while the profile
    holds all numbers; else no count is off by more than `error`, and rare numbers may be missing.

    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> rows = pa.record_batch({"code": [3, 1, 3]})
    >>> dict(categories_of(Profile.of([rows], rows.schema).columns["code"]).counts)
    {'3': 2, '1': 1}
    """
    import numpy as np

    n, points = numbers.n_finite, numbers.sketch.points
    points = single_precision(points) + 0.0  # there is one zero
    values = np.unique(points)
    upto = np.searchsorted(points, values, side="right")
    # Rounded ranks, so that the rows add up.
    rows = np.diff(np.rint(upto * (n / max(len(points), 1))).astype(np.int64), prepend=0)
    names = _names(values)
    order = sorted(range(len(names)), key=lambda i: (-rows[i], names[i]))
    error = math.ceil(2 * numbers.sketch.slack)
    return CategoryProfile(
        n=numbers.n,
        n_null=numbers.n - n,
        counts={names[i]: int(rows[i]) for i in order if rows[i]},
        error=error,
        is_exact=not error and len(names) <= MAX_EXACT,
    )


def _names(values: Floats) -> list[str]:
    """Write numbers of `single_precision` as short as they can be, whole ones in full."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    is_single = single == values
    short, full = (
        pc.cast(
            pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(own)]), pa.string()
        ).to_pylist()
        for kind, own in ((pa.float32(), single), (pa.float64(), values))
    )
    whole = (np.rint(values) == values) & (np.abs(values) < 2.0**63)
    return [
        str(int(value)) if w else short[i] if is_single[i] else full[i]
        for i, (value, w) in enumerate(zip(values.tolist(), whole.tolist(), strict=True))
    ]


def single_precision(values: Floats) -> Floats:
    """Round finite numbers to about seven digits, which distinguish them; whole ones stay.

    >>> import numpy as np
    >>> a, b = single_precision(np.array([0.3, 0.1 + 0.2]))
    >>> bool(a == b)
    True
    >>> single_precision(np.array([4_006_381_333_931.0])).tolist()
    [4006381333931.0]
    """
    import numpy as np

    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32).astype(np.float64)
    return np.where(np.rint(values) == values, values, rounded)
