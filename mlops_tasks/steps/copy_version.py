"""Copy a version from one environment to another: the same bytes, another registry and ledger."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.registry.artifacts import GATE_REPORT, PIN_FILE
from mlops_tasks.registry.copies import fetch_files, store_files
from mlops_tasks.registry.releases import ReleaseRequest

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Champion
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult

__all__ = ["copy_version", "request_of_copy"]


def copy_version(
    version: RegisteredVersion, *, source: Tracking, target: Tracking, origin: str
) -> TrainResult:
    """Copy a version's model and artifacts to another MLflow, to be registered there.

    Parameters
    ----------
    version : RegisteredVersion
        As the ledger of its environment knows it.
    source, target : Tracking
        MLflow of both environments.
    origin : str
        Where it comes from, in words.

    Returns
    -------
    TrainResult
        As a training in the target would return it. Both sides were compared with the ledger.

    Raises
    ------
    UnsafeModelError
        If a file is not what was registered, cannot be loaded here, or arrives as another one.
    """
    with tempfile.TemporaryDirectory(prefix="copy-") as name:
        fetch_files(version, Path(name), tracking=source)
        return store_files(version, Path(name), tracking=target, origin=origin)


def request_of_copy(
    version: RegisteredVersion,
    champion: Champion | None,
    *,
    tracking: Tracking,
    origin: str,
    author: str,
) -> ReleaseRequest:
    """Return the question that a copied version asks: no gate has judged it in this environment.

    Parameters
    ----------
    version : RegisteredVersion
        As this environment's ledger knows it.
    champion : Champion or None
        This environment's.
    tracking : Tracking
        This environment's.
    origin, author : str
        Where it comes from, and who has copied it.

    Returns
    -------
    ReleaseRequest
        With the verdict ``"ask"``.
    """
    pin = json.loads(tracking.read_artifact(version, PIN_FILE))
    return ReleaseRequest(
        version=version.version,
        verdict="ask",
        reason=f"it was copied from {origin}; no gate has judged it here",
        as_of=str(pin["as_of"]),
        champion_version=champion.version if champion else None,
        champion_generation=champion.generation if champion else 0,
        evidence=version.artifacts.get(GATE_REPORT, version.digest),
        author=author,
    )
