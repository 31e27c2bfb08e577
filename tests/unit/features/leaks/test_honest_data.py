"""Public data sets, of which people know that they are honest: nothing is suspected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import datasets

from tests.unit.features.leaks.rows import suspects

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "problem_type"),
    [
        ("breast_cancer", "binary"),
        ("diabetes", "regression"),
        ("digits", "multiclass"),
        ("iris", "multiclass"),
        ("linnerud", "regression"),
        ("wine", "multiclass"),
    ],
)
def test_no_suspect(tmp_path: Path, name: str, problem_type: str) -> None:
    found = getattr(datasets, f"load_{name}")()
    y = found.target
    if problem_type == "multiclass":
        y = np.array([f"class {one}" for one in y], dtype=object)
    for target in [y] if y.ndim == 1 else y.T:
        columns = {f"f{i}": values for i, values in enumerate(found.data.astype(float).T)}
        assert not suspects(tmp_path, columns, target, problem_type)


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine"])
def test_one_class_against_the_others(tmp_path: Path, name: str) -> None:
    """But the setosa of iris, which a petal alone really tells from all others."""
    found = getattr(datasets, f"load_{name}")()
    columns = {f"f{i}": values for i, values in enumerate(found.data.T)}
    for one in np.unique(found.target)[1:]:
        assert not suspects(tmp_path, columns, (found.target == one).astype(int))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("separation", [0.5, 1.0, 2.0])
def test_classes_made_of_clusters(tmp_path: Path, seed: int, separation: float) -> None:
    x, y = datasets.make_classification(
        4000, 12, n_informative=5, n_redundant=3, class_sep=separation, random_state=seed
    )
    columns = {f"f{i}": values for i, values in enumerate(x.T)}
    assert not suspects(tmp_path, columns, y)


@pytest.mark.parametrize("seed", range(5))
def test_numbers_made_of_ten_columns(tmp_path: Path, seed: int) -> None:
    x, y = datasets.make_regression(3000, 20, n_informative=10, noise=5.0, random_state=seed)
    columns = {f"f{i}": values for i, values in enumerate(x.T)}
    assert not suspects(tmp_path, columns, y, "regression")
