"""Whether anything phones home."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlops_airflow.doctor.finding import alarm, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.doctor.finding import Finding

__all__ = ["telemetry"]

#: By reader, its switches, and what it takes for off: MLflow wants the word for each of its two.
_SWITCHES = {
    "MLflow": (("MLFLOW_DISABLE_TELEMETRY", {"true", "1"}), ("DO_NOT_TRACK", {"true"})),
    "GX": (("GX_ANALYTICS_ENABLED", {"false", "0"}),),
}
_PLACE = "environment of scheduler, workers and api-server; here, of this command"


def telemetry() -> Iterator[Finding]:
    """Look at the switches of each library in this environment."""
    for reader, switches in _SWITCHES.items():
        check = f"{reader} telemetry"
        off = [name for name, values in switches if os.environ.get(name, "").lower() in values]
        if off:
            yield fine(check, f"off, by {off[0]}", _PLACE)
        else:
            name, values = switches[0]
            yield alarm(check, "on", _PLACE, f"{name}={max(values, key=len)}")
