"""Train: pinned rows become a fitted pipeline in MLflow."""

from __future__ import annotations

import hashlib
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError, UnsafeModelError
from mlops_tasks.features import feature_frame, labelled_rows, split_days
from mlops_tasks.features.feature_types import remember_forms, spec_forms
from mlops_tasks.features.leaks import leak_suspects, newest_rows
from mlops_tasks.features.text import measure_fields, pack_vocabularies, trained_texts
from mlops_tasks.features.weights import row_weights
from mlops_tasks.problem_types import TARGET, problem_type
from mlops_tasks.problem_types.estimator import build_estimator, fit_estimator, fit_parameters
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import pack_days
from mlops_tasks.profiles.remembered import RememberedProfiles
from mlops_tasks.registry.artifacts import (
    CLASSES,
    ENVIRONMENT,
    FEATURE_PROFILES,
    FINGERPRINT,
    LABEL_PROFILES,
    LEAKS,
    PIN_FILE,
    PROJECT,
    SEARCH,
    TABLE_MODEL,
    VOCABULARIES,
)
from mlops_tasks.registry.modelfiles import try_saving
from mlops_tasks.registry.modelfiles.project_code import project_folder
from mlops_tasks.registry.reproduction import Environment, Fingerprint, git_commit, pack_project
from mlops_tasks.registry.reproduction.fingerprint import spec_fields
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import ModelSpec, TableModel
from mlops_tasks.tuning import candidate_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Lake, Pin, TrainingPin
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.tuning import Choice

__all__ = ["train"]


def train(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    *,
    lake: Lake,
    tracking: Tracking,
    build: Callable[..., Any] | None = None,
    choice: Choice | None = None,
    repeated: RememberedProfiles | None = None,
) -> TrainResult:
    """Fit the model's estimator on the pinned training window and log it to MLflow.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model.
    pin : TrainingPin
        From `pin_training_data`, or of one table from `pin_table`.
    lake : Lake
        The data.
    tracking : Tracking
        Where run and model go.
    build : callable, optional
        Makes the unfitted estimator in place of what ``spec.estimator`` names.
    choice : Choice, optional
        From `choose`: what is fitted, of several candidates.
    repeated : RememberedProfiles, optional
        Where this process trains the model again and again, profiles of days that it has made
        already. That the estimator can be saved is then not tried beforehand: every fit shows it.

    Returns
    -------
    TrainResult
        References to run and model, and features that may leak the label, see `leak_suspects`.

    Raises
    ------
    NoLabelsError
        If the window has no labels, or only labels that are all the same.
    FeatureError
        If the features cannot be built, one of them has no value at all, a weight is none, or the
        target is none of the model's problem type.
    SpecError, EstimatorError
        If the estimator cannot be imported, built or fitted, or is none for the problem type.
    DamagedTableError
        If the pinned rows are not what they were.
    UnsafeModelError
        If the estimator holds something that cannot be saved, before the fit where a few rows
        show it.
    """
    problem = problem_type(spec.problem_type)
    spec = spec if choice is None else candidate_spec(spec, choice)
    model = build_estimator(spec, problem, build)
    sources = pack_project(spec)  # as they are now: a long fit gives time to edit them
    for one in dict.fromkeys(pin.pins):  # labels of the same table are one pin
        lake.table(one.table).verify_pin(one)
    rows = labelled_rows(spec, pin, pin.train, lake=lake)
    frame, target = feature_frame(spec, rows), rows.column(TARGET).to_numpy(zero_copy_only=False)
    weights = row_weights(spec, rows)
    _refuse_empty(spec, pin, frame)
    newest = None if isinstance(spec, TableModel) else newest_rows(spec, pin, lake=lake)
    suspects = leak_suspects(spec, rows, newest=newest)
    params = _params(spec, pin)
    about = _digest(pin, params, sources, choice)
    opened = choice.run_id if choice else ""
    with tracking.run(spec.name, f"train {pin.as_of}", digest=about, run_id=opened) as run_id:
        if repeated is None:
            _refuse_unsaved(spec, model, frame, target, weights)
        started = time.monotonic()
        fit_estimator(spec, problem, model, frame, target, weights)
        fit_s = round(time.monotonic() - started, 3)
        remember_forms(model, spec_forms(spec.categorical, spec.features, spec.text))
        model_uri, digest, content = _log_model(spec, model, frame, tracking)
        described = problem.describe_target(target)
        metrics = {"n_rows": len(frame), "fit_s": fit_s} | described
        artifacts = _log(spec, pin, run_id, tracking, params, metrics, sources)
        artifacts |= _log_profiles(spec, rows, run_id, tracking, repeated or RememberedProfiles())
        fingerprint = to_json(Fingerprint.of(spec, model, frame, target, weights, content))
        artifacts[FINGERPRINT] = tracking.log_evidence(run_id, FINGERPRINT, fingerprint)
        if isinstance(spec, TableModel):
            artifacts[TABLE_MODEL] = tracking.log_evidence(run_id, TABLE_MODEL, spec.saved())
        if classes := problem.classes(model):
            artifacts[CLASSES] = tracking.log_evidence(run_id, CLASSES, {"classes": classes})
        if choice is not None:
            artifacts[SEARCH] = tracking.log_evidence(run_id, SEARCH, to_json(choice))
        if suspects:
            tracking.log_json(run_id, LEAKS, to_json({"suspects": suspects}))
    return TrainResult(
        run_id=run_id,
        model_id=model_uri.removeprefix("models:/"),
        model_uri=model_uri,
        digest=digest,
        n_rows=len(frame),
        target=described,
        fit_s=fit_s,
        classes=classes,
        artifacts=artifacts,
        suspects=suspects,
        inputs="" if build else _inputs(spec, pin, params, sources),
    )


def _log_model(
    spec: ModelSpec | TableModel, model: Any, frame: pd.DataFrame, tracking: Tracking
) -> tuple[str, str, str]:
    return tracking.log_model(
        model,
        frame.head(200),
        method=problem_type(spec.problem_type).method,
        package=spec.package,
        personal=[name for name in spec.features if spec.hides(name)],
    )


def _refuse_empty(spec: ModelSpec | TableModel, pin: TrainingPin, frame: pd.DataFrame) -> None:
    empty = [
        str(name)
        for name, values in frame.items()
        if (values.eq("") if name in spec.text else values.isna()).all()
    ]
    if empty:
        raise FeatureError(
            f"model {spec.name!r}: {empty} have no value in any of the {len(frame)} rows of "
            f"{pin.train[0]} to {pin.train[1]}; the source lost them, or drop them from the spec"
        )


def _refuse_unsaved(
    spec: ModelSpec | TableModel,
    model: Any,
    frame: pd.DataFrame,
    target: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
) -> None:
    beside = fit_parameters(model, weights)
    try:
        try_saving(model, frame, target, of_rows=beside, package=spec.package)
    except UnsafeModelError as error:
        raise UnsafeModelError(
            f"model {spec.name!r}, estimator {spec.estimator!r} cannot be saved, so it is not "
            f"fitted: {error}"
        ) from error


def _log_profiles(
    spec: ModelSpec | TableModel,
    rows: pa.Table,
    run_id: str,
    tracking: Tracking,
    known: RememberedProfiles,
) -> dict[str, str]:
    """Keep what each day of the training looked like, to be compared with what comes later."""
    days, vocabularies = trained_texts(split_days(spec, rows), spec.text)
    names = [*spec.categorical, *spec.numeric]
    names += [field.name for field in measure_fields(spec.text, vocabularies)]
    problem = problem_type(spec.problem_type)

    def of_features(part: pa.Table) -> Profile:
        batches, categorical = part.to_batches(), spec.categorical
        return Profile.of(batches, part.schema, columns=names, categorical=categorical)

    features = {
        day: known.of("features", part, partial(of_features, part)) for day, part in days.items()
    }
    labels = {
        day: known.of("labels", target, partial(problem.profile_labels, target.column(TARGET)))
        for day, target in ((day, part.select([TARGET])) for day, part in days.items())
    }
    files = {FEATURE_PROFILES: pack_days(features), LABEL_PROFILES: pack_days(labels)}
    if vocabularies:
        files[VOCABULARIES] = pack_vocabularies(vocabularies)
    return {name: tracking.log_evidence(run_id, name, file) for name, file in files.items()}


def _params(spec: ModelSpec | TableModel, pin: TrainingPin) -> dict[str, str]:
    """Return what the fit depends on, beside the rows: parameters of the run."""
    params = {
        "as_of": pin.as_of,
        "train_first": pin.train[0],
        "train_last": pin.train[1],
        "embargo": pin.embargo or "none",
        "split": spec.split,
        "problem_type": spec.problem_type,
        "estimator": spec.estimator,
        "random_state": str(spec.random_state),
        "features": ",".join(spec.features),
    } | ({"weight": spec.weight} if spec.weight else {})
    # The whole digests, to be searched for: the store keeps 36 characters of a dataset's.
    params |= {f"digest.{name}": one.digest for name, one in _pins(spec, pin).items()}
    return params | {f"estimator.{n}": str(value) for n, value in spec.estimator_params.items()}


def _digest(pin: TrainingPin, params: dict[str, str], sources: bytes, choice: Choice | None) -> str:
    """Return the digest of what the run is of: another attempt goes on with it if it is equal."""
    code = hashlib.sha256(sources).hexdigest()
    about = [pin.digest, params, code, choice and choice.run_id]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _inputs(
    spec: ModelSpec | TableModel, pin: TrainingPin, params: dict[str, str], sources: bytes
) -> str:
    """Return the digest of what decides about a fit, whichever run does it: data, words and code.

    What was installed is code, too: the same training with another scikit-learn is another one.
    Empty where the code of the features is not known.
    """
    query = b""
    if isinstance(spec, ModelSpec):
        if project_folder(spec.package) is None:  # a library's estimator: no project was packed
            return ""
        query = spec.features_sql.read_bytes() if spec.features_sql else b""
    here = Environment.of_this_process()
    installed = [f"{one.name} {one.version} {one.files}" for one in here.distributions]
    texts = [hashlib.sha256(text).hexdigest() for text in (sources, query)]
    code = [*texts, here.python, here.own, installed]
    about = [pin.digest, params, *spec_fields(spec), code]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _log(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    run_id: str,
    tracking: Tracking,
    params: dict[str, str],
    metrics: dict[str, float],
    sources: bytes,
) -> dict[str, str]:
    """Keep in one request what a person looks for, and what it takes to train it again."""
    environment = Environment.of_this_process()
    origin = {ENVIRONMENT: environment.packed(), PROJECT: sources}
    tags = _tags(spec, pin, environment, origin)
    tracking.log_batch(run_id, params=params, metrics=metrics, tags=tags)
    tracking.log_pins(_pins(spec, pin), "training")
    kept: dict[str, bytes | dict[str, Any]] = {PIN_FILE: to_json(pin), **origin}
    return {name: tracking.log_evidence(run_id, name, one) for name, one in kept.items()}


def _pins(spec: ModelSpec | TableModel, pin: TrainingPin) -> dict[str, Pin]:
    return {**pin.inputs, spec.labels_table: pin.labels}


def _tags(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    environment: Environment,
    origin: dict[str, bytes],
) -> dict[str, str]:
    """Return the digests of what it takes to train the same model again: tags of the run."""
    tags = {
        "mlops.pin": pin.digest,
        "mlops.environment": hashlib.sha256(origin[ENVIRONMENT]).hexdigest(),
        "mlops.project": hashlib.sha256(origin[PROJECT]).hexdigest(),
        "mlops.seed": str(spec.random_state),
        "mlops.threads": ", ".join(f"{who} {n}" for who, n in environment.threads.items()),
    }
    folder = project_folder(spec.package)
    if commit := git_commit(folder / spec.package) if folder else "":
        tags["mlflow.source.git.commit"] = commit
    return tags
