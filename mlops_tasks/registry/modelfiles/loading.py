"""The only loader of model files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.allowed import ALLOWED_TYPES
from mlops_tasks.registry.modelfiles.boosters import attach_boosters
from mlops_tasks.registry.modelfiles.description import WEIGHTS
from mlops_tasks.registry.modelfiles.examination import examine_model
from mlops_tasks.registry.modelfiles.extra_files import EXTRA_FILES
from mlops_tasks.registry.modelfiles.files import files_digest
from mlops_tasks.registry.modelfiles.golden_rows import differing_rows
from mlops_tasks.registry.modelfiles.project_code import (
    changed_code,
    check_deployed,
    read_code,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["load_model"]

_log = logging.getLogger(__name__)


def load_model(folder: Path, *, digest: str, examined: bool = False) -> Any:
    """Load a model after proving that it is the one that is meant.

    Parameters
    ----------
    folder : Path
        The downloaded model, in a folder that nobody else writes to.
    digest : str
        `files_digest` of the model as the ledger has it, never as something beside the model says.
    examined : bool, default False
        Whether files of this digest were examined before: those of every version in the ledger
        were. Otherwise they are now, which takes a second or two.

    Returns
    -------
    estimator
        The fitted scikit-learn estimator.

    Raises
    ------
    UnsafeModelError
        If a file is not what was registered, or must not be loaded. Nothing of the model has run
        in this process by then. Also if the project's code has changed since and the golden rows
        say that it matters.
    """
    import skops.io

    found = files_digest(folder)
    if found != digest:
        raise UnsafeModelError(
            f"model files have digest {found[:12]}, registered was {digest[:12] or 'none'}: they "
            "were changed after registration. Do not use this version; roll back or train again"
        )
    if not examined:
        examine_model(folder)
    # Of files whose digest the ledger has: their training wrote it, or a person named the same.
    code = read_code(folder / EXTRA_FILES)
    check_deployed(code)
    for name in code:
        resolve(name)
    try:
        model = skops.io.load(folder / WEIGHTS, trusted=sorted(ALLOWED_TYPES | set(code)))
        attach_boosters(model, folder / EXTRA_FILES)
    except Exception as error:  # only where this version of a library differs from the examiner's
        raise UnsafeModelError(
            f"{WEIGHTS} cannot be loaded by the libraries that are installed here: {error!r}; "
            "train again with them"
        ) from error
    _check_code(model, code, folder)
    return model


def _check_code(model: Any, code: Mapping[str, str], folder: Path) -> None:
    """Replay the golden rows of a model if the project's code is not what it was trained with."""
    changed = changed_code(code)
    if not changed:
        return
    different, n_rows = differing_rows(model, folder / EXTRA_FILES)
    said = f"the code of {', '.join(changed)} is not what the model was trained with"
    if n_rows and not different:
        _log.info("%s; its %s golden rows get the same predictions, so it is used", said, n_rows)
        return
    why = f"{different} of {n_rows} golden rows get another prediction"
    if not n_rows:
        why = "it has no golden rows, which could tell whether that matters"
    raise UnsafeModelError(
        f"{said}, and {why}. "
        "Deploy the code of its training again, roll back, or train a new version with this code"
    )
