"""Secrets of one stack: made once, readable by the owner only."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from mlops_airflow.stack.exceptions import StackSettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ADMIN_USER", "KEYS", "MLFLOW_USER", "Credentials", "load_credentials", "write_private"]

ADMIN_USER = "admin"
MLFLOW_USER = "mlops"
#: What Airflow reads from a file of its own when it needs it.
KEYS = ("fernet_key", "api_secret_key", "jwt_secret")
#: Came with a later version: files of earlier ones get it when they are read.
_ADDED = "mlflow_password"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Hold the generated secrets of one stack.

    Parameters
    ----------
    admin_password : str
        Password of Airflow's ``admin`` user.
    fernet_key : str
        Key Airflow encrypts stored connections and variables with.
    jwt_secret, api_secret_key : str
        Signing keys of Airflow's tokens and of Airflow's sessions.
    mlflow_password : str
        Password of MLflow's user ``mlops``.
    """

    admin_password: str
    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    mlflow_password: str

    def __repr__(self) -> str:
        """Show no value: this object may end up in a log or a traceback."""
        return "Credentials(***)"

    def values(self) -> tuple[str, ...]:
        """Return every secret, for masking.

        Returns
        -------
        tuple of str
            The secrets in no particular order.
        """
        return tuple(asdict(self).values())


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, never readable by others.

    Parameters
    ----------
    path : Path
        File to write; its folder must exist.
    text : str
        New content.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    partial.replace(path)


def load_credentials(secrets_file: Path) -> Credentials:
    """Read the secrets of a stack, and make them on first use.

    Parameters
    ----------
    secrets_file : Path
        JSON file; created with mode 0600 when absent.

    Returns
    -------
    Credentials
        The same values at every call.

    Raises
    ------
    StackSettingsError
        If the file exists but cannot be read as the secrets of a stack.
    """
    if not secrets_file.exists():
        _write(secrets_file, _generate())
    secrets_file.chmod(0o600)
    try:
        kept = json.loads(secrets_file.read_text(encoding="utf-8"))
        new = {_ADDED: _generate().mlflow_password} if _ADDED not in kept else {}
        values = kept | new
        credentials = Credentials(**{part.name: values[part.name] for part in fields(Credentials)})
    except (ValueError, TypeError, KeyError) as error:
        msg = (
            f"{secrets_file} is damaged. Restore it, or delete it to have new secrets made "
            "(connections and variables stored in Airflow become unreadable)"
        )
        raise StackSettingsError(msg) from error
    if new:
        _write(secrets_file, credentials)
    return credentials


def _write(secrets_file: Path, credentials: Credentials) -> None:
    write_private(secrets_file, json.dumps(asdict(credentials), indent=2) + "\n")


def _generate() -> Credentials:
    return Credentials(
        admin_password=secrets.token_urlsafe(12),
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        jwt_secret=secrets.token_urlsafe(48),
        api_secret_key=secrets.token_urlsafe(32),
        mlflow_password=secrets.token_urlsafe(24),
    )
