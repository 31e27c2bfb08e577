"""What counts as an outage: real errors of real libraries wherever one can be had cheaply."""

from __future__ import annotations

import errno
import http.server
import socket
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import (
    MlopsError,
    SchemaMismatchError,
    StorageFullError,
    TransientError,
    UnavailableError,
)
from mlops_tasks.outages import database_code, outage, outages_named
from mlops_tasks.registry.tracking import Tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def raised_by(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bytes], str]]:
    """Start servers on loopback that give one answer to everything, and do not ask again."""
    for name in ("MAX_RETRIES", "BACKOFF_FACTOR"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "0")
    servers: list[http.server.HTTPServer] = []

    def start(status: int, body: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        servers.append(http.server.HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_mlflow_that_is_down(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = Tracking(f"http://127.0.0.1:{closed_port}")
    error = raised_by(lambda: tracking.by_version("m", "1"))
    assert isinstance(outage(error), UnavailableError)


@pytest.mark.parametrize(
    ("status", "body", "passes"),
    [
        (503, b"", True),
        (502, b"<html>bad gateway</html>", True),
        (500, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "locked"}', True),
        (500, b'{"error_code": "INTERNAL_ERROR", "message": "database is locked"}', True),
        (429, b"", True),
        (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}', False),
        (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "timeout"}', False),
        (401, b"", False),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', False),
    ],
)
def test_what_mlflow_answers(
    answering: Callable[[int, bytes], str], status: int, body: bytes, passes: bool
) -> None:
    tracking = Tracking(answering(status, body))
    error = raised_by(lambda: tracking.by_version("m", "1"))
    assert (outage(error) is not None) == passes, error


def test_mlflows_own_mistakes_are_no_outage(tracking: Tracking) -> None:
    error = raised_by(lambda: tracking.by_version("never", "1"))
    assert outage(error) is None


@pytest.mark.parametrize("driver", ["postgresql+psycopg2", "mysql+pymysql"])
def test_a_database_server_that_is_down(closed_port: int, driver: str) -> None:
    engine = sa.create_engine(f"{driver}://user:word@127.0.0.1:{closed_port}/db")
    error = raised_by(engine.connect)
    assert isinstance(outage(error), UnavailableError)


def test_a_file_that_another_process_has_locked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.01})
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        error = raised_by(lambda: engine.connect().exec_driver_sql("SELECT * FROM sqlite_master"))
    finally:
        holder.close()
        engine.dispose()
    assert isinstance(outage(error), UnavailableError)


def database_error(text: str) -> Exception:
    return sa.exc.OperationalError("SELECT 1", {}, Exception(text))


@pytest.mark.parametrize(
    "text",
    [
        "server closed the connection unexpectedly",
        "terminating connection due to administrator command",
        "the database system is starting up",
        "the database system is in recovery mode",
        "FATAL: sorry, too many clients already",
        "canceling statement due to lock timeout",
        "could not translate host name",
        "(2006, 'MySQL server has gone away')",
        "(2013, 'Lost connection to MySQL server during query')",
        "disk I/O error",
        "deadlock detected",
    ],
)
def test_what_a_database_says_while_it_is_away(text: str) -> None:
    assert isinstance(outage(database_error(text)), UnavailableError)


@pytest.mark.parametrize(
    ("name", "code", "passes"),
    [
        ("sqlite_errorname", "SQLITE_BUSY_SNAPSHOT", True),
        ("sqlite_errorname", "SQLITE_IOERR_READ", True),
        ("sqlite_errorname", "SQLITE_CORRUPT", False),
        ("sqlite_errorname", "SQLITE_CONSTRAINT_UNIQUE", False),
        ("pgcode", "40001", True),
        ("pgcode", "57P01", True),
        ("pgcode", "55P03", True),
        ("pgcode", "55006", False),
        ("pgcode", "23505", False),
    ],
)
def test_what_a_database_says_in_a_code(name: str, code: str, passes: bool) -> None:
    driver = Exception("in another language")
    setattr(driver, name, code)
    for error in (driver, sa.exc.ProgrammingError("SELECT 1", {}, driver)):
        assert database_code(error) == code
        assert (outage(error) is not None) is passes


@pytest.mark.parametrize(
    "text",
    [
        'connection to server at "db" failed: FATAL: password authentication failed for user "x"',
        'connection to server at "db" failed: FATAL: database "x" does not exist',
        'connection to server at "db" failed: FATAL: no pg_hba.conf entry for host',
        "(1045, \"Access denied for user 'x'\")",
        "no such table: entry",
        "attempt to write a readonly database",
    ],
)
def test_what_no_waiting_changes_at_a_database(text: str) -> None:
    assert outage(database_error(text)) is None


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        ConnectionResetError("reset"),
        BrokenPipeError("pipe"),
        TimeoutError("timed out"),
        OSError(errno.EHOSTUNREACH, "no route"),
        OSError(errno.EMFILE, "too many open files"),
        OSError(errno.EIO, "input/output error"),
        OSError("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7"),
        OSError("AWS Error SLOW_DOWN during PutObject operation: please reduce your rate"),
    ],
)
def test_what_disks_and_networks_say(error: Exception) -> None:
    assert isinstance(outage(error), UnavailableError)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "no space left on device"),
        OSError(errno.EDQUOT, "quota exceeded"),
        OSError("Error writing bytes to file. Detail: No space left on device"),
        database_error("database or disk is full"),
        duckdb.IOException("Could not write all bytes to file: No space left on device"),
    ],
)
def test_a_full_disk_is_worth_waiting_for(error: Exception) -> None:
    assert isinstance(outage(error), StorageFullError)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("features.sql"),
        PermissionError("no"),
        OSError("AWS Error ACCESS_DENIED during GetObject operation: timeout"),
        pa.ArrowInvalid("could not convert: timeout"),
        duckdb.BinderException("no column: connection refused"),
        KeyError("timeout"),
        ValueError("connection refused"),
        SchemaMismatchError("connection refused"),
        UnavailableError("says so itself"),
    ],
)
def test_what_is_no_outage(error: Exception) -> None:
    assert outage(error) is None


def test_a_store_that_delta_cannot_reach(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltalake import DeltaTable

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "word",
        "max_retries": "0",
    }
    error = raised_by(lambda: DeltaTable("s3://bucket/table", storage_options=options))
    assert isinstance(outage(error), UnavailableError), error


def test_what_an_error_was_raised_from_counts() -> None:
    error = RuntimeError("no reply")
    error.__cause__ = ConnectionResetError("reset")
    assert isinstance(outage(error), UnavailableError)


def test_a_mistake_made_while_an_outage_was_handled_is_a_mistake() -> None:
    def clumsy() -> None:
        try:
            raise ConnectionResetError("reset")
        except ConnectionResetError:
            {}["default"]

    assert outage(raised_by(clumsy)) is None


def test_a_step_raises_an_error_of_ours() -> None:
    def step() -> None:
        with outages_named():
            raise ConnectionResetError("reset by peer")

    with pytest.raises(TransientError, match=r"reset by peer.*[Cc]heck that it is up") as found:
        step()
    assert isinstance(found.value, MlopsError)
    assert isinstance(found.value.__cause__, ConnectionResetError)
