"""Write what Evidently and NannyML make of seeded samples, for the unit tests to be held against.

::

    python -m benchmarks._drift_quality.oracles

runs the peers in their own environments and writes ``tests/unit/drift/oracles.json``. Samples
come from `samples`, which the tests call too, so that both see the same rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["CATEGORIES", "ORACLES", "samples"]

ORACLES = Path(__file__).resolve().parents[2] / "tests" / "unit" / "drift" / "oracles.json"


#: Samples of categories; the second has rows in every cell of both sides, many of them.
CATEGORIES = ("letters", "carriers")


def samples() -> dict[str, tuple[Floats, Floats]]:
    """Draw the samples.

    Returns
    -------
    dict of str to tuple of array
        Reference and current by name; those of `CATEGORIES` are whole numbers that stand for
        categories.
    """
    random = np.random.default_rng(20130201)
    drawn = {
        "same": (random.normal(0, 1, 3000), random.normal(0, 1, 2000)),
        "shifted": (random.normal(0, 1, 3000), random.normal(0.4, 1.3, 2000)),
        "skewed": (random.lognormal(0, 1, 3000), random.lognormal(0.2, 1, 2000)),
        "letters": (
            random.choice(5.0 + np.arange(5), 3000, p=[0.4, 0.3, 0.2, 0.07, 0.03]),
            random.choice(5.0 + np.arange(6), 2000, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.05]),
        ),
    }
    shares = np.array([[50, 30, 15, 5], [35, 30, 20, 15]])
    old, new = (np.repeat(5.0 + np.arange(4), 1000 * side) for side in shares)
    drawn["carriers"] = old, new
    return drawn


def evidently_values() -> dict[str, Any]:
    """Return Evidently's distances, with the bins it took; runs in its environment."""
    import pandas as pd
    from evidently.legacy.calculations.stattests import (  # type: ignore[import-not-found]
        get_stattest,
    )
    from evidently.legacy.core import ColumnType  # type: ignore[import-not-found]

    found: dict[str, Any] = {}
    for name, (old, new) in samples().items():
        kind = ColumnType.Categorical if name in CATEGORIES else ColumnType.Numerical
        tests = ["psi", "jensenshannon"] + ["wasserstein"] * (name not in CATEGORIES)
        sides = pd.Series(old), pd.Series(new)
        values = {
            test: float(get_stattest(*sides, kind, test)(*sides, kind, None).drift_score)
            for test in tests
        }
        edges = np.histogram_bin_edges(np.concatenate([old, new]), bins="sturges")
        found[name] = {"values": values, "edges": None if name in CATEGORIES else edges.tolist()}
    return found


def nannyml_values() -> dict[str, Any]:
    """Return NannyML's distances, with the bins it took; runs in its environment."""
    import os

    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    import nannyml  # type: ignore[import-not-found]
    import pandas as pd

    found: dict[str, Any] = {}
    for name, (old, new) in samples().items():
        is_category = name in CATEGORIES
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=["x"],
            treat_as_categorical=["x"] if is_category else None,
            continuous_methods=["jensen_shannon", "kolmogorov_smirnov", "wasserstein"],
            categorical_methods=["jensen_shannon", "l_infinity"],
            chunk_size=len(new),
        ).fit(pd.DataFrame({"x": old}))
        methods = calculator._column_to_models_mapping["x"]
        values = {
            one.column_name: float(one.calculate(pd.Series(new, name="x"))) for one in methods
        }
        edges = None if is_category else np.asarray(methods[0]._bins).tolist()
        found[name] = {"values": values, "edges": edges}
    return found


def _write() -> None:
    from benchmarks._drift_quality.programs import start_module
    from benchmarks._shared.peers import environment_of

    found: dict[str, Any] = {}
    for peer in ("evidently", "nannyml"):
        output, _ = start_module(environment_of(peer), "oracles", ["--peer", peer]).communicate()
        found[peer] = json.loads(output.splitlines()[-1])
    ORACLES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        ask = {"evidently": evidently_values, "nannyml": nannyml_values}[sys.argv[2]]
        print(json.dumps(ask()))
    else:
        _write()
