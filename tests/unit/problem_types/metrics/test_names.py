"""Names lead to metrics, and errors say which names there are."""

from __future__ import annotations

import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.problem_types.metrics import find_metric, metric_names


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("rocauc", "binary", "did you mean 'roc_auc'"),
        ("mae", "binary", "(it is one of regression)"),
        ("roc_auc", "regression", "(it is one of binary and multiclass)"),
        ("f0", "binary", "f<beta>"),
        ("f0_macro", "multiclass", "f<beta>_macro"),
        ("f", "binary", "f<beta>"),
        ("top_0_accuracy", "multiclass", "top_<k>_accuracy"),
        ("recall_at_precision_0", "binary", "recall_at_precision_<floor>"),
        ("recall_at_precision_1.1", "binary", "recall_at_precision_<floor>"),
        ("pinball_0", "regression", "pinball_<quantile>"),
        ("pinball_1", "regression", "pinball_<quantile>"),
        ("recal[login]", "multiclass", "<metric of binary>[<class>]"),
        ("recall[]", "multiclass", "<metric of binary>[<class>]"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_those_that_do(
    name: str, kind: str, said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        find_metric(name, kind)
    text = str(caught.value)
    assert said in text
    assert f"{name!r} is no metric of {kind}" in text
    assert "package.module:function" in text


def test_titles_are_for_people() -> None:
    titles = {
        ("roc_auc", "binary"): "ROC AUC",
        ("f0.5", "binary"): "F0.5",
        ("recall_at_precision_0.9", "binary"): "recall at a precision of 0.9",
        ("f1_macro", "multiclass"): "macro F1",
        ("top_3_accuracy", "multiclass"): "top-3 accuracy",
        ("recall[a b]", "multiclass"): "recall of a b",
        ("pinball_0.9", "regression"): "pinball loss of the quantile 0.9",
    }
    assert {key: find_metric(*key).title for key in titles} == titles


def test_names_are_listed_by_problem_type() -> None:
    assert metric_names("binary")[0] == "roc_auc"
    assert "top_<k>_accuracy" in metric_names("multiclass")
    assert "mape" in metric_names("regression")
