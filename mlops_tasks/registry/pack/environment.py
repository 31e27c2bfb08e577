"""The environment that a version was trained in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.artifacts import ENVIRONMENT
from mlops_tasks.registry.reproduction import Environment

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["environment_of"]


def environment_of(version: RegisteredVersion, *, tracking: Tracking) -> dict[str, Any]:
    """Return what the training has recorded; of an older one, what the pack was made in."""
    if ENVIRONMENT in version.artifacts:
        recorded: dict[str, Any] = json.loads(tracking.read_artifact(version, ENVIRONMENT))
        return recorded | {"recorded_by": "the training"}
    here: dict[str, Any] = json.loads(Environment.of_this_process().packed())
    return here | {
        "recorded_by": "the making of this pack",
        "why_not": "the training has not recorded its environment; this one made the pack",
    }
