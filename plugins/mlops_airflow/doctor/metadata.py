"""What Airflow's metadata database says: schema, pools, Dags that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.doctor.finding import alarm, cannot_tell, fine
from mlops_tasks.exceptions import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.doctor.finding import Finding

__all__ = ["database", "import_errors", "pools"]

_SHOWN = 5


def database() -> Iterator[Finding]:
    """Look whether the database answers and has the schema of the installed Airflow."""
    from airflow import settings
    from airflow.configuration import conf
    from airflow.utils.db import check_migrations  # noqa: TID251 - nothing public asks it
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    url = make_url(conf.get("database", "sql_alchemy_conn"))
    place = f"[database] sql_alchemy_conn: {url.render_as_string(hide_password=True)}"
    try:
        with settings.get_engine().connect():  # type: ignore[no-untyped-call]
            pass
    except SQLAlchemyError as error:
        fix = "start the database, or correct the address"
        yield alarm("metadata", _reason(error), place, fix)
        return
    try:
        check_migrations(0)  # type: ignore[no-untyped-call]
    except TimeoutError:
        found = "is not of the installed Airflow's schema"
        yield alarm("metadata", found, place, "airflow db migrate")
    else:
        yield fine("metadata", "answers, and has the installed Airflow's schema", place)


def pools() -> Iterator[Finding]:
    """Look whether pools have slots: a task of one without any waits for ever."""
    place = "Admin, Pools; airflow pools list"
    found = {pool: n_slots for pool, n_slots in _query("SELECT pool, slots FROM slot_pool")}
    empty = sorted(name for name, n_slots in found.items() if n_slots == 0)
    if "default_pool" not in found:
        yield alarm("pools", "there is no default_pool", place, "airflow db migrate")
    elif empty:
        fix = f"airflow pools set {empty[0]} 16 ''"
        yield alarm("pools", f"without a slot: {', '.join(empty)}", place, fix)
    else:
        shown = ", ".join(f"{name} {n_slots}" for name, n_slots in sorted(found.items()))
        yield fine("pools", f"slots: {shown}", place)


def import_errors() -> Iterator[Finding]:
    """Look for Dag files that Airflow could not read."""
    place = "Dag processor; airflow dags list-import-errors"
    errors = _query("SELECT filename, stacktrace FROM import_error ORDER BY filename")
    n_dags = _query("SELECT count(*) FROM dag")[0][0]
    if errors:
        lines = [f"{file}: {_last_line(trace)}" for file, trace in errors[:_SHOWN]]
        more = [f"{len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
        fix = "correct the file; the whole error is in the UI, above the list of Dags"
        yield alarm("import errors", "; ".join([*lines, *more]), place, fix)
    elif not n_dags:
        found = "Airflow has read no Dag yet"
        yield cannot_tell("import errors", found, place, "start airflow dag-processor")
    else:
        yield fine("import errors", f"none, in {n_dags} Dags", place)


def _last_line(trace: str | None) -> str:
    lines = [line.strip() for line in (trace or "").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"


def _query(statement: str) -> list[Any]:
    from airflow import settings
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with settings.get_engine().connect() as connection:  # type: ignore[no-untyped-call]
            return list(connection.execute(text(statement)))
    except SQLAlchemyError as error:
        raise UnavailableError(f"the metadata database does not say: {_reason(error)}") from error


def _reason(error: Any) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
