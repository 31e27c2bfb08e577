"""The process that trains a recorded model again: ``python -m`` in an environment made anew.

It is given a folder with its order and leaves its result there. It imports the project from its
recorded sources, reads the lake, and writes nowhere but below its folder.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import (
    DamagedTableError,
    FeatureError,
    MlopsError,
    NoLabelsError,
    ReproductionError,
)
from mlops_tasks.features import feature_frame, labelled_rows
from mlops_tasks.lake import Lake, TrainingPin
from mlops_tasks.registry.artifacts import ENVIRONMENT, FINGERPRINT
from mlops_tasks.registry.modelfiles import load_model, model_answer
from mlops_tasks.registry.reproduction.retraining import RESULT, Answers, Order
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import ModelSpec, TableModel
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.registry.versions import TrainResult

__all__ = ["main"]

_MOST_ROWS = 5000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink"}


def main(folder: Path) -> None:
    """Do what the folder's order says, and write down what came of it or why nothing did."""
    order = from_json(Order, json.loads((folder / "order.json").read_text()))
    try:
        result = _retrain(order, folder)
    except MlopsError as error:
        result = {"error": str(error), "about": getattr(error, "about", "") or _about(error)}
    (folder / RESULT).write_text(json.dumps(result))


def _retrain(order: Order, folder: Path) -> dict[str, Any]:
    sys.path.append(order.project)  # at the end: nothing in it stands in for a library
    _forbid_writing(Path(order.lake))
    spec = _spec(order)
    pin, lake = from_json(TrainingPin, order.pin), Lake(Path(order.lake))
    tracking = Tracking(f"sqlite:///{folder / 'mlflow.db'}", login=None)
    tracking.client.create_experiment(spec.name, artifact_location=str(folder / "artifacts"))
    trained = train(spec, pin, lake=lake, tracking=tracking)
    answers = _answers(order, spec, pin, trained, lake=lake, tracking=tracking)
    return {
        "fingerprint": tracking.read_json(trained.run_id, FINGERPRINT),
        "environment": tracking.read_json(trained.run_id, ENVIRONMENT),
        "answers": to_json(asdict(answers)),
        "fit_s": trained.fit_s,
    }


def _about(error: MlopsError) -> str:
    """Return which input an error of a training is about."""
    if isinstance(error, DamagedTableError):
        return "pin"
    return "features" if isinstance(error, FeatureError | NoLabelsError) else "code"


def _forbid_writing(lake: Path) -> None:
    """Refuse whatever in Python would change the lake, from now on."""
    root = f"{lake.resolve()}{os.sep}"

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & _WRITING) if mode is None else any(c in mode for c in "wax+")
        else:
            path, writes = (arguments or ("",))[0], event in _CHANGES
        if writes and isinstance(path, str | os.PathLike):
            place = os.path.realpath(os.fspath(path))
            if str(place).startswith(root):
                raise ReproductionError(f"it would change the lake: {event}", about="code")

    sys.addaudithook(watch)


def _spec(order: Order) -> ModelSpec | TableModel:
    """Return the spec as the recorded sources have it, with what was chosen for this fit."""
    if order.table_model is not None:
        return TableModel.restored(order.table_model)
    reasons = []
    for module in _modules(order):
        try:
            values = vars(importlib.import_module(module)).values()
        except Exception as error:  # a project's own code may fail with anything
            reasons.append(f"{module}: {error!r:.200}")
            continue
        for value in values:
            if isinstance(value, ModelSpec) and value.name == order.model:
                known = {name for name in order.chosen if name in type(value).model_fields}
                return value.model_copy(update={name: order.chosen[name] for name in known})
    raise ReproductionError(
        f"no file of the recorded sources has the spec of {order.model!r}; "
        f"{'; '.join(reasons) or 'it must stand at the top of a module of the project'}",
        about="code",
    )


def _modules(order: Order) -> Iterator[str]:
    """Yield the modules of the project that may hold its spec, the likeliest first."""
    folder = Path(order.project)
    files = sorted(folder.glob(f"{order.package}/**/*.py"))
    files += sorted(path for path in folder.glob("**/*.py") if path not in files)
    for path in sorted(files, key=lambda path: path.name != "spec.py"):
        if "ModelSpec(" in path.read_text("utf-8", "replace"):
            yield ".".join(path.relative_to(folder).with_suffix("").parts)


def _answers(
    order: Order,
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    trained: TrainResult,
    *,
    lake: Lake,
    tracking: Tracking,
) -> Answers:
    """Ask both models about the rows of the evaluation, or of the training where there are none."""
    evaluated = bool(pin.evaluation[0])
    window = pin.evaluation if evaluated else pin.train
    rows = labelled_rows(spec, pin, window, lake=lake, learn=not evaluated)
    frame = feature_frame(spec, rows.slice(0, _MOST_ROWS))
    original = load_model(Path(order.original), digest=order.digest, examined=True)
    again = tracking.load(trained.model_uri, trained.digest)
    before, after = (model_answer(model, frame) for model in (original, again))
    which = "evaluation" if evaluated else "training"
    return _compared(which, before, after, is_number=spec.problem_type == "regression")


def _compared(
    rows: str, before: npt.NDArray[Any], after: npt.NDArray[Any], *, is_number: bool
) -> Answers:
    import numpy as np

    if before.shape != after.shape or before.dtype.kind != "f" or after.dtype.kind != "f":
        same: npt.NDArray[np.bool_] = np.asarray(before == after)
        different = int((~same).sum()) if before.shape == after.shape else len(before)
        return Answers(rows, len(before), different, 1.0 if different else 0.0)
    gaps = np.abs(before - after).reshape(len(before), -1).max(axis=1)
    scale = float(np.abs(before).max()) if is_number and len(before) else 1.0
    largest = float(gaps.max()) / (scale or 1.0) if len(gaps) else 0.0
    return Answers(rows, len(before), int((gaps > 0).sum()), largest)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
