"""Each estimator of the list: saved and equal after it was loaded, or refused before its fit."""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import skops.io
from threadpoolctl import threadpool_limits

from benchmarks._authoring.estimators import PACKAGE, rows
from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import (
    check_types,
    detached_boosters,
    files_digest,
    load_model,
    model_answer,
    same_answers,
    try_saving,
    write_extra_files,
)

if TYPE_CHECKING:
    from benchmarks._authoring.estimators import Brought

__all__ = ["Outcome", "outcome_of"]

N_ROWS = 300
SAVED, REFUSED, OTHER = "saved and equal", "refused before the fit", "another model after loading"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an estimator came to.

    Parameters
    ----------
    name : str
        The estimator.
    outcome : str
        In words.
    reason : str
        Of a refusal.
    trial_s, n_tried : float, int
        Processor time of the trial, and how many rows it could be fitted on.
    """

    name: str
    outcome: str
    reason: str
    trial_s: float
    n_tried: int


def outcome_of(brought: Brought) -> Outcome:
    """Try, fit, save and load one estimator."""
    frame, targets = rows(N_ROWS)
    target, model = targets[brought.target], brought.build()
    started = time.process_time()
    try:
        n_tried = try_saving(model, frame, target, package=PACKAGE)
    except UnsafeModelError as error:
        return Outcome(brought.name, REFUSED, str(error), time.process_time() - started, 0)
    trial_s = time.process_time() - started
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        model.fit(frame, target)
        fresh, _ = rows(200, seed=1)
        again = save_and_load(model, fresh)
        same = same_answers(model_answer(model, fresh), model_answer(again, fresh)).all()
    return Outcome(brought.name, SAVED if same else OTHER, "", trial_s, n_tried)


def save_and_load(model: Any, some: Any) -> Any:
    """Save a fitted model as training does, and load it as scoring does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "extra_files").mkdir()
        names = check_types(model, PACKAGE)
        write_extra_files(model, folder / "extra_files", names, rows=some)
        with detached_boosters(model):
            skops.io.dump(model, folder / "model.skops")
        digest = files_digest(folder)
        return load_model(folder, digest=digest, examined=True)
