"""The app that Airflow's api-server mounts below ``/mlops``. Imported in that process only."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import Depends, FastAPI

from mlops_airflow.ui import reports
from mlops_airflow.ui.access import require_own_origin

__all__ = ["app"]

# Airflow leaves plugin apps open to everybody, and their generated pages even behind a dependency.
app = FastAPI(
    title="MLOps",
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
    dependencies=[Depends(requires_authenticated()), Depends(require_own_origin)],
)
app.include_router(reports.router)
