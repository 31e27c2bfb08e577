"""Airflow plugin of this package: what Airflow loads into each of its processes."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from mlops_airflow.listeners import masking, preload


class MlopsPlugin(AirflowPlugin):
    """Register the listeners; loaded by entry point, so it must import nothing heavy."""

    name = "mlops"
    listeners: ClassVar[list[Any]] = [masking, preload]
