"""The two classes of a model as a column of a profile: of labels, and of scores that are cut."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from mlops_tasks.profiles import CategoryProfile, Profile

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.profiles import ColumnProfile, NumericProfile

__all__ = [
    "LABEL",
    "PREDICTED",
    "SCORE",
    "cut_scores",
    "positive_share",
    "profile_labels",
    "with_classes",
]

LABEL, PREDICTED, SCORE = "label", "predicted_class", "score"
_CLASSES = (_NEGATIVE, _POSITIVE) = ("negative", "positive")


def profile_labels(targets: pa.ChunkedArray) -> Profile:
    """Profile the classes of some rows, from targets 0 or 1, as the column ``label``.

    >>> import pyarrow as pa
    >>> dict(profile_labels(pa.chunked_array([[0, 1, 0]])).columns["label"].counts)
    {'negative': 2, 'positive': 1}
    """
    import pyarrow as pa

    codes = pa.array(targets.to_numpy(), pa.int8())
    named = pa.DictionaryArray.from_arrays(codes, pa.array(_CLASSES))
    rows = pa.record_batch({LABEL: named})
    return Profile.of([rows], rows.schema)


def cut_scores(scores: NumericProfile, threshold: float) -> CategoryProfile:
    """Return the classes that a model predicts, from the profile of its scores; reads no row.

    A row is positive if its score is above the threshold. Rows by class are off by `error` at most:
    none while the profile holds all scores, else its `rank_error`, in rows. Rows without a finite
    score are null.

    >>> import pyarrow as pa
    >>> rows = pa.record_batch({"score": [0.1, 0.5, 0.7, 0.9]})
    >>> scores = Profile.of([rows], rows.schema).columns["score"]
    >>> dict(cut_scores(scores, 0.5).counts)
    {'negative': 2, 'positive': 2}
    """
    n = scores.n_finite
    n_negative = round(float(scores.cdf([threshold])[0]) * n) if n else 0
    counted = sorted(zip(_CLASSES, (n_negative, n - n_negative), strict=True), key=lambda x: -x[1])
    return CategoryProfile(
        n=scores.n,
        n_null=scores.n - n,
        counts={name: rows for name, rows in counted if rows},
        error=math.ceil(scores.rank_error * n),
        is_exact=True,
    )


def with_classes(predictions: Profile, threshold: float) -> Profile:
    """Return a profile of ``score`` and the ``predicted_class`` that is cut from it, alone."""
    scores = cast("NumericProfile", predictions.columns[SCORE])
    columns: dict[str, ColumnProfile] = {SCORE: scores, PREDICTED: cut_scores(scores, threshold)}
    return Profile.of_columns(predictions.n_rows, columns)


def positive_share(classes: CategoryProfile) -> float:
    """Return the share of the positive class among rows that have a class; NaN if none has."""
    present = classes.n - classes.n_null
    return classes.counts.get(_POSITIVE, 0) / present if present else math.nan
