"""All checks, in the order in which they are shown; one that fails itself cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.doctor import (
    configuration,
    connections,
    dag_files,
    installation,
    metadata,
    sources,
    telemetry,
)
from mlops_airflow.doctor.finding import cannot_tell
from mlops_tasks.exceptions import MlopsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_airflow.doctor.finding import Finding

__all__ = ["examine"]

CHECKS: dict[str, Callable[[], Iterable[Finding]]] = {
    "python": installation.python,
    "packages": installation.packages,
    "provider": installation.provider,
    "plugin": installation.plugin,
    "plugins folder": installation.plugins_folder,
    "executor": configuration.executor,
    "preload": configuration.preload,
    "slots": configuration.slots,
    "[mlops]": configuration.own_section,
    "zones": configuration.zones,
    "test buttons": configuration.test_buttons,
    "telemetry": telemetry.telemetry,
    "metadata": metadata.database,
    "pools": metadata.pools,
    "import errors": metadata.import_errors,
    "dag files": dag_files.dag_files,
    "lake": connections.lake,
    "ledger": connections.ledger,
    "mlflow": connections.mlflow,
    "sources": sources.sources,
}


def examine() -> list[Finding]:
    """Look at everything that the loop needs of the Airflow of this environment.

    Returns
    -------
    list of Finding
        In a fixed order; nothing is changed.
    """
    return [finding for name, check in CHECKS.items() for finding in _guarded(name, check)]


def _guarded(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # one check that cannot be made must not hide the others
        name_of_it = "" if isinstance(error, MlopsError) else f"{type(error).__name__}: "
        text = " ".join(f"{name_of_it}{error}".split())
        return [cannot_tell(name, text[:300], "this check itself")]
