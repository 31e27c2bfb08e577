from __future__ import annotations

import pytest

from mlops_airflow.mlflow_server.locations import is_inside

ROOT = "file:///srv/ml%20flow/artifacts"
BUCKET = "s3://mlflow/"


@pytest.mark.parametrize(
    "location",
    [
        ROOT,
        f"{ROOT}/",
        f"{ROOT}/1/models/m-1/artifacts",
        f"{ROOT}/1/a..b/...",
        "mlflow-artifacts:/1/run/artifacts",
        "mlflow-artifacts:/",
        "runs:/0123/model",
        "models:/m-1",
        "models:/flight_delays@champion",
    ],
)
def test_its_own_artifacts_are_inside(location: str) -> None:
    assert is_inside(location, ROOT)
    assert is_inside(location.replace(ROOT, "s3://mlflow"), BUCKET)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "x",
        "/srv/ml flow/artifacts",
        "/srv/ml flow/artifacts/1",
        "file:///srv/ml%20flow",
        "file:///srv/ml%20flow/artifacts2/1",
        "file:///srv/ml flow/artifacts/1",  # another spelling than the server's own
        "file:///srv/m%6c%20flow/artifacts/1",
        "FILE:///srv/ml%20flow/artifacts/1",
        "file://elsewhere/srv/ml%20flow/artifacts/1",
        f"{ROOT}/../dags",
        f"{ROOT}/1/..",
        f"{ROOT}/%2e%2e/dags",
        f"{ROOT}/%252e%252e/dags",
        f"{ROOT}/..%2fdags",
        f"{ROOT}/1/..\\dags",
        f"{ROOT}/1?x=../../dags",
        f"{ROOT}/1#/../../dags",
        f"{ROOT}/1%00",
        f"{ROOT}/1%0a",
        "mlflow-artifacts:/../dags",
        "mlflow-artifacts:/%2e%2e/dags",
        "mlflow-artifacts://evil.example/1",
        "mlflow-artifacts:///../dags",
        "models://other/m-1",
        "runs:/0123/../../dags",
        "s3://mlflow2/1",
        "s3://other/1",
        "dbfs:/x",
        "http://127.0.0.1/x",
        "ftp://evil.example/x",
    ],
)
def test_other_places_are_not(location: str) -> None:
    assert not is_inside(location, ROOT)
    assert not is_inside(location, BUCKET)
