"""Look at the database of a ledger, and change nothing in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlops_tasks.registry.ledger import ledger_state

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL

__all__ = ["probe_ledger"]


def probe_ledger(url: URL, file: Path | None) -> tuple[bool, str]:
    """Return whether a database can be the ledger, and what it holds.

    Parameters
    ----------
    url : URL
        Of SQLAlchemy.
    file : Path or None
        The file that it opens, of SQLite.

    Returns
    -------
    usable, text : bool, str
        The text names the place, what is wrong and the fix.
    """
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from mlops_tasks.exceptions import MlopsError

    name = url.render_as_string(hide_password=True)
    if file is not None:
        name = str(file)
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            what = "it" if file.exists() else f"in {file.parent}"
            return False, (
                f"ledger {file}: user {os.geteuid()} cannot write {what}; make the folder, give it "
                "to the user that runs the tasks, or set another host in the connection"
            )
        if not file.exists():
            return True, f"{file}: not there yet, it is made at the first use"
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            return True, f"{name}: {ledger_state(connection)}"
    except (ImportError, MlopsError) as error:
        return False, f"{name}: {error}"
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        return False, f"{name}: {reason}. Check host, port, schema, login of the connection"
