from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Baseline, detect_drift
from mlops_tasks.problem_types.binary.classes import (
    LABEL,
    PREDICTED,
    cut_scores,
    positive_share,
    profile_labels,
    with_classes,
)
from mlops_tasks.profiles import Profile


def predictions_of(values: Any) -> Profile:
    scores = pa.array(values, pa.float64())
    rows = pa.record_batch({"score": scores, "speed": pa.nulls(len(scores), pa.float64())})
    return Profile.of([rows], rows.schema)


def scores_of(values: Any) -> Any:
    return predictions_of(values).columns["score"]


def test_labels_are_counted_by_class() -> None:
    profile = profile_labels(pa.chunked_array([[1, 0], [0, 0]]))
    found: Any = profile.columns[LABEL]
    assert (profile.n_rows, found.kind, dict(found.counts)) == (
        4,
        "category",
        {"negative": 3, "positive": 1},
    )
    assert positive_share(found) == 0.25


def test_days_of_one_class_merge_with_others() -> None:
    days = [profile_labels(pa.chunked_array([[label] * 3])) for label in (0, 1, 1)]
    merged: Any = Profile.merged(days).columns[LABEL]
    assert dict(merged.counts) == {"positive": 6, "negative": 3}
    assert positive_share(days[0].columns[LABEL]) == 0.0  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.95])
def test_scores_are_cut_without_reading_them(threshold: float) -> None:
    values = np.random.default_rng(3).beta(2, 5, 20_000)
    found = cut_scores(scores_of(values), threshold)
    true = int((values > threshold).sum())
    assert abs(found.counts.get("positive", 0) - true) <= found.error
    assert 0 < found.error <= 0.002 * len(values)
    assert sum(found.counts.values()) == found.n - found.n_null == len(values)


def test_few_scores_are_cut_exactly_and_a_score_at_the_threshold_is_negative() -> None:
    found = cut_scores(scores_of([0.5, 0.5, 0.6, None, float("nan")]), 0.5)
    assert dict(found.counts) == {"negative": 2, "positive": 1}
    assert (found.n, found.n_null, found.error) == (5, 2, 0)
    assert list(cut_scores(scores_of([0.7, 0.8, 0.1]), 0.5).counts) == ["positive", "negative"]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_no_score_is_no_class(values: list[None]) -> None:
    found = cut_scores(scores_of(values), 0.5)
    assert dict(found.counts) == {}
    assert (found.n, found.n_null) == (len(values), len(values))


def test_a_share_of_positives_that_moved_is_drift_though_the_scores_hardly_did() -> None:
    """A few rows beyond the threshold are one cut of many in the shape of the scores."""
    random = np.random.default_rng(5)

    def scored(share: float) -> Profile:
        n_high = int(share * 3000)
        low, high = random.uniform(0, 0.5, 3000 - n_high), random.uniform(0.5, 1, n_high)
        return with_classes(predictions_of(np.concatenate([low, high])), 0.5)

    month = Baseline.of([scored(0.02) for _ in range(30)])
    quiet, moved = (detect_drift(month, scored(x), window="today") for x in (0.02, 0.05))
    assert [column.name for column in moved.columns if column.alarm] == [PREDICTED]
    assert quiet.alarms == ()
    (told,) = (one.text for one in moved.alarms[0].evidence if one.alarm)
    assert told.startswith("shares positive ")


def test_classes_of_scores_merge_like_those_of_labels() -> None:
    days = [with_classes(predictions_of(values), 0.5) for values in ([0.1, 0.9], [0.2, 0.3])]
    merged: Any = Profile.merged(days)
    assert list(merged.columns) == ["score", PREDICTED]
    assert dict(merged.columns[PREDICTED].counts) == {"negative": 3, "positive": 1}


def test_of_no_rows_there_is_no_share() -> None:
    none = profile_labels(pa.chunked_array([pa.array([], pa.int8())]))
    assert math.isnan(positive_share(none.columns["label"]))  # type: ignore[arg-type]
