"""Parts of labelled rows: which ones are learnt from, by a hash of their key or by their moment."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.lake import RandomSplit
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["is_between", "is_held_out", "split_part"]

_BETWEEN = "\x1f"  # no key holds the unit separator


def split_part(spec: EstimatorSpec, rows: pa.Table, split: RandomSplit, *, learn: bool) -> pa.Table:
    """Return the rows of a random split that are learnt from, or those that are not.

    Parameters
    ----------
    spec : EstimatorSpec
        The model; of one without a key, all features of a row are its key.
    rows : Table
        With the key.
    split : RandomSplit
        The split of the pin.
    learn : bool
        Which of the two parts.

    Returns
    -------
    Table
        In the same order.
    """
    import pyarrow as pa

    held_out = is_held_out(spec, rows, split)
    return rows.filter(pa.array(~held_out if learn else held_out))


def is_held_out(spec: EstimatorSpec, rows: pa.Table, split: RandomSplit) -> npt.NDArray[np.bool_]:
    """Return for each row whether a random split keeps it from the training.

    Parameters
    ----------
    spec, rows, split
        As for `split_part`.

    Returns
    -------
    array of bool, shape (n_rows,)
        Equal for equal keys, on every machine and whatever the other rows are.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = spec.key or (*spec.features, spec.as_of)
    names = [name for name in dict.fromkeys(wanted) if name in rows.column_names]
    texts = [pc.cast(rows.column(name), pa.string()) for name in names]
    keys: Any = pc.binary_join_element_wise(
        *texts, _BETWEEN, null_handling="replace", null_replacement="\x00"
    )
    seed = split.seed.to_bytes(16, "big")
    return np.fromiter(
        (_number(key, seed) % split.one_in == 0 for key in keys.to_pylist()), bool, rows.num_rows
    )


def is_between(
    spec: EstimatorSpec, rows: pa.Table, first: datetime | None, end: datetime | None
) -> npt.NDArray[np.bool_]:
    """Return for each row whether its own moment lies from an instant on, and before another.

    Parameters
    ----------
    spec : EstimatorSpec
        The model, which names the column.
    rows : Table
        With it.
    first, end : datetime or None
        Aware; None where there is no bound.

    Returns
    -------
    array of bool, shape (n_rows,)
        One for each row.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = rows.column(spec.as_of)
    found = np.ones(rows.num_rows, dtype=bool)
    for bound, compare in ((first, pc.greater_equal), (end, pc.less)):
        if bound is not None:
            answer = compare(moments, pa.scalar(bound, moments.type))
            found &= answer.to_numpy(zero_copy_only=False).astype(bool)
    return found


def _number(key: str, seed: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, salt=seed).digest(), "big")
