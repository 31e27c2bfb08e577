"""Which component gets which secret: one table, and environments cut by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.mlflow_server import PASSWORD_VARIABLE
from mlops_airflow.stack.components import COMPONENTS
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.redaction import environment_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_airflow.stack.credentials import Credentials
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["HOLDERS", "USER_CODE", "component_environments"]

#: Components that run the user's code, which may need the user's own secrets. Tasks have the
#: environment of the scheduler, whose children they are.
USER_CODE = frozenset({"scheduler", "dag-processor", "triggerer"})

#: The stack's own secrets, by variable. Airflow's keys are no values but commands that read a file:
#: what inherits the environment of a component, a task above all, does not inherit them.
HOLDERS: Mapping[str, frozenset[str]] = {
    # Encrypts connections, variables and what a trigger is given.
    "AIRFLOW__CORE__FERNET_KEY_CMD": frozenset(
        {"api-server", "scheduler", "dag-processor", "triggerer"}
    ),
    # Signs logins, and the tokens that the scheduler gives its tasks.
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD": frozenset({"api-server", "scheduler"}),
    # Signs sessions of the UI.
    "AIRFLOW__API__SECRET_KEY_CMD": frozenset({"api-server"}),
    # The login of MLflow's clients: tasks. What it is compared with: the server.
    "AIRFLOW_CONN_MLFLOW_DEFAULT": frozenset({"scheduler"}),
    PASSWORD_VARIABLE: frozenset({"mlflow"}),
    # For commands of people, as `mlops run mlflow`.
    "MLFLOW_TRACKING_PASSWORD": frozenset(),
    # Holds every variable of the user's once more.
    "MLOPS_STACK_ENV": USER_CODE,
}


def component_environments(
    settings: StackSettings, credentials: Credentials, outer: Mapping[str, str] | None = None
) -> dict[str, dict[str, str]]:
    """Build the environment of each component, with the secrets it needs and no others.

    Parameters
    ----------
    settings : StackSettings
        The stack to describe.
    credentials : Credentials
        Its secrets.
    outer : Mapping of str to str, optional
        As for `component_environment`.

    Returns
    -------
    dict of str to dict
        Environments by component. Secrets of the user, that is what looks like one in `outer` or
        in the settings, go to the components that run the user's code.
    """
    whole = component_environment(settings, credentials, outer)
    return {
        component: {name: value for name, value in whole.items() if _is_for(component, name, value)}
        for component in COMPONENTS
    }


def _is_for(component: str, name: str, value: str) -> bool:
    if component == "mlflow" and name.startswith("AIRFLOW"):
        return False
    if name in HOLDERS:
        return component in HOLDERS[name]
    return component in USER_CODE or not environment_secrets({name: value})
