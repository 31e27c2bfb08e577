"""Model files that may be loaded: our allow-list, a digest of every file, nothing unpickled."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ALLOWED_TYPES", "check_types", "files_digest", "load_model"]

# Compiled or private classes that skops does not know, of the estimators people use. A model's own
# MLmodel also carries such a list; it is never believed, whoever wrote the model wrote it too.
ALLOWED_TYPES = frozenset(
    {
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
    }
)
_FLAVORS = {"sklearn", "python_function"}
_WEIGHTS = "model.skops"
_LOG_IT = "log the model with mlops_tasks.tracking, which saves plain skops files"
# Written by the download itself, so it differs between the trainer's copy and the loader's.
_NOT_OURS = {"registered_model_meta"}


def files_digest(folder: Path) -> str:
    """Return one digest over the names and contents of all files below `folder`.

    Parameters
    ----------
    folder : Path
        A downloaded model.

    Returns
    -------
    str
        SHA-256 over the sorted lines ``<sha256> <relative path>``, 64 hexadecimal characters.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_OURS]
    lines = sorted(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder).as_posix()}"
        for path in files
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check_types(model: Any) -> None:
    """Refuse to save a model that could not be loaded again under the allow-list.

    Parameters
    ----------
    model : estimator
        A fitted scikit-learn estimator.

    Raises
    ------
    UnsafeModelError
        If it holds a type outside `ALLOWED_TYPES`, by name.
    """
    import skops.io

    _refuse(skops.io.get_untrusted_types(data=skops.io.dumps(model)), "the fitted model")


def load_model(folder: Path, *, digest: str) -> Any:
    """Load a model after proving that it is the registered one and holds nothing else.

    Parameters
    ----------
    folder : Path
        The downloaded model, in a folder that nobody else writes to.
    digest : str
        `files_digest` of the model when it was registered.

    Returns
    -------
    estimator
        The fitted scikit-learn estimator.

    Raises
    ------
    UnsafeModelError
        If a file was changed, the description asks for other code, or the weights hold a type
        outside `ALLOWED_TYPES`. Nothing of the model has run by then.
    """
    import skops.io

    found = files_digest(folder)
    if found != digest:
        raise UnsafeModelError(
            f"model files have digest {found[:12]}, registered was {digest[:12]}: they were "
            "changed after registration. Do not use this version; roll back or train again"
        )
    _check_description(folder / "MLmodel")
    weights = folder / _WEIGHTS
    try:
        types = skops.io.get_untrusted_types(file=weights)
    except (OSError, BadZipFile, KeyError, TypeError, ValueError) as error:
        raise UnsafeModelError(f"{weights.name} is no skops file: {error!r}; {_LOG_IT}") from error
    _refuse(types, weights.name)
    return skops.io.load(weights, trusted=sorted(ALLOWED_TYPES))


def _check_description(path: Path) -> None:
    import yaml

    try:
        flavors: dict[str, Any] = dict(yaml.safe_load(path.read_text())["flavors"])
        sklearn, pyfunc = (dict(flavors.get(name, {})) for name in ("sklearn", "python_function"))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UnsafeModelError(f"{path.name} describes no model: {error!r}; {_LOG_IT}") from error
    wrong = [
        name
        for name, bad in (
            ("flavors", not set(flavors) <= _FLAVORS),
            ("loader_module", pyfunc.get("loader_module") != "mlflow.sklearn"),
            ("code", bool(sklearn.get("code") or pyfunc.get("code"))),
            ("serialization_format", sklearn.get("serialization_format") != "skops"),
            ("pickled_model", sklearn.get("pickled_model") != _WEIGHTS),
        )
        if bad
    ]
    if wrong:
        raise UnsafeModelError(
            f"{path.name} asks for something that is never loaded: {', '.join(wrong)}; {_LOG_IT}"
        )


def _refuse(types: list[str], what: str) -> None:
    extra = sorted(set(types) - ALLOWED_TYPES)
    if extra:
        raise UnsafeModelError(
            f"{what} holds types outside the allow-list: {extra}. Use estimators whose types are "
            "in mlops_tasks.modelfiles.ALLOWED_TYPES"
        )
