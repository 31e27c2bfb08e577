"""Who may do what on our pages: rights on Dags, and writes from Airflow's own pages only."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.common.db.common import SessionDep  # noqa: TC002 - FastAPI reads it
from airflow.api_fastapi.core_api.security import GetUserDep  # noqa: TC002 - FastAPI reads it
from airflow.configuration import conf
from airflow.models import DagModel  # noqa: TID251 - the api-server has the metadata database
from fastapi import HTTPException, Request
from sqlalchemy import select

__all__ = ["require_own_origin", "require_readable_dags"]

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def require_own_origin(request: Request) -> None:
    """Refuse a write that a page of another server sends through somebody's browser.

    The session cookie goes with it, also from another port of the same host. A browser names the
    page in ``Origin``; a program that names none must bring a token of its own.
    """
    if request.method in _READING:
        return
    origin = request.headers.get("origin")
    if origin is None:
        if request.headers.get("authorization", "").lower().startswith("bearer "):
            return
        raise HTTPException(403, "a write needs an Origin header, or a token instead of a cookie")
    if origin.lower() not in {_origin(str(request.base_url)), _origin(conf.get("api", "base_url"))}:
        raise HTTPException(403, f"a write must come from a page of Airflow, not of {origin}")


def require_readable_dags(table: str, user: GetUserDep, session: SessionDep) -> None:
    """Let those read about a table who may read every Dag of its dataset or model.

    A table that no Dag is named after, written by somebody's own Dag, is for those who may read all
    Dags. Who may not learns nothing about what exists.

    Parameters
    ----------
    table : str
        From the address.
    user : BaseUser
        Who is logged in.
    session : Session
        On Airflow's metadata database.
    """
    project = table.partition("__")[0]
    known = set(session.scalars(select(DagModel.dag_id)))
    asked = {dag_id for dag_id in known if dag_id.startswith(f"{project}.")} or known
    allowed = get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session)
    if not asked <= allowed:
        raise HTTPException(403, f"reports of {table!r} are for those who may read its Dags")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
