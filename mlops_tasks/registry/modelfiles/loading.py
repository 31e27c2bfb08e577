"""The only loader of model files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.allowed import ALLOWED_TYPES
from mlops_tasks.registry.modelfiles.description import WEIGHTS
from mlops_tasks.registry.modelfiles.examination import examine_model
from mlops_tasks.registry.modelfiles.files import files_digest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_model"]


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
        in this process by then.
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
    try:
        return skops.io.load(folder / WEIGHTS, trusted=sorted(ALLOWED_TYPES))
    except Exception as error:  # only where this version of a library differs from the examiner's
        raise UnsafeModelError(
            f"{WEIGHTS} cannot be loaded by the libraries that are installed here: {error!r}; "
            "train again with them"
        ) from error
