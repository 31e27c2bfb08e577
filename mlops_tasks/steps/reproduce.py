"""Reproduce: a registered version is trained again from its record, elsewhere, and compared."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import (
    DamagedTableError,
    ReproductionError,
    UnknownVersionError,
    UnsafeModelError,
)
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.artifacts import (
    ENVIRONMENT,
    FINGERPRINT,
    PIN_FILE,
    PROJECT,
    TABLE_MODEL,
)
from mlops_tasks.registry.modelfiles import files_digest
from mlops_tasks.registry.reproduction import Environment, Fingerprint
from mlops_tasks.registry.reproduction.comparison import (
    Difference,
    ReproductionVerdict,
    compare,
)
from mlops_tasks.registry.reproduction.project_sources import unpack_project
from mlops_tasks.registry.reproduction.retraining import Answers, Order, Retrained, retrain
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.reproduction.fresh_environment import FreshEnvironments
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["Reproduction", "reproduce"]

# What stands in the record for which input.
_INPUTS = {
    ENVIRONMENT: "environment",
    PROJECT: "code",
    PIN_FILE: "pin",
    FINGERPRINT: "parameters",
    TABLE_MODEL: "parameters",
}
_FAILED, _CANNOT_TELL = ReproductionVerdict.FAILED, ReproductionVerdict.CANNOT_TELL


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of training a version again.

    Attributes
    ----------
    model, version : str
        Registered model and version.
    verdict : ReproductionVerdict
        ``exact``, ``within tolerance``, ``failed`` or ``cannot tell``.
    differs : str
        The first input that is not as recorded, or the one that is missing; empty if none is.
    reason : str
        In a sentence.
    differences : tuple of Difference
        All that is not as recorded, causes before what follows from them.
    environment : str
        Digest of the recorded environment.
    content, found_content : str
        `content_digest` of the recorded model and of the new one.
    answers : Answers or None
        What both say of the same rows.
    reused : bool
        Whether the virtual environment was there already.
    environment_s, retrain_s, fit_s : float
        Seconds that it took to make the environment, to train again, and of that the fit.
    """

    model: str
    version: str
    verdict: ReproductionVerdict
    differs: str = ""
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    environment: str = ""
    content: str = ""
    found_content: str = ""
    answers: Answers | None = None
    reused: bool = False
    environment_s: float = 0.0
    retrain_s: float = 0.0
    fit_s: float = 0.0


def reproduce(
    version: RegisteredVersion,
    *,
    lake: Lake,
    tracking: Tracking,
    environments: FreshEnvironments,
    limit_s: float = 3600.0,
) -> Reproduction:
    """Train a registered version again from what was recorded, and compare.

    Parameters
    ----------
    version : RegisteredVersion
        The version as the ledger has it: its digests are what the record is held against.
    lake : Lake
        The data, which are read and never written to.
    tracking : Tracking
        Where the record is.
    environments : FreshEnvironments
        Where virtual environments are made and kept.
    limit_s : float, default 3600
        Seconds that the training may take.

    Returns
    -------
    Reproduction
        Nothing is registered and nothing decided by it.
    """
    with TemporaryDirectory(prefix="reproduce-") as folder:
        try:
            return _reproduced(version, Path(folder), lake, tracking, environments, limit_s)
        except _ChangedRecordError as error:
            verdict, about, reason = _FAILED, error.about, str(error)
        except ReproductionError as error:
            verdict, about, reason = _CANNOT_TELL, error.about, str(error)
    return Reproduction(version.name, version.version, verdict, differs=about, reason=reason)


class _ChangedRecordError(ReproductionError):
    """The record is there and is not what the ledger knows: that is no missing answer."""


def _reproduced(
    version: RegisteredVersion,
    folder: Path,
    lake: Lake,
    tracking: Tracking,
    environments: FreshEnvironments,
    limit_s: float,
) -> Reproduction:
    kept = {name: _read(version, name, tracking) for name in _INPUTS if _has(version, name)}
    pin = from_json(TrainingPin, json.loads(kept[PIN_FILE]))
    _check_pin(pin, lake)
    environment = Environment.restored(kept[ENVIRONMENT])
    fingerprint = from_json(Fingerprint, json.loads(kept[FINGERPRINT]))
    reused, started = environments.has(environment), time.monotonic()
    python = environments.python(environment)
    environment_s = time.monotonic() - started
    unpack_project(kept[PROJECT], folder / "project")
    with _original(version, tracking) as original:
        table_model = kept.get(TABLE_MODEL)
        order = Order(
            model=version.name,
            package=fingerprint.chosen["estimator"].partition(":")[0].partition(".")[0],
            project=str(folder / "project"),
            lake=str(lake.root.resolve()),
            pin=to_json(pin),
            chosen=fingerprint.chosen,
            table_model=json.loads(table_model) if table_model else None,
            original=str(original),
            digest=version.digest,
        )
        work = folder / "work"
        work.mkdir()
        found = retrain(order, python, recorded=environment, folder=work, limit_s=limit_s)
    verdict, differing = compare(fingerprint, environment, found)
    return Reproduction(
        model=version.name,
        version=version.version,
        verdict=verdict,
        differs=differing[0].what if differing else "",
        reason=_reason(verdict, differing, found),
        differences=differing,
        environment=environment.digest,
        content=fingerprint.content,
        found_content=found.fingerprint.content,
        answers=found.answers,
        reused=reused,
        environment_s=round(environment_s, 2),
        retrain_s=round(found.seconds, 2),
        fit_s=found.fit_s,
    )


def _has(version: RegisteredVersion, name: str) -> bool:
    if name in version.artifacts:
        return True
    if name == TABLE_MODEL:  # only of a model of one table
        return False
    raise ReproductionError(
        f"the ledger has no digest of {name} for version {version.version} of {version.name!r}: "
        "it was trained before that was kept, or by something else. Train it again to have one "
        "that can be reproduced",
        about=_INPUTS[name],
    )


def _read(version: RegisteredVersion, name: str, tracking: Tracking) -> bytes:
    """Read a part of the record, which must be the one that the ledger has the digest of."""
    from mlflow.exceptions import MlflowException

    try:
        return tracking.read_artifact(version, name)
    except UnsafeModelError as error:
        raise _ChangedRecordError(str(error), about=_INPUTS[name]) from error
    except (MlflowException, OSError, UnknownVersionError) as error:
        raise ReproductionError(
            f"{name} of run {version.run_id} is not in MLflow any more ({type(error).__name__}): "
            "restore the run from a backup",
            about=_INPUTS[name],
        ) from error


def _check_pin(pin: TrainingPin, lake: Lake) -> None:
    """Tell rows that were removed, which nobody can say anything of, from rows that are others."""
    for one in dict.fromkeys(pin.pins):
        table = lake.table(one.table)
        try:
            commits = table.pinned_commits(one)
        except DamagedTableError as error:
            about = f"{error}. Its rows cannot be had any more"
            raise ReproductionError(about, about="pin") from error
        files = [file for commit in commits for file in commit.files]
        gone = [file.path for file in files if not (table.folder / file.path).exists()]
        if gone:
            raise ReproductionError(
                f"{len(gone)} of {len(files)} files of table {one.table!r} that it was trained on "
                "were removed: they were not pinned any more when the table was vacuumed, or were "
                "deleted. Restore them from a backup of the lake",
                about="pin",
            )
        try:
            table.verify_pin(one)
        except DamagedTableError as error:
            raise _ChangedRecordError(str(error), about="pin") from error


@contextmanager
def _original(version: RegisteredVersion, tracking: Tracking) -> Iterator[Path]:
    """Have the recorded model in a folder; its files must be those of the ledger."""
    from mlflow.exceptions import MlflowException

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tracking.downloaded(version.model_uri))
        except (MlflowException, OSError) as error:
            raise ReproductionError(
                f"the files of version {version.version} of {version.name!r} are not in MLflow any "
                f"more ({type(error).__name__}): restore them from a backup",
                about="model content",
            ) from error
        found = files_digest(folder)
        if found != version.digest:
            raise _ChangedRecordError(
                f"the files of version {version.version} of {version.name!r} have digest "
                f"{found[:12]}, registered was {version.digest[:12]}: they were changed in MLflow",
                about="model content",
            )
        yield folder


def _reason(
    verdict: ReproductionVerdict, differing: tuple[Difference, ...], found: Retrained
) -> str:
    answers = found.answers
    rows = f"{answers.n_rows} rows of the {answers.rows}"
    if verdict is ReproductionVerdict.EXACT:
        said = f"the same model: its content is equal, and so are the predictions of {rows}"
        if differing:
            said += f"; that {differing[0].what} differs ({differing[0].text}) changed nothing"
        return said
    cause = f"the first that differs is {differing[0].what}: {differing[0].text}"
    if verdict is ReproductionVerdict.WITHIN_TOLERANCE:
        return f"predictions of {rows} differ by {answers.largest:.3g} at most; {cause}"
    return (
        f"another model: {answers.n_different} of {rows} get another prediction, by up to "
        f"{answers.largest:.3g}; {cause}"
    )
