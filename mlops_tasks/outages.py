"""Distinguish an outage, which passes by itself, from a failure that every try would repeat."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import MlopsError, StorageFullError, TransientError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["database_code", "outage", "outages_named"]

_FULL = {errno.ENOSPC, errno.EDQUOT}
# What an operating system says of a neighbour, a disk or itself that is in trouble now.
_PASSING = {
    *(errno.EAGAIN, errno.EBUSY, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE),
    *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH),
    *(errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT),
}
# Many requests, too early, and every failure of the server's own.
_BUSY_HTTP = {408, 425, 429}
# Libraries whose every error of these names means that no answer came.
_NO_ANSWER = {
    "requests": {"ConnectionError", "Timeout", "ChunkedEncodingError", "ContentDecodingError"},
    "urllib3": {"MaxRetryError", "ProtocolError", "TimeoutError", "NewConnectionError"},
    "httpx": {"TransportError"},
    "httpcore": {"NetworkError", "TimeoutException", "ProtocolError"},
}
# Libraries whose errors of these names report an outage only in words, others in the same class.
_IN_WORDS = {
    "sqlalchemy": {"OperationalError", "InterfaceError", "InternalError", "TimeoutError"},
    "sqlite3": {"OperationalError"},
    "psycopg2": {"OperationalError", "InterfaceError", "InternalError"},
    "pymysql": {"OperationalError", "InterfaceError", "InternalError"},
    "adbc_driver_manager": {"Error"},
    "_duckdb": {"IOException", "HTTPException"},
    "_internal": {"DeltaError"},  # of deltalake
    "botocore": {"BotoCoreError", "ClientError"},
}
# How the codes of SQLite and PostgreSQL begin: busy, disk, memory; connection, rolled back,
# resources, operator, a lock that was not to be had.
_PASSING_CODES = (
    *(f"SQLITE_{name}" for name in ("BUSY", "LOCKED", "IOERR", "NOMEM", "PROTOCOL")),
    *("08", "40", "53", "57", "55P03"),
)
_LOST = re.compile(
    r"database is locked|database table is locked|disk i/o error|deadlock|lock wait timeout"
    r"|server has gone away|lost connection|connection (was )?(refused|reset|closed|timed out"
    r"|terminated)|could not connect|can't connect|connection to server|server closed"
    r"|terminating connection|administrator command|starting up|shutting down|recovery mode"
    r"|too many (connections|clients)|remaining connection slots|timed? ?out|timeout"
    r"|could not translate host name|name resolution|broken pipe|ssl connection has been closed"
    r"|\beof\b|could not (send|receive) data|network is unreachable|no route to host"
    r"|error sending request|network_connection|slow_?down|service ?unavailable|internal ?error"
    r"|\b50[0234]\b|\b429\b|tcp connect error|dns error|error trying to connect",
    re.IGNORECASE,
)
_NO_SPACE = re.compile(r"no space left|disk (is )?full|database or disk is full|quota", re.I)
# Said by the same error classes, and in the same breath, of what no waiting fixes.
_REFUSED = re.compile(
    r"authentication failed|access.?denied|no pg_hba|does not exist|unknown database|no such table"
    r"|permission denied|password|syntax error|readonly database|forbidden|unauthorized"
    r"|invalidaccesskey|signaturedoesnotmatch|nosuchbucket",
    re.IGNORECASE,
)
_MLFLOW_NO_ANSWER = re.compile(r"^API request to \S+ failed with (timeout )?exception")


def outage(error: BaseException) -> TransientError | None:
    """Return what to raise instead of a library's error that reports an outage, else None.

    Parameters
    ----------
    error : BaseException
        Of a library; what it was raised from counts too.

    Returns
    -------
    TransientError or None
        None for errors of this project, which say themselves whether a retry helps, and for every
        other failure.

    Examples
    --------
    >>> outage(ConnectionRefusedError("connection refused"))
    UnavailableError('a service does not answer: ConnectionRefusedError: connection refused; ...')
    >>> outage(FileNotFoundError("features.sql"))
    """
    if isinstance(error, MlopsError):
        return None
    for one in _causes(error):
        if _full(one):
            return StorageFullError(
                f"a disk is full: {_short(one)}; nothing was published. Free space on it; the task "
                "tries again by itself"
            )
        if _unanswered(one):
            return UnavailableError(
                f"a service does not answer: {_short(one)}; nothing was published. Check that it "
                "is up; the task tries again by itself"
            )
    return None


@contextmanager
def outages_named() -> Iterator[None]:
    """Raise `TransientError` inside the block where a library reports an outage.

    Raises
    ------
    TransientError
        From the library's error.
    """
    try:
        yield
    except Exception as error:
        if (transient := outage(error)) is not None:
            raise transient from error
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, newest first."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    return _speaks_of_io(error) and bool(_NO_SPACE.search(str(error)))


def _unanswered(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _PASSING
    if _NO_ANSWER.get(_library(error), set()) & {kind.__name__ for kind in type(error).__mro__}:
        return True
    if (status := _http_status(error)) is not None:
        return status in _BUSY_HTTP or status >= 500
    if getattr(error, "connection_invalidated", False):  # SQLAlchemy knows its drivers
        return True
    if database_code(error).startswith(_PASSING_CODES):
        return True
    text = str(error)
    return _speaks_of_io(error) and bool(_LOST.search(text)) and not _REFUSED.search(text)


def database_code(error: Any) -> str:
    """Return the code that SQLite or PostgreSQL gave an error; empty where they gave none."""
    driver = getattr(error, "orig", None) or error
    names = ("sqlite_errorname", "pgcode")
    return next((str(code) for name in names if (code := getattr(driver, name, None))), "")


def _http_status(error: BaseException) -> int | None:
    """Return the status of an answer that an error reports; None if there was no answer."""
    if _library(error) == "mlflow":
        return _mlflow_status(error)
    answer = getattr(error, "response", None)
    status = getattr(answer, "status_code", None)
    return status if isinstance(status, int) else None


def _mlflow_status(error: Any) -> int | None:
    """Return the status MLflow's server gave; its client calls its own mistakes a 500 as well."""
    text = str(error)
    if _MLFLOW_NO_ANSWER.match(text):
        return 503
    if found := re.search(r"failed with error code (\d{3})", text):
        return int(found[1])
    return int(error.get_http_status_code()) if type(error).__name__ == "RestException" else None


def _speaks_of_io(error: BaseException) -> bool:
    """Say whether an error comes from what talks to disks, databases or object stores."""
    if isinstance(error, OSError):
        return True
    names = _IN_WORDS.get(_library(error), set())
    return bool(names & {kind.__name__ for kind in type(error).__mro__})


def _library(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
