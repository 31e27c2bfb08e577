"""Send requests to Airflow: log in, page through lists, try again what may be tried again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["AirflowApiError", "AirflowHttp", "LoginRefusedError"]

PAGE_SIZE = 100  # [api] maximum_page_limit; asking for more is silently cut to it
#: A minute in all: as long as a dead api-server needs to be back.
TRIES = 8
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class AirflowApiError(RuntimeError):
    """Airflow refused a request, or did not answer.

    Parameters
    ----------
    endpoint : str
        Method and address.
    status : int or None
        HTTP status; None when there was no answer at all.
    body : str
        What Airflow said.
    """

    def __init__(self, endpoint: str, status: int | None, body: str) -> None:
        self.endpoint, self.status, self.body = endpoint, status, body
        answer = "no answer" if status is None else f"status {status}"
        super().__init__(f"{endpoint}: {answer}: {body[:2000]}")


class LoginRefusedError(AirflowApiError):
    """Airflow does not take this user and password."""


class AirflowHttp:
    """A logged-in connection to Airflow's api-server.

    Answers 5xx and broken connections are tried again a few times, so send only what may be
    repeated.

    Parameters
    ----------
    base_url : str
        Address of the api-server.
    username, password : str
        A user of Airflow's auth manager.
    transport : httpx.BaseTransport, optional
        Replaces the network, for tests.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.base_url,
            auth=_TokenAuth(f"{self.base_url}/auth/token", username, password),
            timeout=60.0,
            transport=transport,
            # No proxy may come between a program and its own machine.
            trust_env=urlsplit(self.base_url).hostname not in _LOOPBACK,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(self, method: str, path: str, *, tries: int = TRIES, **kwargs: Any) -> dict[str, Any]:
        """Send one request and read its JSON answer.

        Parameters
        ----------
        method, path : str
            What to ask.
        tries : int, optional
            How often, while there is no answer or a 5xx.
        **kwargs : Any
            Passed on to httpx: ``json``, ``params``.

        Returns
        -------
        dict
            The answer.

        Raises
        ------
        AirflowApiError
            If Airflow refuses, or does not answer after several tries.
        """
        for attempt in range(1, tries + 1):
            status, body = None, ""
            try:
                response = self._client.request(method, path, **kwargs)
                status, body = response.status_code, response.text
                if response.is_success:
                    return cast("dict[str, Any]", response.json())
            except httpx.TransportError as error:
                body = f"{type(error).__name__}: {error}"
            except ValueError:
                body = f"this is no JSON, so no API of Airflow: {body[:200]}"
            if (status is not None and status < 500) or attempt == tries:
                break
            time.sleep(0.25 * 2**attempt)
        raise AirflowApiError(f"{method} {self.base_url}{path}", status, body)

    def pages(self, path: str, name: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Read a list, page by page.

        Parameters
        ----------
        path, name : str
            What to ask, and the field of the answer that holds the rows.
        **query : Any
            Query parameters.

        Yields
        ------
        dict
            One row.
        """
        offset = 0
        while True:
            params = {**query, "limit": PAGE_SIZE, "offset": offset}
            answer = self.send("GET", path, params=params)
            yield from answer[name]
            offset += PAGE_SIZE
            if offset >= answer["total_entries"]:
                return


class _TokenAuth(httpx.Auth):
    """Log in at the first request, and again when the token has run out."""

    requires_response_body = True

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url, self._user = url, {"username": username, "password": password}
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self._token:
            yield from self._login()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            yield from self._login()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _login(self) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield httpx.Request("POST", self._url, json=self._user)
        status, refused = response.status_code, httpx.codes.UNAUTHORIZED
        if not response.is_success:
            kind = LoginRefusedError if status == refused else AirflowApiError
            raise kind(f"POST {self._url}", status, response.text)
        self._token = response.json()["access_token"]
