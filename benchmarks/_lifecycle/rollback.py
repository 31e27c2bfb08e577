"""``mlops rollback`` as a user runs it: a command of its own, a real MLflow server, a real model.

The model is the demo's: its estimator, its features, as many rows as its training window has.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.machine import ROOT
from benchmarks._shared.parts import Measured
from mlops_airflow.stack.environment import tool
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.champions import move_champion
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.steps.register import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["measure"]

LIMIT_S = 10.0
_ROWS, _FEW_ROWS = 52_000, 5_000  # flights of sixty days
_READY_S = 120.0


def measure(*, quick: bool) -> Measured:
    """Roll back and forth between two versions."""
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    try:
        with _server(home) as (uri, server):
            ledger = Ledger(f"sqlite:///{home}/ledger.db")
            _champions(Tracking(uri), ledger, _FEW_ROWS if quick else _ROWS)
            env = _environment(home, uri)
            runs = [
                _rollback(env, "1" if one % 2 == 0 else "2") for one in range(2 if quick else 6)
            ]
            assert server.poll() is None
    finally:
        shutil.rmtree(home, ignore_errors=True)
    seconds = Samples.of([taken for taken, _ in runs[1:] or runs])
    rows = {int(said["golden_rows"]) for _, said in runs}
    notes = [
        "From the start of the command to its end: Python and its imports, the connections, the "
        f"files from a local MLflow server, their digests, {rows} golden rows, the ledger and the "
        "alias. The first run, which reads everything from disk, is left out.",
    ]
    return Measured([figure("mlops rollback", seconds, "s", below=LIMIT_S)], {}, notes)


def _champions(tracking: Tracking, ledger: Ledger, n_rows: int) -> None:
    """Train the demo's estimator twice, and make each version the champion in turn."""
    sys.path.insert(0, str(ROOT / "dags"))
    from flight_delays.spec import MODEL

    for generation in range(2):
        version = _version(MODEL, tracking, ledger, n_rows, seed=generation)
        move_champion(
            version,
            generation=generation,
            key=f"2013-03-0{generation + 1}",
            evidence={"reason": "benchmark"},
            tracking=tracking,
            ledger=ledger,
        )


def _version(
    spec: ModelSpec, tracking: Tracking, ledger: Ledger, n_rows: int, *, seed: int
) -> RegisteredVersion:
    import numpy as np
    import pandas as pd

    from flight_delays.model import build

    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {name: random.normal(50, 15, n_rows) for name in spec.numeric}
        | {
            name: random.choice([f"{name}{n}" for n in range(40)], n_rows)
            for name in spec.categorical
        }
    )
    target = (frame[spec.numeric[0]] + random.normal(0, 20, n_rows) > 55).astype("int64")
    model = build(categorical=spec.categorical, numeric=spec.numeric, random_state=seed)
    model.fit(frame, target)
    with tracking.run(spec.name, "train") as run_id:
        uri, digest, _ = tracking.log_model(model, frame.head(100), package="flight_delays")
        artifacts = {PIN_FILE: tracking.log_json(run_id, PIN_FILE, {"benchmark": True})}
    model_id = uri.rpartition("/")[2]
    trained = TrainResult(run_id, model_id, uri, digest, n_rows, {}, 0.0, artifacts=artifacts)
    return register(spec.name, trained, None, tracking=tracking, ledger=ledger)


def _rollback(env: dict[str, str], to: str) -> tuple[float, dict[str, Any]]:
    command = (tool("mlops"), "rollback", "flight_delays", "--to", to, "--reason", "benchmark")
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--json"], env=env, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"mlops rollback: {done.stderr[-600:]}")
    say(f"rollback to version {to}: {taken:.1f} s")
    found: dict[str, Any] = json.loads(done.stdout)
    return taken, found


def _environment(home: Path, uri: str) -> dict[str, str]:
    scheme, _, host = uri.partition("://")
    connections = {
        "MLFLOW_DEFAULT": {"conn_type": "mlflow", "schema": scheme, "host": host},
        "LEDGER_DEFAULT": {"conn_type": "sqlite", "host": str(home / "ledger.db")},
    }
    named = {f"AIRFLOW_CONN_{name}": json.dumps(one) for name, one in connections.items()}
    return os.environ | named | {"MLOPS_HOME": str(home), "AIRFLOW_HOME": str(home / "airflow")}


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (tool("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port))
    store = ("--backend-store-uri", f"sqlite:///{home}/mlflow.db")
    where = ("--artifacts-destination", str(home / "artifacts"), "--workers", "1")
    env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen([*command, *store, *where], env=env, stderr=subprocess.DEVNULL)
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{uri}/health")
        yield uri, server
    finally:
        server.terminate()
        server.wait(30)


def _wait(url: str) -> None:
    until = time.monotonic() + _READY_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
