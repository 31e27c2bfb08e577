"""The environment of a training: what must be equal for another one to give the same model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlops_tasks.registry.reproduction.distributions import installed_distributions
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.workers import n_threads

__all__ = ["OWN", "OWN_PACKAGES", "Distribution", "Environment", "folder_digest", "package_digest"]

#: Name of this project's own distribution, and its packages; the first is what trains.
OWN, OWN_PACKAGES = "mlops-airflow", ("mlops_tasks", "mlops_airflow")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution.

    Attributes
    ----------
    name, version : str
        As an index has them.
    files : str
        SHA-256 over the files of its wheel as its record names them, or nothing without a record.
    url, commit, sha256 : str
        Address, commit and archive's digest, of one that was not taken from an index.
    local : bool
        It was installed from a folder or file of its machine.
    """

    name: str
    version: str
    files: str = ""
    url: str = ""
    commit: str = ""
    sha256: str = ""
    local: bool = False

    @property
    def requirement(self) -> str:
        """The line that installs exactly it."""
        if self.commit:
            return f"{self.name} @ {self.url}@{self.commit}"
        if self.url:
            return f"{self.name} @ {self.url}#sha256={self.sha256}"
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What a training ran in.

    Attributes
    ----------
    python, implementation : str
        Version of Python, as ``"3.11.7"``, and which one, as ``"CPython"``.
    system, machine, libc : str
        As ``"Linux"``, ``"x86_64"`` and ``"glibc 2.36"``.
    cpu : tuple of str
        Extensions of the processor that NumPy was able to use.
    blas : tuple of str
        Libraries of linear algebra, each with the kind of processor that it computes for.
    threads : dict of str to int
        How many were allowed: to this project (``allowed``), OpenMP and BLAS.
    own : dict of str to str
        By package of this project, the digest of its sources.
    distributions : tuple of Distribution
        All that was installed, by name.
    """

    python: str
    implementation: str
    system: str
    machine: str
    libc: str
    cpu: tuple[str, ...]
    blas: tuple[str, ...]
    threads: dict[str, int]
    own: dict[str, str]
    distributions: tuple[Distribution, ...]

    @classmethod
    def of_this_process(cls) -> Environment:
        """Return the environment of this process: in about 0.1 s, and in 10 ms once it has."""
        libraries, threads = _numeric_libraries()
        return cls(
            python=platform.python_version(),
            implementation=platform.python_implementation(),
            system=platform.system(),
            machine=platform.machine(),
            libc=_libc(),
            cpu=_cpu(),
            blas=libraries,
            threads={"allowed": n_threads(), **threads},
            own={name: digest for name in OWN_PACKAGES if (digest := package_digest(name))},
            distributions=tuple(Distribution(**one) for one in installed_distributions()),
        )

    @classmethod
    def restored(cls, content: bytes) -> Environment:
        """Return what `packed` has made."""
        said = json.loads(content)
        return from_json(cls, {name: value for name, value in said.items() if name != "format"})

    def packed(self) -> bytes:
        """Return it as JSON; equal environments give equal bytes."""
        plain: dict[str, Any] = {"format": _FORMAT, **to_json(self)}
        # A line for each distribution, so that two files can be compared by eye.
        lines = [json.dumps(_brief(one), sort_keys=True) for one in plain.pop("distributions")]
        head, body = json.dumps(plain, indent=1, sort_keys=True), ",\n  ".join(lines)
        head = head.removesuffix("\n}")
        return f'{head},\n "distributions": [\n  {body}\n ]\n}}\n'.encode()

    @property
    def digest(self) -> str:
        """SHA-256 of `packed`."""
        return hashlib.sha256(self.packed()).hexdigest()

    def version(self, name: str) -> str:
        """Return the version of a distribution, or nothing."""
        return next((one.version for one in self.distributions if one.name == name), "")


def _brief(distribution: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in distribution.items() if value}


@cache
def package_digest(package: str) -> str:
    """Return one digest over the files of an installed package, without importing it.

    It is the same for a checkout, a wheel and a copy: no path, no bytecode.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        return ""
    return folder_digest(Path(found.origin).parent)


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 over the sorted lines ``<sha256> <path>`` of a package's files."""
    lines = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for path in (Path(parent, name) for name in files if not name.endswith(".pyc")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{digest} {path.relative_to(folder).as_posix()}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@cache
def _libc() -> str:
    return " ".join(filter(None, platform.libc_ver()))


@cache
def _cpu() -> tuple[str, ...]:
    import numpy as np

    extensions = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return tuple(sorted({*extensions.get("baseline", ()), *extensions.get("found", ())}))


def _numeric_libraries() -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the libraries of linear algebra, and how many threads they and OpenMP may use."""
    import scipy.linalg  # noqa: F401 - a library is known once it is loaded
    import sklearn.utils  # noqa: F401 - loads OpenMP
    from threadpoolctl import threadpool_info

    names: set[str] = set()
    threads: dict[str, int] = {}
    for one in threadpool_info():
        threads[one["user_api"]] = max(one["num_threads"], threads.get(one["user_api"], 0))
        if one["user_api"] == "blas":
            kind = one.get("architecture", "unknown")
            names.add(f"{one['internal_api']} {one['version']} for {kind}")
    return tuple(sorted(names)), threads
