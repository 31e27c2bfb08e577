"""The training step beside what anybody would write: read a frame, fit, log to the same MLflow.

The estimator is a real pipeline whose fit is stretched to ten seconds by waiting, so that what the
machine does meanwhile moves the fit of both by nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._authoring.visits import CATEGORICAL, NUMERIC, fill, key_of, project
from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.parts import Measured
from mlops_tasks.features import feature_frame, labelled_rows
from mlops_tasks.lake import Lake
from mlops_tasks.problem_types import TARGET
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.specs import ModelSpec

__all__ = ["measure"]

ROWS, QUICK_ROWS = 12_500, 1_000  # of each of eight days
PASSES, QUICK_PASSES = 5, 1
FIT_S, QUICK_FIT_S = 10.0, 1.0
SHARE, ABSOLUTE_S = 15.0, 1.0
_READY_S = 120.0
_MODEL = '''"""A pipeline that takes its time."""

import time

from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler


class Patient(LogisticRegression):
    """Waits until a fit has taken as long as so many rows should."""

    def __init__(self, row_s=0.0, random_state=None):
        super().__init__(random_state=random_state)
        self.row_s = row_s

    def fit(self, X, y):
        started = time.monotonic()
        super().fit(X, y)
        time.sleep(max(0.0, self.row_s * len(X) - (time.monotonic() - started)))
        return self


def build(*, categorical, numeric, random_state):
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), list(categorical)),
        (StandardScaler(), list(numeric)),
    )
    return make_pipeline(encode, Patient(row_s=ROW_S, random_state=random_state))
'''


def measure(*, quick: bool) -> Measured:
    """Train in turn, the step and the bare program, each against the same server."""
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    n_rows, passes, fit_s = (
        (QUICK_ROWS, QUICK_PASSES, QUICK_FIT_S) if quick else (ROWS, PASSES, FIT_S)
    )
    ours, bare, spent = [], [], []
    try:
        spec, lake = _project(home, n_rows, fit_s)
        pin = pin_training_data(spec, key_of(12), lake=lake)
        with _server(home) as uri:
            tracking = Tracking(uri)
            file = _frame_file(spec, pin, lake, home)
            for number in range(passes + 1):
                say(f"training: {f'pass {number} of {passes}' if number else 'warming up'}")
                before = time.process_time()
                one = _timed(lambda: train(spec, pin, lake=lake, tracking=tracking))
                own = time.process_time() - before
                other = _timed(lambda: _bare(spec, file, tracking))
                if number:
                    ours.append(one)
                    bare.append(other)
                    spent.append(own)
    finally:
        sys.path.remove(str(home))
        shutil.rmtree(home, ignore_errors=True)
    return _measured(ours, bare, spent, n_rows=8 * n_rows, fit_s=fit_s)


def _measured(
    ours: list[float], bare: list[float], spent: list[float], *, n_rows: int, fit_s: float
) -> Measured:
    extra = [one - other for one, other in zip(ours, bare, strict=True)]
    share = [100 * more / other for more, other in zip(extra, bare, strict=True)]
    step, peer = Samples.of(ours), Samples.of(bare)
    figures = [
        figure(
            f"training step, a fit of {fit_s:.0f} s",
            step,
            "s",
            peer="bare fit and MLflow logging",
            peer_measured=peer,
        ),
        figure("overhead of the training step", Samples.of(share), "%", below=SHARE),
        figure("overhead of the training step", Samples.of(extra), "s", below=ABSOLUTE_S),
    ]
    notes = [
        f"{n_rows:,} rows, 3 categorical and 10 numeric features; {len(ours)} passes of both in "
        "turn after one to warm up, in one process, against one MLflow server; medians.",
        "Bare: read the same rows from Parquet as a frame, fit, save with skops, one run with the "
        "same number of parameters, metrics and one artifact, the model.",
        "The step besides: proves the pin, makes features and targets from the lake in SQL, looks "
        "for leaks, tries to save before the fit, profiles features and labels of each day, loads "
        "the saved model and compares, keeps environment and sources.",
        f"Processor time of the whole step, its short real fits included: "
        f"{Samples.of(spent).median:.2f} s.",
    ]
    return Measured(figures, {}, notes)


def _timed(call: Any) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def _project(home: Path, n_rows: int, fit_s: float) -> tuple[ModelSpec, Lake]:
    """Write the project of the estimator and publish the rows."""
    package = home / "patient_visits"
    package.mkdir()
    (package / "__init__.py").touch()
    row_s = f"{fit_s / (8 * n_rows):.3e}"
    (package / "model.py").write_text(_MODEL.replace("ROW_S", row_s))
    sys.path.insert(0, str(home))
    spec = project(home / "project", "binary").model_copy(
        update={"estimator": "patient_visits.model:build"}
    )
    lake = Lake(home / "lake")
    fill(lake, spec, n_rows)
    return spec, lake


def _frame_file(spec: ModelSpec, pin: TrainingPin, lake: Lake, home: Path) -> Path:
    """Write the features and the target of the training as one file, as somebody would have it."""
    rows = labelled_rows(spec, pin, pin.train, lake=lake)
    frame = feature_frame(spec, rows)
    frame[TARGET] = rows.column(TARGET).to_numpy(zero_copy_only=False)
    file = home / "frame.parquet"
    frame.to_parquet(file)
    return file


def _bare(spec: ModelSpec, file: Path, tracking: Tracking) -> None:
    """Do what a notebook does."""
    import mlflow
    import pandas as pd
    import skops.io

    build = import_module("patient_visits.model").build
    mlflow.set_tracking_uri(tracking.uri)
    frame = pd.read_parquet(file)
    target = frame.pop(TARGET)
    model = build(categorical=CATEGORICAL, numeric=NUMERIC, random_state=spec.random_state)
    mlflow.set_experiment("bare")
    with mlflow.start_run(), tempfile.TemporaryDirectory() as folder:
        model.fit(frame, target)
        path = Path(folder, "model.skops")
        skops.io.dump(model, path)
        mlflow.log_params({f"p{n}": "x" for n in range(10)})
        mlflow.log_metrics({"n_rows": len(frame), "y_share": float(target.mean())})
        mlflow.log_artifact(str(path))


@contextmanager
def _server(home: Path) -> Iterator[str]:
    """Run an MLflow server of this benchmark's own."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    stores += ["--artifacts-destination", str(home / "artifacts")]
    env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [str(Path(sys.executable).with_name("mlflow")), "server", *options, *stores]
    with open(home / "server.log", "wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            _wait_for(f"{uri}/health", process)
            yield uri
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the MLflow server at {address} does not start") from None
            time.sleep(0.2)
