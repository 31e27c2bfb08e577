"""Bring a ledger to the schema of this code, whichever version of the project made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["SCHEMA", "is_current", "ledger_state", "upgrade"]

SCHEMA = "0004"
_VERSION_TABLE = "ledger_version"


def is_current(connection: Connection) -> bool:
    """Say whether the ledger has the schema of this code; refuse a newer one."""
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(_VERSION_TABLE):
        return False
    version = sa.table(_VERSION_TABLE, sa.column("version_num", sa.String))
    found = connection.scalar(sa.select(version.c.version_num))
    if found is not None and found > SCHEMA:
        raise LedgerError(
            f"the ledger has schema {found}, this version of mlops-airflow knows schemas up to "
            f"{SCHEMA}; nothing was read or written. Upgrade mlops-airflow here too, or restore "
            "the backup of the ledger from before the upgrade"
        )
    return bool(found == SCHEMA)


def ledger_state(connection: Connection) -> str:
    """Return in words what ledger a database holds; refuse a newer one.

    Parameters
    ----------
    connection : Connection
        Of SQLAlchemy; nothing is written.

    Returns
    -------
    str
        Its schema, and what happens at its first use if that is not today's.
    """
    import sqlalchemy as sa

    if is_current(connection):
        n_entries = connection.scalar(sa.select(sa.func.count()).select_from(sa.table("entry")))
        return f"schema {SCHEMA}, {n_entries} entries"
    if sa.inspect(connection).has_table(_VERSION_TABLE):
        return f"of an older schema: it is brought to {SCHEMA} at its first use"
    return "no ledger yet: its tables are made at the first use"


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, all or none of them.

    The transaction is one that writes: nobody else upgrades meanwhile.
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    if is_current(connection):
        return
    folder = str(Path(__file__).with_name("migrations"))
    scripts: Any = ScriptDirectory(folder, version_locations=[folder])
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": _VERSION_TABLE,
            "transactional_ddl": True,
            "fn": lambda revision, _: scripts._upgrade_revs("head", revision),
        },
    )
    with Operations.context(context):
        context.run_migrations()
