"""Golden rows: a few rows and what a model predicted for them when it was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["GOLDEN_ROWS", "differing_rows", "model_answer", "same_answers", "write_golden_rows"]

GOLDEN_ROWS = "golden_rows.arrow"
_ANSWER = "mlops_answer_"
_MOST_ROWS = 20
_MOST_BYTES = 64 * 2**20
_RELATIVE = 1e-9  # sums of floating numbers differ by less between machines


def model_answer(model: Any, rows: pd.DataFrame) -> npt.NDArray[Any]:
    """Return what a model says of rows: probabilities, or what it predicts where it has none.

    Parameters
    ----------
    model : estimator
        Fitted.
    rows : DataFrame of shape (n_samples, n_features)
        As it was fitted on.

    Returns
    -------
    array of shape (n_samples,) or (n_samples, n_classes)
        The answers.
    """
    import numpy as np

    ask = getattr(model, "predict_proba", None) or model.predict
    return np.asarray(ask(rows))


def same_answers(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return for each row whether two answers are the same; floating numbers may round.

    Parameters
    ----------
    one, other : array of shape (n_samples,) or (n_samples, n_classes)
        From `model_answer`.

    Returns
    -------
    array of bool of shape (n_samples,)
        All false where they are not of the same shape.
    """
    import numpy as np

    if one.shape != other.shape:
        return np.zeros(len(one), dtype=bool)
    both = one.reshape(len(one), -1), other.reshape(len(other), -1)
    if all(answer.dtype.kind == "f" for answer in both):
        same = np.isclose(*both, rtol=_RELATIVE, atol=0, equal_nan=True)
    else:
        same = np.asarray(both[0] == both[1])
    return np.asarray(same.all(axis=1))


def write_golden_rows(
    model: Any, rows: pd.DataFrame, folder: Path, *, personal: Collection[str] = ()
) -> Path | None:
    """Keep some rows and the model's answers to them.

    Parameters
    ----------
    model : estimator
        Fitted.
    rows : DataFrame
        As the model sees them.
    folder : Path
        Where the file goes.
    personal : collection of str, optional
        Columns that are kept empty; the answers are those to rows without them.

    Returns
    -------
    Path or None
        The file; None where the model answers no rows without the personal columns, or where
        rows of these types cannot be kept as they are.
    """
    some = rows.iloc[:: max(1, len(rows) // _MOST_ROWS)].head(_MOST_ROWS).reset_index(drop=True)
    kept = some.assign(**{name: None for name in personal if name in some.columns})
    kept = kept.astype({name: some[name].dtype for name in kept.columns})
    try:
        content = _packed(kept, model_answer(model, kept))
        if _differing(model, content) != (0, len(kept)):
            return None
    except Exception:  # a model that needs those columns, or a type that Arrow has not
        return None
    path = folder / GOLDEN_ROWS
    path.write_bytes(content)
    return path


def differing_rows(model: Any, folder: Path) -> tuple[int, int]:
    """Replay the golden rows of a model; return how many get another answer, and of how many.

    There may be none: the second number is 0 then.
    """
    path = folder / GOLDEN_ROWS
    if not path.exists():
        return 0, 0
    if path.stat().st_size > _MOST_BYTES:
        raise UnsafeModelError(f"{path.name} is larger than {_MOST_BYTES // 2**20} MiB")
    return _differing(model, path.read_bytes())


def _differing(model: Any, content: bytes) -> tuple[int, int]:
    rows, expected = _unpacked(content)
    try:
        found = model_answer(model, rows)
    except Exception:  # code that has changed may fail with anything
        return len(rows), len(rows)
    same = same_answers(expected, found.reshape(len(rows), -1))
    return int((~same).sum()), len(rows)


def _packed(rows: pd.DataFrame, answer: npt.NDArray[Any]) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pandas(rows, preserve_index=False)
    for number, column in enumerate(answer.reshape(len(answer), -1).T):
        table = table.append_column(f"{_ANSWER}{number}", pa.array(column))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _unpacked(content: bytes) -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    import numpy as np
    import pyarrow as pa

    table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
    names = [name for name in table.column_names if name.startswith(_ANSWER)]
    rows: pd.DataFrame = table.drop_columns(names).to_pandas()
    answers = [table.column(name).to_numpy(zero_copy_only=False) for name in names]
    return rows, np.column_stack(answers)
