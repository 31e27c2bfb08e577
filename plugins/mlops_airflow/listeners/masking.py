"""Register the secrets of the environment with Airflow's masker, in every process that logs."""

from __future__ import annotations

import os
import sys

from airflow.listeners import hookimpl
from airflow.sdk.log import mask_secret

from mlops_airflow.stack.redaction import environment_secrets
from mlops_airflow.stack.worker_output import mask_worker_output


@hookimpl
def on_starting(component: object) -> None:
    """Mask the environment's secrets before any Dag code runs.

    Parameters
    ----------
    component : object
        The starting component or task. In a task this reaches its supervisor too, which writes the
        task's log.
    """
    secrets = environment_secrets(os.environ)
    if secrets:
        mask_secret([*sorted(secrets)])
    if sys.argv[1:2] == ["scheduler"]:
        # For workers forked from the scheduler itself; the fork server sees to its own.
        mask_worker_output()
