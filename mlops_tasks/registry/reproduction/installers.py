"""Installing recorded distributions, by uv where there is one, by pip otherwise."""

from __future__ import annotations

import ast
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ReproductionError
from mlops_tasks.registry.reproduction.processes import run_process

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["install", "make_environment"]

# What an installer needs to find index, certificates and cache; nothing of the product's own.
_PASSED_ON = re.compile(
    r"(UV|PIP|XDG|SSL|LC)_\w+|PATH|HOME|LANG|TMPDIR|NETRC|LD_LIBRARY_PATH|\w+_CA_BUNDLE"
    r"|(https?|all|no)_proxy",
    re.IGNORECASE,
)
# uv does not read pip's settings. Of several indexes it takes the first that has a name, unless it
# is told to look for a version in all, as pip does.
_OF_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
_AS_PIP = {"UV_" + "INDEX_STRATEGY": "unsafe-best-match"}


def make_environment(folder: Path, python: str, *, limit_s: float) -> Path:
    """Make an empty virtual environment of a version of Python, and return its interpreter."""
    what = f"making an environment of Python {python}"
    here, uv = platform.python_version() == python, _uv()
    base = str(getattr(sys, "_base_executable", sys.executable))
    if uv is not None:
        wanted = base if here else python
        command = [uv, "venv", "--quiet", "--no-python-downloads", "--python", wanted, str(folder)]
    elif here:
        command = [base, "-m", "venv", str(folder)]
    else:
        raise ReproductionError(
            f"it ran in Python {python} and this is {platform.python_version()}: install uv, which "
            "finds another Python, or reproduce it where that one is",
            about="environment",
        )
    _run(command, folder.parent, limit_s, what)
    return folder / "bin" / "python"


def install(python: Path, requirements: Sequence[str], *, limit_s: float) -> None:
    """Install exactly what is listed, and nothing that it asks for besides."""
    if not requirements:
        return
    listed = python.parent.parent / "requirements.txt"
    listed.write_text("\n".join(requirements) + "\n")
    uv, target = _uv(), str(python)
    if uv is not None:
        command = [uv, "pip", "install", "--quiet", "--python", target]
    else:
        command = [target, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    what = f"installing {len(requirements)} recorded distributions"
    _run([*command, "--no-deps", "-r", str(listed)], listed.parent, limit_s, what)


def _run(command: list[str], folder: Path, limit_s: float, what: str) -> None:
    env = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    try:
        run_process(
            command, env=_settings_of_pip() | env, folder=folder, limit_s=limit_s, what=what
        )
    except ReproductionError as error:
        raise ReproductionError(str(error), about="environment") from None


def _uv() -> str | None:
    """Return the program beside this Python or on the path."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _settings_of_pip() -> dict[str, str]:
    """Return where pip is configured to look, in the words of uv."""
    if importlib.util.find_spec("pip") is None:
        return {}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = _OF_PIP.get(key.rpartition(".")[2])
        if name is not None:
            found[name] = " ".join(str(ast.literal_eval(value)).split())
    return found | _AS_PIP if found else {}
