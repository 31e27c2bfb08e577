"""Loading a champion, its files compared with a digest of the ledger, beside loading them alone."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks._lake.fresh import in_fresh_process
from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.parts import Measured
from mlops_tasks.registry.modelfiles import files_digest
from mlops_tasks.registry.tracking import Tracking

if TYPE_CHECKING:
    from benchmarks._shared.figures import Figure

__all__ = ["measure"]

WITHIN = 1.3
PROGRAM = "benchmarks._lifecycle.loading_measured"
_ROWS, _ROUNDS = 20_000, 9
_ESTIMATORS = {
    "pipeline with a forest of 200 trees": ("forest", 200),
    "pipeline with gradient boosting": ("boosting", 200),
    "pipeline with logistic regression": ("logistic", 0),
}


def measure(*, quick: bool) -> Measured:
    """Load each model in turn, ours and plainly, each time in a process of its own."""
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    try:
        figures: list[Figure] = []
        for name, (kind, size) in _ESTIMATORS.items():
            say(f"loading: {name}")
            figures += _figures(name, *_saved(home / kind, kind, 20 if quick else size), quick)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    notes = [
        "Ours: digest of every file, compared with the ledger's, then skops with our allow-list; "
        "bare: skops.io.load of the same weights, trusted without looking. Both in turn, each time "
        "in a process of its own that has imported the libraries before the clock starts, as the "
        "fork server of the tasks has."
    ]
    return Measured(figures, {}, notes)


def _figures(name: str, folder: Path, digest: str, quick: bool) -> list[Figure]:
    order: dict[str, Any] = {"folder": str(folder), "digest": digest}
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    for one in range(3 if quick else _ROUNDS):
        for how in ("ours", "bare") if one % 2 == 0 else ("bare", "ours"):
            taken[how].append(in_fresh_process(PROGRAM, how=how, **order).seconds)
    ratios = Samples.of([a / b for a, b in zip(taken["ours"], taken["bare"], strict=True)])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    ours, bare = (Samples.of([1e3 * one for one in taken[how]]) for how in ("ours", "bare"))
    peer = "skops.io.load"
    return [
        figure(f"{name}, {size:.1f} MB", ours, "ms", peer=peer, peer_measured=bare),
        figure(f"{name}: times a bare load", ratios, "", below=WITHIN),
    ]


def _saved(home: Path, kind: str, size: int) -> tuple[Path, str]:
    """Fit a model on made-up rows, log it as training does, and return its files and digest."""
    home.mkdir()
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": random.normal(size=_ROWS) for i in range(15)})
    frame.insert(0, "shop", pd.Series(random.choice([f"s{i}" for i in range(50)], _ROWS)))
    target = (frame["x0"] + random.normal(size=_ROWS) > 0).astype(int)
    model = _estimator(kind, size).fit(frame, target)
    tracking = Tracking(f"sqlite:///{home}/mlflow.db")
    tracking.client.create_experiment("loading", artifact_location=str(home / "artifacts"))
    with tracking.run("loading", kind):
        uri, digest, _ = tracking.log_model(model, frame.head(200))
    with tracking.downloaded(uri) as folder:
        shutil.copytree(folder, home / "model")
    assert files_digest(home / "model") == digest
    return home / "model", digest


def _estimator(kind: str, size: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer(
        [("shop", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["shop"])],
        remainder="passthrough",
    )
    last: Any = LogisticRegression(max_iter=500)
    if kind == "forest":
        last = RandomForestClassifier(size, min_samples_leaf=10, random_state=0, n_jobs=1)
    elif kind == "boosting":
        last = HistGradientBoostingClassifier(max_iter=size, random_state=0)
    return make_pipeline(encode, last)
