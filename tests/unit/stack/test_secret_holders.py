"""Each component gets the secrets it needs; tests/system/test_stack.py reads them off processes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.mlflow_server import PASSWORD_VARIABLE
from mlops_airflow.stack.components import COMPONENTS, component_commands
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.secret_holders import HOLDERS, USER_CODE, component_environments

if TYPE_CHECKING:
    from mlops_airflow.stack.credentials import Credentials
    from mlops_airflow.stack.settings import StackSettings

KEYS = {
    "AIRFLOW__CORE__FERNET_KEY_CMD",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD",
    "AIRFLOW__API__SECRET_KEY_CMD",
}
#: What the user's shell may hold, and may be needed by code of the user's.
OURS = {
    "AIRFLOW_CONN_SHOP": json.dumps({"conn_type": "mysql", "password": "shop-password"}),
    "AIRFLOW_CONN_OTHER": "postgres://me:other-password@db/x",
    "AIRFLOW_VAR_API_KEY": "variable-secret",
    "AWS_SECRET_ACCESS_KEY": "aws-secret-value",
}


@pytest.fixture
def environments(settings: StackSettings, credentials: Credentials) -> dict[str, dict[str, str]]:
    return component_environments(settings, credentials, OURS | {"LANG": "C", "PATH": "/bin"})


def test_every_component_has_one(
    settings: StackSettings, environments: dict[str, dict[str, str]]
) -> None:
    assert set(environments) == set(component_commands(settings)) == set(COMPONENTS)
    assert set().union(*HOLDERS.values()) <= set(COMPONENTS)
    assert all(env["LANG"] == "C" and env["PATH"] for env in environments.values())


@pytest.mark.parametrize(
    ("component", "keys"),
    [
        ("mlflow", set()),
        ("api-server", KEYS),
        ("scheduler", KEYS - {"AIRFLOW__API__SECRET_KEY_CMD"}),
        ("triggerer", {"AIRFLOW__CORE__FERNET_KEY_CMD"}),
        ("dag-processor", {"AIRFLOW__CORE__FERNET_KEY_CMD"}),
    ],
)
def test_airflows_keys(
    environments: dict[str, dict[str, str]], component: str, keys: set[str]
) -> None:
    assert KEYS & set(environments[component]) == keys


def test_no_key_of_airflow_is_in_any_environment(
    environments: dict[str, dict[str, str]], credentials: Credentials
) -> None:
    text = json.dumps(environments)
    keys = (credentials.fernet_key, credentials.jwt_secret, credentials.api_secret_key)
    assert not [key for key in (*keys, credentials.admin_password) if key in text]


def test_mlflows_password_is_with_the_server_and_its_clients(
    environments: dict[str, dict[str, str]], credentials: Credentials
) -> None:
    holders = {
        component: {name for name, value in env.items() if credentials.mlflow_password in value}
        for component, env in environments.items()
    }
    assert holders == {
        "mlflow": {PASSWORD_VARIABLE},
        "scheduler": {"AIRFLOW_CONN_MLFLOW_DEFAULT"},  # its tasks
        "api-server": set(),
        "triggerer": set(),
        "dag-processor": set(),
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_secrets_of_the_user_are_with_code_of_the_user(
    environments: dict[str, dict[str, str]], component: str
) -> None:
    env = environments[component]
    assert {name: env[name] for name in OURS if name in env} == (
        OURS if component in USER_CODE else {}
    )


def test_extra_variables_are_the_users_too(
    settings: StackSettings, credentials: Credentials
) -> None:
    extra = replace(settings, extra_env={"SHOP_TOKEN": "extra-secret", "PLAIN": "x"})

    environments = component_environments(extra, credentials, {})

    holders = {name for name, env in environments.items() if "extra-secret" in json.dumps(env)}
    assert holders == USER_CODE
    assert all(env["PLAIN"] == "x" for env in environments.values())


def test_mlflow_knows_nothing_of_airflow(environments: dict[str, dict[str, str]]) -> None:
    assert not [name for name in environments["mlflow"] if name.startswith("AIRFLOW")]


def test_a_person_has_everything(settings: StackSettings, credentials: Credentials) -> None:
    env = component_environment(settings, credentials, OURS)
    assert OURS.items() <= env.items()
    assert set(HOLDERS) <= set(env)
    assert env["MLFLOW_TRACKING_PASSWORD"] == credentials.mlflow_password
