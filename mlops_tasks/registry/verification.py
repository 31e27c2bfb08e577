"""A version that is to be the champion again: does it prove to be what was registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.champions import mlflow_version
from mlops_tasks.registry.modelfiles import load_model
from mlops_tasks.registry.modelfiles.extra_files import EXTRA_FILES
from mlops_tasks.registry.modelfiles.golden_rows import differing_rows

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["Verified", "replay_golden_rows", "verify_version"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared: the digest of the model's files, its artifacts, its golden rows."""

    digest: str
    artifacts: tuple[str, ...]
    golden_rows: int


def verify_version(version: RegisteredVersion, *, tracking: Tracking) -> Verified:
    """Prove that a version is what was registered and predicts what it did then.

    Parameters
    ----------
    version : RegisteredVersion
        As the ledger knows it.
    tracking : Tracking
        Where its files are.

    Returns
    -------
    Verified
        What was compared.

    Raises
    ------
    UnknownVersionError
        If MLflow does not have it any more.
    UnsafeModelError
        If a file is not what was registered, or a golden row gets another prediction.
    """
    mlflow_version(version.name, version.version, tracking=tracking)
    who = f"version {version.version} of {version.name!r}"
    try:
        different, n_rows = replay_golden_rows(version, tracking=tracking)
    except UnsafeModelError as error:
        raise UnsafeModelError(f"{who}: {error}") from error
    if different:
        raise UnsafeModelError(
            f"{who}: {different} of {n_rows} golden rows get another prediction than when it was "
            "registered, so the libraries or the code here are others. Deploy those of its "
            "training again, or choose another version"
        )
    for name in sorted(version.artifacts):
        tracking.read_artifact(version, name)
    return Verified(version.digest, tuple(sorted(version.artifacts)), n_rows)


def replay_golden_rows(version: RegisteredVersion, *, tracking: Tracking) -> tuple[int, int]:
    """Load a version, and ask it for its golden rows again.

    Parameters
    ----------
    version : RegisteredVersion
        As the ledger knows it.
    tracking : Tracking
        Where its files are.

    Returns
    -------
    tuple of (int, int)
        How many rows get another prediction than when it was saved, and how many there are.
    """
    with tracking.downloaded(version.model_uri) as folder:
        model = load_model(folder, digest=version.digest, examined=True)
        return differing_rows(model, folder / EXTRA_FILES)
