"""The key that evidence packs are signed with, by Airflow's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.registry.pack import SigningKey

__all__ = ["evidence_key", "evidence_key_file"]


def evidence_key() -> SigningKey:
    """Return the installation's key, made at its first use.

    Returns
    -------
    SigningKey
        Of the file that `evidence_key_file` names.
    """
    from mlops_tasks.registry.pack import SigningKey

    return SigningKey.at(evidence_key_file())


def evidence_key_file() -> Path:
    """Return the file of the key: ``[mlops] evidence_key``, or one below Airflow's home.

    Returns
    -------
    Path
        Whether it exists or not. Where several machines run tasks, each would make its own: there
        the option names a secret that all have.
    """
    from airflow.sdk import conf

    named = conf.get("mlops", "evidence_key", fallback="")
    if named:
        return Path(named).expanduser()
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return home / "mlops_keys" / "evidence_key.pem"
