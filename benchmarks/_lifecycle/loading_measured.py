"""One loading of a model's files, with digests or without; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Loaded before the clock starts, as in the tasks' fork server.
import pandas
import sklearn.ensemble
import skops.io

from benchmarks._lake.fresh import clocked
from mlops_tasks.registry.modelfiles import ALLOWED_TYPES, load_model

PRELOADED = (pandas, sklearn.ensemble)


def main() -> None:
    """Load once, and prove that it predicts."""
    order = json.load(sys.stdin)
    folder, ours = Path(order["folder"]), order["how"] == "ours"
    trusted = sorted(ALLOWED_TYPES)
    with clocked():
        if ours:
            model = load_model(folder, digest=order["digest"], examined=True)
        else:
            model = skops.io.load(folder / "model.skops", trusted=trusted)
    assert hasattr(model, "predict_proba")


if __name__ == "__main__":
    main()
