"""A version that is to be the champion again: does it prove to be what was registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.champions import mlflow_version

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["Verified", "verify_version"]


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
        different, n_rows = tracking.replay(version.model_uri, version.digest)
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
