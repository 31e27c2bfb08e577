"""Every measure of drift says its formula, its range and unit, its source, and shows an example."""

from __future__ import annotations

import inspect
import re

import pytest

from mlops_tasks.drift import detection, effects, measures

#: Measures return one number per column; the other function gathers them.
MEASURES = [name for name in measures.__all__ if name != "measure_all"]
#: What decides: effect sizes, and what counts as another schema.
DECIDING = [effects.CohensD, effects.CohensH]
UNIT = r"nats|unitless|standard deviations|share"
RANGE = r"[Ff]rom -?\d|at least \d"
SOURCE = r"\w+ \((18|19|20)\d\d\), [A-Z]"


def section(documented: object, title: str) -> str:
    text = inspect.getdoc(documented) or ""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def test_the_measures_are_found() -> None:
    assert len(MEASURES) >= 7


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_documented_in_full(name: str) -> None:
    measure = getattr(measures, name)
    assert re.search(r"``[^`]+``|square root of", section(measure, "Notes")), "no formula"
    assert re.search(RANGE, section(measure, "Returns")), "no range"
    assert re.search(UNIT, section(measure, "Returns")), "no unit"
    assert "NaN" in section(measure, "Returns"), "nothing on NaN"
    assert re.search(SOURCE, section(measure, "References")), "no source"
    assert f"{name}(" in section(measure, "Examples"), "no example"


@pytest.mark.parametrize("effect", DECIDING)
def test_what_decides_is_documented_in_full(effect: type) -> None:
    notes = section(effect, "Notes")
    assert re.search(r"``[^`]*=[^`]+``", notes), "no formula"
    assert re.search(RANGE, notes), "no range"
    assert re.search(UNIT, notes), "no unit"
    assert re.search(SOURCE, section(effect, "References")), "no source"
    assert "squared(" in section(effect, "Examples"), "no example"


def test_schemas_have_an_example() -> None:
    assert "compare_schemas(" in section(detection.compare_schemas, "Examples")
