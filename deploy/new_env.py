"""Print a fresh .env for docker-compose.yml: one random value per secret.

Run it once and keep the result: a new Fernet key cannot read what the old one wrote.
"""

from __future__ import annotations

import base64
import secrets

#: Hexadecimal, because most of them stand inside an address.
SECRETS = (
    "AIRFLOW_ADMIN_PASSWORD",
    "AIRFLOW_API_SECRET_KEY",
    "AIRFLOW_DB_PASSWORD",
    "AIRFLOW_JWT_SECRET",
    "LEDGER_DB_PASSWORD",
    "MLFLOW_DB_PASSWORD",
    "MLFLOW_PASSWORD",
    "OBJECTS_SECRET_KEY",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "STUDIES_DB_PASSWORD",
)


def new_env() -> dict[str, str]:
    """Return every variable that docker-compose.yml asks for and that can be made up.

    Returns
    -------
    dict of str to str
        Variable to a value that nobody else has.
    """
    made = {name: secrets.token_hex(24) for name in SECRETS}
    return made | {"AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}


if __name__ == "__main__":
    print("\n".join(f"{name}={value}" for name, value in sorted(new_env().items())))
    print("# The source database of the data, as an Airflow connection:")
    print('# AIRFLOW_CONN_FLIGHTS_SOURCE=\'{"conn_type": "postgres", "host": "..."}\'')
