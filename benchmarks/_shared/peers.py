"""A virtual environment for each peer, made from its pinned requirement file and kept."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks._shared.machine import ROOT

__all__ = ["environment_of"]

_REQUIREMENTS = Path(__file__).with_name("requirements")
_PYTHON = re.compile(r"# python (\S+)\n")


def environment_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment; makes it the first time.

    Parameters
    ----------
    peer : str
        Name of a file in ``requirements``, whose first line names the Python it needs.

    Returns
    -------
    Path
        In ``$MLOPS_HOME/peers``, apart for each content of the file.

    Raises
    ------
    RuntimeError
        With the end of what the installer said.
    """
    file = _REQUIREMENTS / f"{peer}.txt"
    text = file.read_text(encoding="utf-8")
    wanted = _PYTHON.match(text)
    assert wanted is not None, f"{file} does not begin with '# python 3.x'"
    home = Path(os.environ.get("MLOPS_HOME", ROOT / ".mlops")).resolve() / "peers"
    folder = home / f"{peer}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if not stamp.exists():
        _uv("venv", "--clear", "--python", wanted[1], str(folder))
        _uv("pip", "install", "--python", str(python), "--compile-bytecode", "-r", str(file))
        stamp.touch()
    return python


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [str(uv), "--quiet", *arguments],
        check=False,
        env=os.environ | _index(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"uv {arguments[0]}: {done.stderr.strip()[-600:]}")


def _index() -> dict[str, str]:
    """Hand pip's index and certificates to uv, which does not read pip's configuration."""
    config = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    found = {}
    names = {"global.index-url": "UV_DEFAULT_INDEX", "global.cert": "SSL_CERT_FILE"}
    for option, variable in names.items():
        value = re.search(rf"^{re.escape(option)}='(.*)'$", config, re.MULTILINE)
        if value and variable not in os.environ:
            found[variable] = value[1]
    return found
