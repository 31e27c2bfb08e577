"""Find the secrets of an environment and hide every form of them in text.

Airflow masks connection passwords in task logs, in their raw form only, and LocalExecutor copies
task output to the scheduler's output without any masking. The same forms are therefore hidden
twice: in task logs through Airflow's own masker (`secret_forms` is its ``secret_mask_adapter``),
and in component logs by the process runner (`Redactor`).
"""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MASK", "Redactor", "environment_secrets", "secret_forms"]

MASK = "***"

#: Shorter values are left alone, as in Airflow: hiding "5432" everywhere makes logs unreadable.
MIN_LENGTH = 5
#: Values that are only suspected to be secret must be longer than a common word.
MIN_SUSPECT_LENGTH = 8

_SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|SECRETS|TOKEN|APIKEY|API_KEY|ACCESS_KEY"
    r"|SECRET_KEY|PRIVATE_KEY|FERNET_KEY|CREDENTIALS?|DSN|CONNECTION_STRING)(_|$)"
)
_ABOUT_A_SECRET = re.compile(
    r"_(FILE|PATH|CMD|DIR|URL|TIME|TTL|SECONDS|MINUTES|TIMEOUT|ALGORITHM|KID|NAMES?)$"
)
#: Extras under these names say where something is, not how to get in.
_PLAIN_EXTRAS = frozenset(
    {
        *("path", "host", "hosts", "port", "schema", "database", "endpoint", "endpoint_url"),
        *("base_url", "region", "region_name", "project", "warehouse", "account", "role"),
        *("driver", "charset", "sslmode", "dialect", "conn_type", "mode", "type"),
    }
)


def secret_forms(secret: str) -> list[str]:
    r"""Return a secret in every form it may take in a log.

    Parameters
    ----------
    secret : str
        The raw value.

    Returns
    -------
    list of str
        Raw, URL-quoted, base64 (at each byte offset, both alphabets), JSON-escaped, ``repr`` and
        HTML forms, and each line of a value of several lines; longest first, without doubles.

    Examples
    --------
    >>> [form for form in secret_forms("p@ssword") if "ss" in form]
    ['p%2540ssword', 'p%40ssword', 'p@ssword']
    """
    forms = set(_escaped(secret))
    lines = secret.splitlines()
    if len(lines) > 1:
        for line in lines:
            if len(line) >= MIN_SUSPECT_LENGTH:
                forms.update(_escaped(line))
    forms.update(_base64_forms(secret))
    return sorted((f for f in forms if len(f) >= MIN_LENGTH), key=lambda f: (-len(f), f))


def _escaped(text: str) -> Iterator[str]:
    yield text
    for safe in ("", "/", "~"):
        yield quote(text, safe=safe)
    yield quote_plus(text)
    yield quote(quote(text, safe=""), safe="")
    for plain in (False, True):
        once = json.dumps(text, ensure_ascii=plain)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=plain)[1:-1]
    yield repr(text)[1:-1]
    yield html.escape(text)


def _base64_forms(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    yield base64.b64encode(raw).decode().rstrip("=")
    for offset in range(3):
        # What stays the same whatever stands before and after the secret, as in the
        # "user:password" of an Authorization header.
        text = base64.b64encode(b"\0" * offset + raw).decode()
        start = (0, 2, 3)[offset]
        end = (len(raw) + offset) * 8 // 6
        core = text[start:end]
        if len(core) >= MIN_SUSPECT_LENGTH:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))


def environment_secrets(env: Mapping[str, str]) -> set[str]:
    """Collect the secret values of an environment.

    Parameters
    ----------
    env : Mapping of str to str
        Process environment.

    Returns
    -------
    set of str
        Passwords and extras of every ``AIRFLOW_CONN_*``, and the value of every variable whose
        name looks secret. Values too short to hide are left out.

    Examples
    --------
    >>> environment_secrets({"GITHUB_TOKEN": "abcdefgh", "TOKEN_TTL": "86400000", "LANG": "en_GB"})
    {'abcdefgh'}
    """
    found: set[str] = set()
    for name, value in env.items():
        if name.startswith("AIRFLOW_CONN_"):
            found.update(_connection_secrets(value))
        elif _looks_secret(name) and len(value) >= MIN_SUSPECT_LENGTH:
            found.add(value)
    return {value for value in found if len(value) >= MIN_LENGTH}


def _looks_secret(name: str) -> bool:
    # api_key, apiKey, X-Api-Key; not token_ttl or password_file.
    words = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).upper()
    return bool(_SECRET_NAME.search(words)) and not _ABOUT_A_SECRET.search(words)


def _connection_secrets(value: str) -> Iterator[str]:
    try:
        parts = json.loads(value)
    except json.JSONDecodeError:
        parts = _parse_uri(value)
    if not isinstance(parts, dict):
        return
    yield str(parts.get("password") or "")
    extra = parts.get("extra") or {}
    if isinstance(extra, str):
        if len(extra) >= MIN_SUSPECT_LENGTH:
            yield extra
        try:
            extra = json.loads(extra)
        except json.JSONDecodeError:
            return
    yield from _extra_secrets(extra)


def _parse_uri(uri: str) -> dict[str, Any]:
    try:
        parts = urlsplit(uri)
        query = dict(parse_qsl(parts.query))
        return {
            "password": unquote(parts.password or ""),
            "extra": query.pop("__extra__", None) or query,
        }
    except ValueError:
        # Not an address at all: hide the whole of it rather than guess.
        return {"password": uri}


def _extra_secrets(extra: object, name: str = "") -> Iterator[str]:
    if isinstance(extra, dict):
        for key, value in extra.items():
            yield from _extra_secrets(value, str(key))
    elif isinstance(extra, list):
        for value in extra:
            yield from _extra_secrets(value, name)
    elif isinstance(extra, str):
        shortest = MIN_LENGTH if _looks_secret(name) else MIN_SUSPECT_LENGTH
        if len(extra) >= shortest and name.lower() not in _PLAIN_EXTRAS:
            yield extra


class Redactor:
    """Replace known secrets in text.

    Parameters
    ----------
    secrets : iterable of str
        Raw values; each is hidden in all its `secret_forms`.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in secret_forms(secret)}
        # Longest first: of two forms that start alike the longer one must win.
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """Return `text` with every known secret replaced.

        Parameters
        ----------
        text : str
            Any text.

        Returns
        -------
        str
            The text with ``***`` in place of each secret.
        """
        return text if self._pattern is None else self._pattern.sub(MASK, text)
