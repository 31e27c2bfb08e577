"""The environment that a version was trained in."""

from __future__ import annotations

import json
import platform
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["environment_of"]

_FILE = "environment.json"


def environment_of(version: RegisteredVersion, *, tracking: Tracking) -> dict[str, Any]:
    """Return what the training has recorded; of an older one, what the pack was made in."""
    if _FILE in version.artifacts:
        recorded: dict[str, Any] = json.loads(tracking.read_artifact(version, _FILE))
        return recorded | {"recorded_by": "the training"}
    return _this_one() | {
        "recorded_by": "the making of this pack",
        "why_not": "the training has not recorded its environment; this one made the pack",
    }


def _this_one() -> dict[str, Any]:
    found = {one.metadata["Name"]: one.version for one in distributions()}
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "distributions": [
            {"name": name.lower(), "version": found[name]} for name in sorted(found) if name
        ],
    }
