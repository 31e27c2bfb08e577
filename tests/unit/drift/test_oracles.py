"""Values of Evidently 0.7 and NannyML 0.13, written by ``benchmarks._drift_quality.oracles``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks._drift_quality.oracles import CATEGORIES, ORACLES, samples
from mlops_tasks.drift import measures
from mlops_tasks.drift.samples import ContingencyTable, NumberSamples, TwoSamples
from tests.unit.drift.samples import profile, texts

FROZEN = json.loads(ORACLES.read_text(encoding="utf-8"))
SAMPLES = samples()
NUMBERS = [name for name in SAMPLES if name not in CATEGORIES]


def numbers(name: str) -> NumberSamples:
    return NumberSamples([profile(x=side) for side in SAMPLES[name]], ("x",))


def measured(name: str) -> dict[str, Any]:
    old, new = (profile(x=side) for side in SAMPLES[name])
    return measures.measure_all(TwoSamples(old, new))["x"]


def categories(*sides: Any) -> Any:
    return ContingencyTable.of(*(texts(str(value) for value in side) for side in sides)).rows


def inner(edges: list[float]) -> Any:
    """NumPy's bins hold their lower edge, ours their upper: one step down is the same cut."""
    return np.nextafter([edges[1:-1]], -np.inf)


def test_every_sample_has_its_oracle() -> None:
    assert {peer: sorted(found) for peer, found in FROZEN.items()} == {
        "evidently": sorted(SAMPLES),
        "nannyml": sorted(SAMPLES),
    }


@pytest.mark.parametrize("name", NUMBERS)
def test_evidently_on_numbers(name: str) -> None:
    frozen = FROZEN["evidently"][name]
    values, bins = frozen["values"], numbers(name).histogram(inner(frozen["edges"]))
    # A sketch of 512 points, over 12 or so bins, some of them nearly empty.
    moved = measured(name)["wasserstein_distance"]
    assert moved == pytest.approx(values["wasserstein"], abs=0.01)
    natural = measures.jensen_shannon_distance(*bins) * np.sqrt(np.log(2))
    assert natural == pytest.approx(values["jensenshannon"], abs=0.01)
    # They put a share of 0.0001 into an empty bin, we half a row into each.
    index = measures.population_stability_index(*bins)
    assert index == pytest.approx(values["psi"], abs=0.02)


@pytest.mark.parametrize("name", NUMBERS)
def test_nannyml_on_numbers(name: str) -> None:
    frozen = FROZEN["nannyml"][name]
    values, edges, sides, found = frozen["values"], frozen["edges"], numbers(name), measured(name)
    tolerance = 1 / 512 + sides.rank_error.sum()
    assert found["kolmogorov_smirnov_statistic"] == pytest.approx(
        values["kolmogorov_smirnov"], abs=tolerance
    )
    # Theirs is in the column's unit, ours in standard deviations.
    moved = found["wasserstein_distance"] * np.sqrt(sides.variance[0, 0])
    assert moved == pytest.approx(values["wasserstein"], abs=0.015)
    cuts = np.nextafter([edges], -np.inf)  # what lies outside has bins of its own
    assert measures.jensen_shannon_distance(*sides.histogram(cuts)) == pytest.approx(
        values["jensen_shannon"], abs=0.02
    )


@pytest.mark.parametrize("name", CATEGORIES)
def test_both_on_categories(name: str) -> None:
    distance = measures.jensen_shannon_distance(*categories(*SAMPLES[name]))
    assert distance == pytest.approx(FROZEN["nannyml"][name]["values"]["jensen_shannon"])
    natural = distance * np.sqrt(np.log(2))
    assert natural == pytest.approx(FROZEN["evidently"][name]["values"]["jensenshannon"])


def test_evidentlys_index_of_categories_without_an_empty_cell() -> None:
    theirs = FROZEN["evidently"]["carriers"]["values"]["psi"]
    # Half a row more in each of four cells of 5,000 or more rows.
    assert theirs > 0.1
    index = measures.population_stability_index(*categories(*SAMPLES["carriers"]))
    assert index == pytest.approx(theirs, rel=5e-4)


def test_evidentlys_index_but_for_what_it_puts_into_empty_cells() -> None:
    """They put a share of 0.0001 into an empty cell, we half a row into each: compared without."""
    old, new = SAMPLES["letters"]
    value = FROZEN["evidently"]["letters"]["values"]["psi"]
    names = np.unique(new)
    p, q = (np.array([np.mean(side == name) for name in names]) for side in (old, new))
    theirs = np.where(p == 0, 0.0001, p)
    assert float(np.sum((theirs - q) * np.log(theirs / q))) == pytest.approx(value)
    filled = p > 0
    common = float(np.sum((p - q)[filled] * np.log(p[filled] / q[filled])))
    shared = categories(*([v for v in side if v in names[filled]] for side in (old, new)))
    q = q[filled] / q[filled].sum()
    exact = float(np.sum((p[filled] - q) * np.log(p[filled] / q)))
    assert measures.population_stability_index(*shared) == pytest.approx(exact, rel=0.02)
    assert common < value
