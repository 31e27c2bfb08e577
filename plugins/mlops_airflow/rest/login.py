"""Which Airflow is meant, and who logs in there: never from a command line."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlops_airflow.rest.client import AirflowApi
from mlops_airflow.rest.http import AirflowApiError, LoginRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

__all__ = ["CONN_ID", "AirflowLogin", "AirflowUnreachableError", "find_login"]

#: The connection to an Airflow that is not the embedded stack's.
CONN_ID = "airflow_api"


class AirflowUnreachableError(RuntimeError):
    """There is no Airflow, or none that lets us in; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class AirflowLogin:
    """An Airflow's address and a user there.

    Attributes
    ----------
    url : str
        Address of its api-server.
    username, password : str
        The user.
    source : str
        Where the login came from, for messages.
    """

    url: str
    username: str
    password: str = field(repr=False)
    source: str

    def connect(self) -> AirflowApi:
        """Return a client of it, having asked whether it answers and lets us in.

        Raises
        ------
        AirflowUnreachableError
            If it does not.
        """
        api = AirflowApi(self.url, self.username, self.password)
        try:
            health = api.health(tries=2)
            if "scheduler" not in health:
                raise AirflowUnreachableError(f"what answers at {self.url} is no Airflow 3")
            api.count_runs()
        except LoginRefusedError:
            raise AirflowUnreachableError(
                f"Airflow at {self.url} refuses the login of {self.username!r} from {self.source}; "
                "correct it there"
            ) from None
        except AirflowApiError as error:
            raise AirflowUnreachableError(self._explain(error)) from error
        return api

    def _explain(self, error: AirflowApiError) -> str:
        if error.status is None or error.status >= 500:
            return (
                f"no Airflow answers at {self.url} ({error.body[:200]}). Start the embedded one "
                "with `mlops up`, or name another one with --airflow-url"
            )
        if error.status in (401, 403):
            return (
                f"Airflow at {self.url} lets {self.username!r} (from {self.source}) not read its "
                f"runs: give this user the rights of an operator ({error.body[:200]})"
            )
        return f"what answers at {self.url} is no Airflow 3: {error}"


def find_login(
    settings: StackSettings, url: str | None = None, login_file: Path | None = None
) -> AirflowLogin:
    """Find out which Airflow is meant and who logs in.

    Parameters
    ----------
    settings : StackSettings
        The embedded stack, meant where nothing else is said.
    url : str, optional
        Address of another Airflow; that of the connection, if it has one.
    login_file : Path, optional
        JSON file with ``username`` and ``password``, instead of the connection ``airflow_api``.

    Returns
    -------
    AirflowLogin
        Not yet tried.

    Raises
    ------
    AirflowUnreachableError
        If there is no login.
    """
    if login_file is not None:
        if url is None:
            raise AirflowUnreachableError(
                f"whose login is in {login_file}? Name the Airflow with --airflow-url"
            )
        return AirflowLogin(url, *_read(login_file), source=str(login_file))
    if url is None and settings.secrets_file.exists():
        from mlops_airflow.stack.credentials import ADMIN_USER, load_credentials

        password = load_credentials(settings.secrets_file).admin_password
        source = str(settings.secrets_file)
        return AirflowLogin(settings.airflow_url, ADMIN_USER, password, source)
    return _of_connection(settings, url)


def _of_connection(settings: StackSettings, url: str | None) -> AirflowLogin:
    from mlops_airflow.hooks.connections import defined_connection
    from mlops_tasks.exceptions import SourceAccessError

    variable = f"AIRFLOW_CONN_{CONN_ID.upper()}"
    example = '\'{"conn_type": "http", "host": "...", "login": "...", "password": "..."}\''
    try:
        found = defined_connection(CONN_ID)
    except SourceAccessError as error:
        if url is None:
            raise AirflowUnreachableError(
                f"there is no stack in {settings.home}. Start one with `mlops up`, or name another "
                "Airflow with --airflow-url"
            ) from None
        raise AirflowUnreachableError(
            f"who logs in to {url}? Set {variable}={example}, or name a file with --login-file "
            f"({error})"
        ) from None
    if not (found.login and found.password):
        raise AirflowUnreachableError(f"the connection {CONN_ID!r} has no login and password")
    address = url or "".join(_address(found.schema, found.host, found.port))
    if not urlsplit(address).hostname:
        raise AirflowUnreachableError(
            f"the connection {CONN_ID!r} has no host: add it, or name it with --airflow-url"
        )
    return AirflowLogin(address, found.login, found.password, f"the connection {CONN_ID!r}")


def _address(schema: str | None, host: str | None, port: int | None) -> Iterator[str]:
    if host and "://" in host:
        yield host
    else:
        yield f"{schema or 'http'}://{host or ''}"
    if port:
        yield f":{port}"


def _read(file: Path) -> tuple[str, str]:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise AirflowUnreachableError(
                f"{file} holds a password and others may read it: chmod 600 {file}"
            )
        login = json.loads(file.read_text("utf-8"))
        username, password = login["username"], login["password"]
    except OSError as error:
        raise AirflowUnreachableError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise AirflowUnreachableError(
            f'{file} holds no login: write {{"username": "...", "password": "..."}}'
        ) from error
    return str(username), str(password)
