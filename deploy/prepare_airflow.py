"""Make Airflow's database and login ready; runs once before the other components."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path


def write_passwords(path: Path, password: str) -> None:
    """Replace the password file in one step, never readable by others.

    Parameters
    ----------
    path : Path
        File that Airflow's SimpleAuthManager reads.
    password : str
        Password of the user ``admin``.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"admin": password}, file)
    fresh.replace(path)


if __name__ == "__main__":
    write_passwords(
        Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]),
        os.environ["AIRFLOW_ADMIN_PASSWORD"],
    )
    subprocess.run(["airflow", "db", "migrate"], check=True)
