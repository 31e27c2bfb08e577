"""A trial before the fit: a few rows are fitted, saved, loaded and predicted."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.boosters import detached_boosters
from mlops_tasks.registry.modelfiles.description import WEIGHTS
from mlops_tasks.registry.modelfiles.extra_files import EXTRA_FILES, write_extra_files
from mlops_tasks.registry.modelfiles.golden_rows import model_answer, same_answers
from mlops_tasks.registry.modelfiles.inspection import inspect_weights
from mlops_tasks.registry.modelfiles.refusal import check_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["try_saving"]

# Few rows first; more where an estimator cannot be fitted on few: folds, neighbours, classes.
_SAMPLES = (150, 3000)
# A trial needs no good model: what only repeats the same work is cut down.
_REPETITIONS = ("max_iter", "n_estimators", "n_iter")
_FEW = 5


def try_saving(
    model: Any,
    frame: pd.DataFrame,
    target: npt.NDArray[Any],
    *,
    of_rows: Mapping[str, npt.NDArray[Any]] | None = None,
    package: str = "",
) -> int:
    """Refuse an estimator that could not be saved after its fit, in about a second.

    Parameters
    ----------
    model : estimator
        Unfitted; it stays so.
    frame : DataFrame of shape (n_samples, n_features)
        The rows of the real fit, of which a few are taken, all classes among them.
    target : array of shape (n_samples,)
        Their target.
    of_rows : mapping of str to array of shape (n_samples,), optional
        What the real fit is given beside, such as ``model__sample_weight``.
    package : str, optional
        Top-level package of the project.

    Returns
    -------
    int
        Rows that were fitted; 0 where the estimator could not be fitted on a few. Then only what
        it holds before the fit was looked at, and the fit itself will tell.

    Raises
    ------
    UnsafeModelError
        Naming the part that cannot be saved, why, and what to use instead.
    """
    import joblib
    from threadpoolctl import threadpool_limits

    with (
        warnings.catch_warnings(),
        joblib.parallel_config(backend="sequential"),
        threadpool_limits(1),  # so few rows are slower on many
    ):
        warnings.simplefilter("ignore")
        check_types(model, package)  # what it holds already: a lambda is found without a fit
        for n_rows in _SAMPLES:
            rows = _sample(model, target, n_rows)
            some = frame.iloc[rows]
            try:
                beside = {name: values[rows] for name, values in (of_rows or {}).items()}
                fitted = _cut_down(model).fit(some, target[rows], **beside)
                answer = model_answer(fitted, some)
            except MemoryError:
                raise
            except Exception:  # it may need more rows, or the real fit says what is wrong
                if len(rows) == len(frame):
                    break
                continue
            _save_and_compare(fitted, some, answer, package)
            return len(rows)
    return 0


def _save_and_compare(
    fitted: Any, some: pd.DataFrame, answer: npt.NDArray[Any], package: str
) -> None:
    import skops.io

    with tempfile.TemporaryDirectory(prefix="trial-") as name:
        folder = Path(name)
        (folder / EXTRA_FILES).mkdir()
        names = check_types(fitted, package)
        write_extra_files(fitted, folder / EXTRA_FILES, names)
        with detached_boosters(fitted):
            skops.io.dump(fitted, folder / WEIGHTS)
        again = inspect_weights(folder, names)
    try:
        same = same_answers(answer, model_answer(again, some))
    except Exception as error:
        raise UnsafeModelError(
            f"{type(fitted).__name__} cannot predict any more after it was saved and loaded "
            f"({type(error).__name__}: {error}): it keeps something outside of its attributes"
        ) from error
    if not same.all():
        raise UnsafeModelError(
            f"{type(fitted).__name__} predicts something else after it was saved and loaded, for "
            f"{int((~same).sum())} of {len(some)} rows: it keeps something outside of its "
            "attributes, or draws at random when it predicts"
        )


def _sample(model: Any, target: npt.NDArray[Any], n_rows: int) -> npt.NDArray[np.int64]:
    """Return positions of rows, evenly spaced; of a classifier the same number for each class."""
    import numpy as np
    import pandas as pd
    from sklearn.base import is_classifier

    if not is_classifier(model):
        return _spaced(np.arange(len(target)), n_rows)
    of_row, classes = pd.factorize(target)
    each = max(2, n_rows // max(len(classes), 1))
    chosen = [_spaced((of_row == number).nonzero()[0], each) for number in range(len(classes))]
    return np.sort(np.concatenate(chosen))


def _spaced(rows: npt.NDArray[np.int64], n_rows: int) -> npt.NDArray[np.int64]:
    import numpy as np

    if len(rows) <= n_rows:
        return rows
    return rows[np.linspace(0, len(rows) - 1, n_rows).astype(np.int64)]


def _cut_down(model: Any) -> Any:
    from sklearn.base import clone

    copy = clone(model)
    few = {
        name: _FEW
        for name, value in copy.get_params().items()
        if name.rpartition("__")[2] in _REPETITIONS and type(value) is int and value > _FEW
    }
    return copy.set_params(**few)
