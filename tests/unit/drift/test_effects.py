from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.drift.effects import CohensH, sparse_moments


def test_moments_of_few_rows_are_those_of_poisson() -> None:
    random = np.random.default_rng(2)
    for rows in (0.05, 1.0, 6.0, 150.0):
        drawn = random.poisson(rows, 400_000)
        squared = 4 * (np.sqrt(drawn + 0.375) - np.sqrt(rows + 0.375)) ** 2
        mean, half_variance = sparse_moments(np.array(rows), 2)
        assert mean == pytest.approx(squared.mean(), rel=0.03, abs=0.002)
        assert half_variance == pytest.approx(squared.var() / 2, rel=0.06, abs=0.002)
    assert np.array(sparse_moments(np.array([1e6]), 3)) == pytest.approx(1, abs=0.02)


def test_cuts_that_never_vary_have_one_direction() -> None:
    effect = CohensH(np.ones(1), np.ones(1))
    assert effect.curvature(np.array(500.0)) == (1.0, 1.0)
