"""The digest of what a model is: equal for an exact retraining, whose files never are.

The files hold addresses of memory, times and random names. What the model computes with does not.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from mlops_tasks.registry.modelfiles.description import WEIGHTS
from mlops_tasks.registry.modelfiles.extra_files import EXTRA_FILES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

__all__ = ["content_digest"]

_SCHEMA = "schema.json"
_BOOSTERS = ("lightgbm-", "xgboost-")
# Of a schema: where an object was in memory, and who wrote it how.
_STAMPS = {"__id__", "_skops_version", "protocol"}
# Of estimators: how long a search took, and where a vectorizer's list of words was in memory.
_STAMPED_ATTRIBUTES = {
    "_stop_words_id",
    "mean_fit_time",
    "mean_score_time",
    "refit_time_",
    "std_fit_time",
    "std_score_time",
}


def content_digest(folder: Path) -> str:
    """Return one digest over what a model computes with.

    Parameters
    ----------
    folder : Path
        A downloaded model that was examined: it is believed to be what training writes.

    Returns
    -------
    str
        SHA-256 over classes, parameters, learned arrays and boosters. Not part of it: addresses,
        names and times in the archive, which object two parts share, padding between the fields of
        an array, bits of a NaN, the order of a set, times of a search, MLflow's
        description, golden rows.
    """
    with ZipFile(folder / WEIGHTS) as archive:
        arrays = {
            name: _array_digest(name, archive.read(name))
            for name in archive.namelist()
            if name != _SCHEMA
        }

        def plain(state: dict[str, Any]) -> dict[str, Any]:
            return _without_stamps(state, arrays)

        schema = json.loads(archive.read(_SCHEMA), object_hook=plain)
    lines = [hashlib.sha256(json.dumps(schema).encode()).hexdigest()]
    for path in sorted((folder / EXTRA_FILES).glob("*")):
        if path.name.startswith(_BOOSTERS):
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _without_stamps(state: dict[str, Any], arrays: dict[str, str]) -> dict[str, Any]:
    """Return one object of a schema, in which all inner ones are without stamps already."""
    kept = {name: value for name, value in state.items() if name not in _STAMPS}
    if "__loader__" in state and state.get("file") in arrays:
        kept["file"] = arrays[state["file"]]
    if state.get("__loader__") == "SetNode":
        kept["content"] = sorted(state["content"], key=json.dumps)
    if state.get("__loader__") == "DictNode":
        items = state["content"].items()
        kept["content"] = {name: one for name, one in items if name not in _STAMPED_ATTRIBUTES}
    return kept


def _array_digest(name: str, content: bytes) -> str:
    import numpy as np

    digest = hashlib.sha256()
    if name.endswith(".npy"):
        _add(digest, np.load(io.BytesIO(content), allow_pickle=False))
    elif name.endswith(".npz"):  # a sparse matrix
        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            for part in sorted(parts.files):
                digest.update(f"{part}\n".encode())
                _add(digest, parts[part])
    else:
        digest.update(content)
    return digest.hexdigest()


def _add(digest: Any, array: npt.NDArray[Any]) -> None:
    """Add the values of an array, whatever lies between them in memory."""
    if array.dtype.names:
        for name in array.dtype.names:
            digest.update(f"field {name}\n".encode())
            _add(digest, array[name])
        return
    digest.update(f"{array.dtype.str} {array.shape}\n".encode())
    digest.update(_canonical(array).tobytes())


def _canonical(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import numpy as np

    if array.dtype.kind not in "fc":
        return array
    missing: npt.NDArray[np.bool_] = np.isnan(array)
    return np.where(missing, np.array(np.nan, array.dtype), array) if missing.any() else array
