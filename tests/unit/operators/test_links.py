from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlops_airflow.links import MlflowModelVersionLink, MlflowRunLink, TimelineLink


@pytest.mark.parametrize(
    ("link", "attribute"),
    [
        (MlflowRunLink(), "mlflow_run_url"),
        (MlflowModelVersionLink(), "mlflow_version_url"),
        (TimelineLink(), "timeline_url"),
    ],
)
def test_a_link_is_what_the_task_left(link: object, attribute: str) -> None:
    operator = SimpleNamespace(**{attribute: "http://mlflow/#/x"})
    assert link.get_link(operator, ti_key=None) == "http://mlflow/#/x"


@pytest.mark.parametrize("link", [MlflowRunLink(), MlflowModelVersionLink(), TimelineLink()])
def test_a_task_that_made_nothing_has_no_link(link: object) -> None:
    assert link.get_link(SimpleNamespace(), ti_key=None) == ""


def test_their_names_are_what_the_buttons_say() -> None:
    assert [MlflowRunLink().name, MlflowModelVersionLink().name] == ["MLflow run", "Model version"]
