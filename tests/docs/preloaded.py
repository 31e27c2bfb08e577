"""Python processes that have the heavy libraries already, for the examples of the pages.

A reader's commands import for seconds what they use for a moment. Here each is a fork of a process
that has imported it: its own environment, folder, arguments, output and exit code, as from a shell.
Airflow is not among what is there, because it looks at the environment when it is imported.

The file is both: the process that forks, and the command that asks it to.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = ("airflow", "mlops", "pytest", "python")
_LIBRARIES = (
    "pandas",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "skops.io",
    "mlflow.sklearn",
    "great_expectations",
    "deltalake",
    "duckdb",
)


@contextlib.contextmanager
def commands(folder: Path) -> Iterator[Path]:
    """Yield a folder for the front of PATH whose commands are forks, until it is left."""
    address = folder / "socket"
    for name in COMMANDS:
        command = folder / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS {__file__} {address} $0 "$@"\n')
        command.chmod(0o755)
    started = [sys.executable, __file__, str(address)]
    with subprocess.Popen(started, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield folder / "bin"
        finally:
            server.kill()


def _ask(address: str, command: str, arguments: list[str]) -> int:
    """Have the command run, with what this process was given."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        asked = {"command": Path(command).name, "arguments": arguments, "folder": os.getcwd()}
        text = json.dumps(asked | {"env": dict(os.environ)}).encode()
        socket.send_fds(connection, [b"%12d" % len(text)], [0, 1, 2])
        connection.sendall(text)
        return int(connection.recv(12))


def _serve(address: str) -> None:
    """Fork for each command; return in the process that is to run it."""
    import importlib

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    for name in _LIBRARIES:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print("ready", flush=True)  # noqa: T201
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    header, descriptors, _, _ = socket.recv_fds(connection, 12, 3)
    with connection.makefile("rb") as stream:
        asked = json.loads(stream.read(int(header)))
    runner = os.fork()
    if runner != 0:
        _, status = os.waitpid(runner, 0)
        connection.sendall(b"%12d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    connection.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    _run(asked)


def _run(asked: dict[str, Any]) -> None:
    """Be the command."""
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["folder"])
    command, arguments = asked["command"], asked["arguments"]
    # In place of the folder of this file; PYTHONPATH was read before it was this one.
    sys.path[:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if command == "python":
        sys.path.insert(0, "")
        _python(arguments)
    else:
        from importlib.metadata import entry_points

        sys.argv = [command, *arguments]
        (found,) = entry_points(group="console_scripts", name=command)
        sys.exit(found.load()())


def _python(arguments: list[str]) -> None:
    what, *rest = arguments
    if what == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    text = rest.pop(0) if what == "-c" else sys.stdin.read()
    sys.argv = [what, *rest]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(text, "<string>", "exec"), main.__dict__)  # noqa: S102


if __name__ == "__main__":
    if len(sys.argv) == 2:
        _serve(sys.argv[1])
    else:
        sys.exit(_ask(sys.argv[1], sys.argv[2], sys.argv[3:]))
