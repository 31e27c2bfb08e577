"""Code that shows every secret it can reach, in every way and from every kind of process."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

from airflow.sdk import BaseOperator, dag
from canary_trigger import CanaryTrigger, shown


class LeakyOperator(BaseOperator):
    """Show the secrets in the task, then from a trigger, then in the error that ends it all."""

    def execute(self, context: object) -> None:
        import subprocess

        from airflow.sdk import Connection, Variable

        canary = Connection.get("canary")
        stored = Connection.get("stored")
        texts = [
            *shown(os.environ["CANARY_TOKEN"]),
            *shown(canary.password or ""),
            *shown(canary.extra_dejson["api_token"]),
            *shown(stored.password or ""),
            *shown(Variable.get("stored_api_key")),
            canary.get_uri(),
            stored.get_uri(),
            str(canary.extra),
            repr(dict(os.environ)),
        ]
        for text in texts:
            print(text)  # noqa: T201
            logging.getLogger("leaky").warning("Connecting with %s", text)
            subprocess.run(["echo", text], check=True)
        self.defer(
            trigger=CanaryTrigger(),
            method_name="fail",
            kwargs={},
            timeout=timedelta(seconds=60),
        )

    def fail(self, context: object, event: object) -> None:
        from airflow.sdk import Connection

        canary = Connection.get("canary")
        raise RuntimeError(f"cannot reach {canary.get_uri()} with {canary.password} {event}")


@dag(schedule=None, tags=["test"])
def leaky() -> None:
    LeakyOperator(task_id="leak")


# The dag-processor has a log of its own for what a file prints.
for name in ("CANARY_TOKEN", "AIRFLOW_CONN_CANARY"):
    for form in shown(os.environ.get(name, "")):
        print(form)  # noqa: T201
        logging.getLogger("leaky").warning("Parsing with %s", form)

leaky()
