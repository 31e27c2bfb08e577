"""Airflow plugin of this package: what Airflow loads into each of its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from mlops_airflow.listeners import masking, preload
from mlops_airflow.partition_mappers import CoarserMapper, FinerWindow, KeyMapper, VersionMapper
from mlops_airflow.timetables import ScheduleTimetable
from mlops_airflow.ui import fastapi_apps, root_middlewares

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["MlopsPlugin"]


class MlopsPlugin(AirflowPlugin):
    """Register listeners, timetables and pages; loaded by entry point: it imports nothing heavy."""

    name = "mlops"
    listeners: list[ModuleType | object] = [masking, preload]  # noqa: RUF012 - Airflow's own type
    timetables: list[type] = [ScheduleTimetable]  # noqa: RUF012 - Airflow's own type
    partition_mappers: list[type] = [  # noqa: RUF012 - Airflow's own type
        CoarserMapper,
        KeyMapper,
        VersionMapper,
    ]
    windows: list[type] = [FinerWindow]  # noqa: RUF012 - Airflow's own type
    fastapi_apps: list[Any] = fastapi_apps()
    fastapi_root_middlewares: list[Any] = root_middlewares()
