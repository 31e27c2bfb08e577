"""The verdict, and the first input that differs, by what a repetition gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlops_tasks.registry.reproduction import Distribution, Environment, Fingerprint
from mlops_tasks.registry.reproduction.comparison import TOLERANCE, compare
from mlops_tasks.registry.reproduction.retraining import Answers, Retrained

RECORDED = Fingerprint(
    chosen={"estimator": "shelf.model:build", "random_state": 5},
    spec={"numeric": "['price']", "target": "units"},
    parameters={"forest__depth": "3", "forest__random_state": "5"},
    features="f" * 64,
    target="t" * 64,
    weights="",
    n_rows=100,
    content="c" * 64,
)
HERE = Environment(
    python="3.11.7",
    implementation="CPython",
    system="Linux",
    machine="x86_64",
    libc="glibc 2.36",
    cpu=("X86_V2", "X86_V3"),
    blas=("openblas 0.3 for Haswell",),
    threads={"allowed": 2},
    own={"mlops_tasks": "d" * 64},
    distributions=(
        Distribution("numpy", "2.4.6", files="n" * 64),
        Distribution("ours", "1", local=True),
        Distribution("scikit-learn", "1.9.1", files="s" * 64),
    ),
)
SAME = Answers("evaluation", 50, 0, 0.0)
CLOSE = Answers("evaluation", 50, 3, TOLERANCE)
FAR = Answers("evaluation", 50, 3, TOLERANCE * 1.01)
OTHER = {"content": "x" * 64}


def found(answers: Answers = SAME, environment: Environment = HERE, **changes: Any) -> Retrained:
    return Retrained(replace(RECORDED, **changes), environment, answers, fit_s=1.0)


def test_the_same_content_is_exact() -> None:
    assert compare(RECORDED, HERE, found()) == ("exact", ())


@pytest.mark.parametrize(
    ("answers", "changes", "verdict"),
    [
        (SAME, OTHER, "within tolerance"),
        (CLOSE, OTHER, "within tolerance"),
        (FAR, OTHER, "failed"),
        (FAR, {}, "failed"),
        (CLOSE, {}, "within tolerance"),
        (Answers("training", 0, 0, 0.0), OTHER, "failed"),
    ],
)
def test_another_content_is_judged_by_its_predictions(
    answers: Answers, changes: dict[str, Any], verdict: str
) -> None:
    assert compare(RECORDED, HERE, found(answers, **changes))[0] == verdict


@pytest.mark.parametrize(
    ("changes", "first", "text"),
    [
        ({"features": "e" * 64}, "features", "ffffffffffff recorded, eeeeeeeeeeee now"),
        (
            {"features": "e" * 64, "n_rows": 90},
            "features",
            "ffffffffffff recorded, eeeeeeeeeeee now of 100 and 90 rows",
        ),
        ({"target": "u" * 64}, "target", "tttttttttttt recorded, uuuuuuuuuuuu now"),
        ({"weights": "w" * 64}, "weights", "none recorded, wwwwwwwwwwww now"),
        (
            {"parameters": {"forest__depth": "4", "forest__random_state": "5"}},
            "parameters",
            "forest__depth 3 recorded, 4 now",
        ),
        ({"spec": {"numeric": "['price']", "target": "u"}}, "parameters", "target units rec"),
        ({"chosen": {"random_state": 5}}, "parameters", "estimator shelf.model:build recorded, n"),
        (
            {"parameters": {"forest__depth": "3", "forest__random_state": "6"}},
            "seed",
            "forest__random_state 5 recorded, 6 now",
        ),
        (
            {"chosen": {"estimator": "shelf.model:build", "random_state": 6}},
            "seed",
            "random_state 5 recorded, 6 now",
        ),
        ({}, "model content", "cccccccccccc recorded, xxxxxxxxxxxx now"),
    ],
)
def test_the_first_that_differs_is_a_cause(changes: dict[str, Any], first: str, text: str) -> None:
    _, differing = compare(RECORDED, HERE, found(FAR, **OTHER, **changes))
    assert differing[0].what == first
    assert differing[0].text.startswith(text)
    assert differing[-1].what == "predictions"
    assert differing[-1].text == "3 of 50 rows of the evaluation differ, by 1.01e-06 at most"


def test_a_seed_that_nobody_set_is_named_only_where_the_model_differs() -> None:
    unseeded = replace(RECORDED, parameters={"forest__random_state": "None"})
    same = Retrained(unseeded, HERE, SAME, 1.0)
    assert compare(unseeded, HERE, same) == ("exact", ())
    other = replace(same, fingerprint=replace(unseeded, **OTHER), answers=FAR)
    verdict, differing = compare(unseeded, HERE, other)
    assert (verdict, differing[0].what) == ("failed", "seed")
    assert differing[0].text == "forest__random_state is not set: every fit draws anew"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"python": "3.11.8"}, "python 3.11.7 recorded, 3.11.8 now"),
        ({"cpu": ("X86_V2",)}, "cpu X86_V2+X86_V3 recorded, X86_V2 now"),
        ({"threads": {"allowed": 1}}, "threads allowed 2 recorded, allowed 1 now"),
        (
            {"distributions": (Distribution("numpy", "2.4.5"), *HERE.distributions[1:])},
            "numpy 2.4.6 recorded, 2.4.5 now",
        ),
        (
            {"distributions": (Distribution("numpy", "2.4.6", files="m"), *HERE.distributions[1:])},
            "numpy 2.4.6 with other files",
        ),
        ({"distributions": HERE.distributions[1:]}, "numpy 2.4.6 is not installed"),
        ({"distributions": ()}, "numpy 2.4.6 is not installed; scikit-learn 1.9.1 is not inst"),
        (
            {"python": "4", "libc": "", "blas": (), "cpu": ()},
            "python 3.11.7 recorded, 4 now; libc glibc 2.36 recorded,  now; cpu X86_V2+X86_V3 "
            "recorded,  now; and 1 more",
        ),
    ],
)
def test_another_environment_is_named_and_does_not_decide(
    changes: dict[str, Any], text: str
) -> None:
    there = replace(HERE, **changes)
    verdict, (first,) = compare(RECORDED, HERE, found(environment=there))
    assert (verdict, first.what) == ("exact", "environment")
    assert first.text.startswith(text)
    verdict, differing = compare(RECORDED, HERE, found(FAR, there, **OTHER))
    assert (verdict, differing[0].what) == ("failed", "environment")


def test_what_is_installed_besides_or_was_local_does_not_count() -> None:
    more = Distribution("zipp", "4")
    there = replace(HERE, distributions=(HERE.distributions[0], HERE.distributions[2], more))
    assert compare(RECORDED, HERE, found(environment=there)) == ("exact", ())
