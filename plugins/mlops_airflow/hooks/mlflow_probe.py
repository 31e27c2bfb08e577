"""Ask an MLflow server who it is, and whether it takes a login."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

__all__ = ["probe_mlflow"]

_TIMEOUT_S = 10.0
_SEARCH = "/api/2.0/mlflow/experiments/search"


def probe_mlflow(uri: str, login: tuple[str, str] | None) -> tuple[bool, str]:
    """Return whether an MLflow server can be used, and what it says.

    Parameters
    ----------
    uri : str
        Its address, without a password.
    login : tuple of (str, str) or None
        User and password.

    Returns
    -------
    usable, text : bool, str
        The text names the address, what is wrong and the fix.
    """
    import httpx

    nobody = httpx.Auth()
    somebody = httpx.BasicAuth(*login) if login else nobody
    try:
        with httpx.Client(base_url=uri, timeout=_TIMEOUT_S, follow_redirects=True) as client:
            answer = client.post(_SEARCH, json={"max_results": 1}, auth=somebody)
            if problem := _problem(uri, answer, login):
                return False, problem
            version = client.get("/version", auth=somebody)
            anonymous = client.post(_SEARCH, json={"max_results": 1}, auth=nobody).is_success
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return False, (
            f"MLflow does not answer at {uri}: {type(error).__name__}: {error}. Check schema, host "
            "and port of the connection, and that the server runs"
        )
    number = version.text.strip() if version.is_success else "of unknown version"
    text = f"MLflow {number} at {uri}"
    if login is not None:
        text += f" takes the login of {login[0]!r}"
    if anonymous:
        text += "; it lets in everybody, without a login"
    return True, text


def _problem(uri: str, answer: httpx.Response, login: tuple[str, str] | None) -> str | None:
    if answer.status_code == 401:
        if login is None:
            return f"MLflow at {uri} asks for a login: set login and password of the connection"
        return f"MLflow at {uri} refuses the login of {login[0]!r}: correct login and password"
    if answer.status_code == 403:
        return (
            f"MLflow at {uri} answers 403: {answer.text.strip()[:200]}. Either the login may not "
            "read experiments, or the server does not know this host name (--allowed-hosts)"
        )
    if answer.is_success and "json" in answer.headers.get("content-type", ""):
        return None
    return (
        f"{uri} answers {answer.status_code} and is no MLflow server, or it has a path that the "
        "address lacks; write the whole address, with its path, as the host"
    )
