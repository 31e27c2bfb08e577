"""Real servers for tests: a PostgreSQL, a MariaDB and an S3, on loopback, gone afterwards.

Each runs in a folder and on a port of its own, in a process group of its own, and dies with the
test process, even if that is killed. A missing program skips the test and says what to install.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

USER = "mlops"
# Characters that a URL, a connection string or a shell would trip over.
PASSWORD = "p@ss/w:rd 'x\\%25"
_START_S = 60.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Server:
    """A running server: where it listens and what makes it end."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    database: str = "shop"
    host: str = "127.0.0.1"
    launch: Callable[[], subprocess.Popen[bytes]] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, also again after `kill`, and wait until it takes connections."""
        assert self.launch is not None
        self.process = self.launch()
        _eventually(lambda: _connect(self), self)

    def kill(self) -> None:
        """End it and every process it started as a power cut would."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            # PostgreSQL's sessions are process groups of their own and would serve on.
            main = psutil.Process(self.process.pid)
            for process in [*main.children(recursive=True), main]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait(30)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    """Start a PostgreSQL whose database and user need `PASSWORD`."""
    programs = _postgres_programs()
    with _folder("postgres") as folder:
        server = Server(_free_port(), folder)
        data, secret = folder / "data", folder / "secret"
        secret.write_text(PASSWORD)
        _own(secret, "postgres")
        initdb = [programs / "initdb", "-D", data, "-U", USER, "--pwfile", secret, "--no-sync"]
        initdb += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        _run(initdb, folder, user="postgres")
        command = [programs / "postgres", "-D", data, "-p", server.port, "-h", server.host]
        command += ["-k", folder, "-F", "-c", "max_connections=20"]
        with _serving(server, command, user="postgres"):
            _eventually(lambda: _ask_postgres(server, "postgres", "SELECT 1"), server)
            _ask_postgres(server, "postgres", f"CREATE DATABASE {server.database}")
            yield server


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    """Start a MariaDB whose database and user need `PASSWORD`."""
    pymysql = pytest.importorskip("pymysql", reason="pymysql is missing: install the extra `mysql`")
    install = _program("mariadb-install-db", "the Debian package mariadb-server")
    daemon = _program("mariadbd", "the Debian package mariadb-server", "/usr/sbin")
    with _folder("mariadb", user="mysql") as folder:
        server = Server(_free_port(), folder)
        data, sock = folder / "data", folder / "sock"
        made = [install, "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        made += ["--skip-name-resolve", "--auth-root-authentication-method=normal"]
        _run(made, folder, user="mysql")
        command = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={sock}"]
        command += [f"--port={server.port}", f"--bind-address={server.host}"]
        command += [f"--pid-file={folder}/pid", "--innodb-flush-log-at-trx-commit=0"]
        with _serving(server, command, user="mysql"):

            def set_up() -> None:
                sock.stat()  # a client that finds none leaves its own end open
                with pymysql.connect(unix_socket=str(sock), user="root", autocommit=True) as root:
                    cursor = root.cursor()
                    cursor.execute(f"CREATE DATABASE IF NOT EXISTS {server.database}")
                    cursor.execute(f"CREATE OR REPLACE USER {USER} IDENTIFIED BY %s", (PASSWORD,))
                    cursor.execute(f"GRANT ALL ON {server.database}.* TO {USER}")

            _eventually(set_up, server)
            yield server


@contextlib.contextmanager
def object_store() -> Iterator[Server]:
    """Start an S3 server; it takes any key."""
    # Its botocore and the project's python-dateutil exclude each other.
    program = _program("moto_server", "s3-server.txt of this folder into an environment of its own")
    with _folder("s3") as folder:
        server = Server(_free_port(), folder)
        with _serving(server, [program, "-H", server.host, "-p", server.port]):
            _eventually(lambda: _connect(server), server)
            yield server


def _postgres_programs() -> Path:
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not folders:
        pytest.skip("no program postgres: install the Debian package postgresql")
    return folders[-1].parent


def _program(name: str, package: str, *folders: str) -> str:
    places = os.pathsep.join([os.environ.get("PATH", ""), *folders])
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"no program {name}: install {package}")
    return found


@contextlib.contextmanager
def _folder(name: str, user: str = "postgres") -> Iterator[Path]:
    """Make a folder that a server's own user can reach; pytest's are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix=f"mlops-{name}-"))
    _own(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own(path: Path, user: str) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        os.chown(path, account.pw_uid, account.pw_gid)


def _identity(user: str | None) -> dict[str, object]:
    """Databases refuse to run as root."""
    if user is None or os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _environment(folder: Path) -> dict[str, str]:
    """Keep temporary files where the server's own user may write."""
    return os.environ | {"TMPDIR": str(folder)}


def _run(command: Sequence[object], folder: Path, *, user: str) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        check=False,
        timeout=120,
        **_identity(user),  # type: ignore[call-overload]
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-2000:]


@contextlib.contextmanager
def _serving(
    server: Server, command: Sequence[object], *, user: str | None = None
) -> Iterator[None]:
    def launch() -> subprocess.Popen[bytes]:
        with (server.folder / "log").open("ab") as log:
            return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
                [str(part) for part in command],
                cwd=server.folder,
                env=_environment(server.folder),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **_identity(user),
            )

    server.launch, server.process = launch, launch()
    try:
        yield
    finally:
        server.kill()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _eventually(ready: Callable[[], object], server: Server) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            ready()
        except Exception as error:
            ended = server.process is not None and server.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise TimeoutError(f"no server came up: {error}\n{server.log}") from error
            time.sleep(0.1)
        else:
            return


def _connect(server: Server) -> None:
    socket.create_connection((server.host, server.port), 1).close()


def _ask_postgres(server: Server, database: str, statement: str) -> None:
    from adbc_driver_postgresql import dbapi

    address = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@{server.host}:{server.port}"
    with (
        dbapi.connect(f"{address}/{database}", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
