"""What one embedded stack is: where it lives, where it listens, how fast it is set to be."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from mlops_airflow.stack.exceptions import StackSettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOOPBACK", "Profile", "StackSettings"]

Profile = Literal["fast", "stock"]

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class StackSettings:
    """Describe one embedded stack.

    Parameters
    ----------
    home : Path
        Absolute folder of every file the stack writes.
    dags_folder : Path
        Absolute folder with the Dag files.
    plugins_folder : Path or None
        Absolute folder Airflow scans for plugins; None leaves an empty one below `home`.
    airflow_port, mlflow_port : int
        Loopback ports of the two web servers.
    profile : {"fast", "stock"}
        ``stock`` keeps Airflow's own intervals and process start, for comparison.
    parallelism : int
        Task slots of the ``fast`` profile.
    ready_timeout_s : float
        Longest wait until every component is healthy, in seconds.
    extra_env : Mapping of str to str
        Variables for the components, stronger than everything else.
    """

    home: Path
    dags_folder: Path
    plugins_folder: Path | None = None
    airflow_port: int = 8080
    mlflow_port: int = 5000
    profile: Profile = "fast"
    parallelism: int = 4
    ready_timeout_s: float = 180.0
    extra_env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_env(
        cls, env: Mapping[str, str] | None = None, *, cwd: Path | None = None
    ) -> StackSettings:
        """Read the settings from ``MLOPS_*`` variables.

        Parameters
        ----------
        env : Mapping of str to str, optional
            Variables to read; the process environment by default.
        cwd : Path, optional
            Folder that relative paths and defaults start from.

        Returns
        -------
        StackSettings
            Settings with absolute paths.

        Raises
        ------
        StackSettingsError
            If a variable holds something that cannot be used; the message names it.
        """
        env = os.environ if env is None else env
        base = (cwd or Path.cwd()).absolute()
        plugins = base / env.get("MLOPS_PLUGINS_FOLDER", "plugins")
        return cls(
            home=base / env.get("MLOPS_HOME", ".mlops"),
            dags_folder=base / env.get("MLOPS_DAGS_FOLDER", "dags"),
            plugins_folder=plugins if plugins.is_dir() else None,
            airflow_port=_number(env, "MLOPS_AIRFLOW_PORT", default=8080, low=1, high=65535),
            mlflow_port=_number(env, "MLOPS_MLFLOW_PORT", default=5000, low=1, high=65535),
            profile=_profile(env),
            parallelism=_number(env, "MLOPS_PARALLELISM", default=4, low=1, high=256),
            ready_timeout_s=_number(env, "MLOPS_READY_TIMEOUT_S", default=180, low=1, high=3600),
            extra_env=_extra_env(env),
        )

    def to_env(self) -> dict[str, str]:
        """Return the ``MLOPS_*`` variables that `from_env` reads back as these settings.

        Returns
        -------
        dict of str to str
            One variable per setting.
        """
        return {
            "MLOPS_HOME": str(self.home),
            "MLOPS_DAGS_FOLDER": str(self.dags_folder),
            # An absolute path that is no folder means "none" when read back.
            "MLOPS_PLUGINS_FOLDER": str(self.plugins_folder or self.home / "no-plugins"),
            "MLOPS_AIRFLOW_PORT": str(self.airflow_port),
            "MLOPS_MLFLOW_PORT": str(self.mlflow_port),
            "MLOPS_STACK_PROFILE": self.profile,
            "MLOPS_PARALLELISM": str(self.parallelism),
            "MLOPS_READY_TIMEOUT_S": str(int(self.ready_timeout_s)),
            "MLOPS_STACK_ENV": json.dumps(dict(self.extra_env)),
        }

    @property
    def airflow_url(self) -> str:
        """Base address of Airflow's UI and REST API."""
        return f"http://{LOOPBACK}:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        """Base address of the MLflow tracking server."""
        return f"http://{LOOPBACK}:{self.mlflow_port}"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own folder: metadata database, task logs."""
        return self.home / "airflow"

    @property
    def mlflow_home(self) -> Path:
        """MLflow's own folder: store database, artifacts."""
        return self.home / "mlflow"

    @property
    def logs_folder(self) -> Path:
        """Folder with one log file per component."""
        return self.home / "logs"

    @property
    def secrets_file(self) -> Path:
        """File with the generated secrets."""
        return self.home / "secrets.json"

    @property
    def connections_file(self) -> Path:
        """File with the connections of the user's sources."""
        return self.home / "connections.json"

    def key_file(self, key: str) -> Path:
        """Return the file that Airflow reads one of its keys from.

        Parameters
        ----------
        key : str
            Name of the key, for example ``fernet_key``.

        Returns
        -------
        Path
            The file, whether it exists or not.
        """
        return self.home / "keys" / key

    @property
    def evidence_key_file(self) -> Path:
        """File of the private key that evidence packs are signed with."""
        return self.key_file("evidence_key.pem")

    @property
    def passwords_file(self) -> Path:
        """File Airflow's SimpleAuthManager reads its passwords from."""
        return self.airflow_home / "passwords.json"

    @property
    def record_file(self) -> Path:
        """File that names the running processes."""
        return self.home / "stack.json"

    @property
    def lock_file(self) -> Path:
        """File locked as long as a stack runs in this home."""
        return self.home / "stack.lock"

    def component_log(self, component: str) -> Path:
        """Return the log file of one component.

        Parameters
        ----------
        component : str
            Name of the component, for example ``scheduler``.

        Returns
        -------
        Path
            The file, whether it exists or not.
        """
        return self.logs_folder / f"{component}.log"


def _number(env: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = env.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        msg = f"{name}={text!r} must be a whole number from {low} to {high}"
        raise StackSettingsError(msg)
    return value


def _profile(env: Mapping[str, str]) -> Profile:
    text = env.get("MLOPS_STACK_PROFILE", "fast")
    if text not in get_args(Profile):
        msg = f"MLOPS_STACK_PROFILE={text!r} must be one of {', '.join(get_args(Profile))}"
        raise StackSettingsError(msg)
    return cast("Profile", text)


def _extra_env(env: Mapping[str, str]) -> dict[str, str]:
    text = env.get("MLOPS_STACK_ENV", "{}")
    try:
        extra = json.loads(text)
    except json.JSONDecodeError:
        extra = None
    if not isinstance(extra, dict) or not all(isinstance(v, str) for v in extra.values()):
        msg = 'MLOPS_STACK_ENV must be a JSON object of strings, like {"NAME": "value"}'
        raise StackSettingsError(msg)
    return extra
