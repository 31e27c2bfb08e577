"""Virtual environments made anew from what a training has recorded, and kept for the next time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ReproductionError
from mlops_tasks.registry.reproduction.environment import (
    OWN,
    OWN_PACKAGES,
    folder_digest,
    package_digest,
)
from mlops_tasks.registry.reproduction.installers import install, make_environment
from mlops_tasks.storage import remove

if TYPE_CHECKING:
    from mlops_tasks.registry.reproduction.environment import Environment

__all__ = ["FreshEnvironments"]

_READY, _LOCK = "ready", "lock"
_KEPT = 3
_TRAINS = OWN_PACKAGES[0]


@dataclass(frozen=True, slots=True)
class FreshEnvironments:
    """A folder of virtual environments, one for each record.

    Parameters
    ----------
    root : Path
        The folder; made when it is needed. The three environments used last are kept.
    limit_s : float, default 1800
        Seconds that making one may take.
    """

    root: Path
    limit_s: float = 1800.0

    @classmethod
    def of_user(cls) -> FreshEnvironments:
        """Return those in this user's cache folder, ``~/.cache`` or ``XDG_CACHE_HOME``."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(cache, "mlops", "environments"))

    def python(self, environment: Environment) -> Path:
        """Return the interpreter of an environment, which is made if it is not there yet.

        Raises
        ------
        ReproductionError
            If it cannot be made: no such Python here, a distribution that no index has, or sources
            of this project that are not the recorded ones.
        """
        home = self.root / _key(environment)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back by the system, should this process die
            if not (home / _READY).exists():
                self._make(environment, home)
            (home / _READY).touch()  # when it was last used
            self._remove_old(home)
        return home / "bin" / "python"

    def has(self, environment: Environment) -> bool:
        """Return whether it is there already."""
        return (self.root / _key(environment) / _READY).exists()

    def _make(self, environment: Environment, home: Path) -> None:
        """Make it in its place: it would not work anywhere else."""
        remove(home)  # what a killed process left
        try:
            python = make_environment(home, environment.python, limit_s=self.limit_s)
            lines = [one.requirement for one in environment.distributions if one.name != OWN]
            install(python, lines, limit_s=self.limit_s)
            _install_own(environment, python, limit_s=self.limit_s)
            (home / _READY).write_text("")
        except BaseException:
            remove(home)
            raise

    def _remove_old(self, used: Path) -> None:
        """Keep those that were used last; whoever is making one holds the lock."""
        others = [path for path in self.root.iterdir() if path.is_dir() and path != used]
        ready = [path for path in others if (path / _READY).exists()]
        ready.sort(key=lambda path: (path / _READY).stat().st_mtime)
        kept = ready[max(0, len(ready) + 1 - _KEPT) :]
        for path in others:
            if path not in kept:
                remove(path)


def _key(environment: Environment) -> str:
    """Return a name that follows from all that is installed."""
    lines = [environment.python, environment.implementation, environment.machine]
    lines += [f"{one.requirement} {one.files}" for one in environment.distributions]
    lines += [f"{name} {digest}" for name, digest in sorted(environment.own.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24]


def _install_own(environment: Environment, python: Path, *, limit_s: float) -> None:
    """Install this project as the training had it: these sources if they are, else a release."""
    (libraries,) = (python.parent.parent / "lib").glob("python*/site-packages")
    recorded = environment.own.get(_TRAINS, "")
    if recorded == package_digest(_TRAINS):
        for name in OWN_PACKAGES:  # a project may import what operators are made of
            if environment.own.get(name) == package_digest(name) != "":
                _copy(name, libraries / name)
    else:
        version = environment.version(OWN)
        try:
            install(python, [f"{OWN}=={version}"], limit_s=limit_s)
        except ReproductionError:
            raise _other_sources(version, "which no index has") from None
    if folder_digest(libraries / _TRAINS) != recorded:
        raise _other_sources(environment.version(OWN), "and that of the index has others")


def _copy(package: str, target: Path) -> None:
    found = find_spec(package)
    if found is not None and found.origin is not None:
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(Path(found.origin).parent, target, ignore=ignored)


def _other_sources(version: str, why: str) -> ReproductionError:
    return ReproductionError(
        f"it was trained by {OWN} {version} with other sources than the ones that are installed "
        f"here, {why}: install that version here, or reproduce it where it is installed",
        about="environment",
    )
