"""Models of MLflow runs: written and proved on this machine, then uploaded."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import (
    ALLOWED_TYPES,
    check_types,
    content_digest,
    detached_boosters,
    files_digest,
    inspect_model,
    load_model,
    write_extra_files,
)
from mlops_tasks.registry.requirements import requirements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy.typing as npt
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, RunInfo
    from mlflow.models import Model

__all__ = ["log_safe_model"]


def log_safe_model(
    client: MlflowClient,
    run: RunInfo,
    model: Any,
    signature_of: pd.DataFrame,
    *,
    method: str,
    package: str,
    personal: Collection[str],
) -> tuple[str, str, str]:
    """Save a fitted model to a run as safe files; return its URI and the digests of both kinds.

    ``mlflow.sklearn.log_model`` uploads what it has written, so that only a download could prove
    it: twice the requests, and a digest of what the store says. This one is of what was written
    here, and whoever loads the model compares it.
    """
    import numpy as np

    names = check_types(model, package)
    predictions = getattr(model, method)(signature_of)
    with (
        tempfile.TemporaryDirectory(prefix="model-") as home,
        _created(client, run) as logged,
    ):
        folder = Path(home, "model")
        extra = Path(home, "extra")
        extra.mkdir()
        files = write_extra_files(model, extra, names, rows=signature_of, personal=personal)
        description = _description(run, logged, signature_of, predictions)
        _write(model, folder, description, files, trusted=ALLOWED_TYPES | names, method=method)
        digest, content = files_digest(folder), content_digest(folder)
        inspect_model(folder, names)
        again = load_model(folder, digest=digest, examined=True)
        if not np.array_equal(getattr(again, method)(signature_of), predictions):
            raise UnsafeModelError(
                f"{type(model).__name__} does not predict what it predicted before it was saved: "
                "it keeps something outside of its attributes, or draws at random when it predicts"
            )
        client.log_model_artifacts(logged.model_id, str(folder))
    return f"models:/{logged.model_id}", digest, content


@contextmanager
def _created(client: MlflowClient, run: RunInfo) -> Iterator[LoggedModel]:
    """Create a model of a run, ready once the block has ended well, and failed otherwise."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    logged = client.create_logged_model(run.experiment_id, "model", run.run_id)
    status = LoggedModelStatus.FAILED
    try:
        client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        yield logged
        status = LoggedModelStatus.READY
    finally:
        client.finalize_logged_model(logged.model_id, status)


def _description(
    run: RunInfo, logged: LoggedModel, rows: pd.DataFrame, predictions: npt.NDArray[Any]
) -> Model:
    """Return what MLflow keeps beside the files of a model, with its signature."""
    from mlflow.models import Model, infer_signature

    return Model(
        artifact_path=logged.artifact_location,
        run_id=run.run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        signature=infer_signature(rows, predictions),
    )


def _write(
    model: Any,
    folder: Path,
    description: Model,
    files: list[Path],
    *,
    trusted: Collection[str],
    method: str,
) -> None:
    import mlflow.sklearn

    with detached_boosters(model):
        mlflow.sklearn.save_model(
            model,
            str(folder),
            mlflow_model=description,
            # Without this list MLflow spends seconds in a subprocess to guess it.
            pip_requirements=requirements(files),
            serialization_format="skops",
            skops_trusted_types=sorted(trusted),
            pyfunc_predict_fn=method,
            extra_files=[str(path) for path in files] or None,
        )
