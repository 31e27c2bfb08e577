"""Look into a model's files, step by step.

Files of strangers are looked into by a process that may die of it; see `examination`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.allowed import ALLOWED_TYPES, refuse_types
from mlops_tasks.registry.modelfiles.archive import check_archive
from mlops_tasks.registry.modelfiles.boosters import attach_boosters, check_booster_files
from mlops_tasks.registry.modelfiles.description import WEIGHTS, check_description
from mlops_tasks.registry.modelfiles.extra_files import EXTRA_FILES
from mlops_tasks.registry.modelfiles.files import plain_files
from mlops_tasks.registry.modelfiles.project_code import read_code
from mlops_tasks.registry.modelfiles.schema import check_nodes, read_nodes
from mlops_tasks.registry.modelfiles.structure import check_structure

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REFUSED", "inspect_model", "inspect_weights"]

REFUSED = 3  # exit code of the process that has inspected a model and refuses it

_SHOWN = 300
_VALUES = {"string": ["", "x", None], "boolean": [True, False, None]}
_NUMBERS = [0.0, -1e300, 1e300]


def inspect_model(folder: Path, project: frozenset[str] = frozenset()) -> None:
    """Refuse a model that is not what training saves; load it and let it predict.

    Parameters
    ----------
    folder : Path
        The downloaded model.
    project : frozenset of str, optional
        Classes and functions of the project that it may use, on the word of the training that has
        just saved it, or of a person. None are imported on the word of the model.

    Raises
    ------
    UnsafeModelError
        Naming what is wrong. A model that is bad enough ends the process instead.
    """
    plain_files(folder)
    inputs = check_description(folder / "MLmodel")
    _predict(inspect_weights(folder, project), inputs)


def inspect_weights(folder: Path, project: frozenset[str] = frozenset()) -> Any:
    """Load the weights of a model if they are what training saves."""
    check_archive(folder / WEIGHTS)
    if more := set(read_code(folder / EXTRA_FILES)) - project:
        raise UnsafeModelError(
            f"it uses {sorted(more)[:10]} of a project, which nobody vouches for: look at them, "
            "and name those that may be imported"
        )
    try:
        model = _load(folder / WEIGHTS, project)
        check_booster_files(model, folder / EXTRA_FILES)
        attach_boosters(model, folder / EXTRA_FILES)
    except UnsafeModelError:
        raise
    except MemoryError as error:
        raise UnsafeModelError(f"{WEIGHTS} needs more memory than a model of its size") from error
    except Exception as error:
        reason = repr(error)[:_SHOWN]
        raise UnsafeModelError(f"{WEIGHTS} is no skops file: {reason}") from error
    return model


def _load(path: Path, project: frozenset[str]) -> Any:
    import skops.io
    from sklearn.base import BaseEstimator

    refuse_types(skops.io.get_untrusted_types(file=path), path.name, project=project)
    try:
        check_nodes(read_nodes(path))
    except UnsafeModelError as error:
        raise UnsafeModelError(f"{path.name} is no plain skops file: {error}") from error
    model = skops.io.load(path, trusted=sorted(ALLOWED_TYPES | project))
    if not isinstance(model, BaseEstimator) or not callable(getattr(model, "predict", None)):
        raise UnsafeModelError(f"{path.name} holds a {type(model).__name__}, which is no model")
    check_structure(model)
    return model


def _predict(model: Any, inputs: list[dict[str, Any]]) -> None:
    """Predict some rows: what an honest model refuses is fine, what ends the process is not."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rows = pd.DataFrame(
                {one["name"]: _VALUES.get(str(one["type"]), _NUMBERS) for one in inputs}
            )
            model.predict(rows)
        except MemoryError as error:
            raise UnsafeModelError(f"{WEIGHTS} needs more memory than a model may") from error
        except Exception:  # noqa: S110 (a value the model was not fitted on, or no signature)
            pass
