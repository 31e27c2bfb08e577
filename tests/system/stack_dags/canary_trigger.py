"""A trigger that shows a secret, and the ways in which all of the test's code shows one."""

from __future__ import annotations

import base64
import json
import logging
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def shown(secret: str) -> list[str]:
    """Return texts that give a secret away."""
    return [
        f"raw {secret}",
        f"url {quote(secret, safe='')}",
        f"path {quote(secret)}",
        f"basic {base64.b64encode(f'somebody:{secret}'.encode()).decode()}",
        f"base64 {base64.b64encode(secret.encode()).decode()}",
        f"json {json.dumps({'key': secret})}",
        f"repr {secret!r}",
    ]


class CanaryTrigger(BaseTrigger):
    """Show the secret of the environment in the triggerer's log and in the event."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "canary_trigger.CanaryTrigger", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        for form in shown(os.environ["CANARY_TOKEN"]):
            print(form)  # noqa: T201
            logging.getLogger("leaky").warning("Waiting with %s", form)
        yield TriggerEvent({"done": True})
