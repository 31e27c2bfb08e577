from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_airflow.stack.redaction import Redactor, environment_secrets, secret_forms

SECRET = 'p@ss/w0rd "x"\\&é+%'

FORMS = {
    "raw": str,
    "url": lambda s: quote(s, safe=""),
    "url path": quote,
    "form": quote_plus,
    "url twice": lambda s: quote(quote(s, safe=""), safe=""),
    "json": json.dumps,
    "json utf-8": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps({"k": s})),
    "repr": repr,
    "html": html.escape,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 url": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "basic": lambda s: base64.b64encode(b"u:" + s.encode()).decode(),
    "basic, longer": lambda s: base64.b64encode(b"us:" + s.encode()).decode(),
    "basic, longest": lambda s: base64.b64encode(b"use:" + s.encode()).decode(),
    "base64 of json": lambda s: base64.b64encode(b'{"user": "' + s.encode() + b'"}').decode(),
}

printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=12)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_hidden(form: str) -> None:
    text = f"before {FORMS[form](SECRET)} after"

    hidden = Redactor([SECRET])(text)

    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert "***" in hidden
    for piece in ("p@ss", "w0rd", "w0rd%20", "cEBzcy93", "BAc3MvdzByZC", "QHNzL3cwcm"):
        assert piece not in hidden


@pytest.mark.parametrize("form", ["raw", "url", "json", "repr", "basic", "base64"])
@settings(deadline=None)
@given(secret=printable, prefix=printable)
def test_no_printable_secret_survives(form: str, secret: str, prefix: str) -> None:
    shown = FORMS[form](secret)

    hidden = Redactor([secret])(f"{prefix} {shown}")

    # What stands around the secret may by chance hold it as well; at its own place it is gone.
    assert not hidden.endswith(shown)


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    redact = Redactor(["secret-1", "secret-1234"])

    assert redact("a secret-1234 b secret-1 c") == "a *** b *** c"


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    key = "-----BEGIN-----\nMIIEvQIBADANBgkqhkiG\nab\n-----END-----"

    hidden = Redactor([key])("line MIIEvQIBADANBgkqhkiG\nab")

    assert hidden == "line ***\nab"


def test_without_secrets_nothing_changes() -> None:
    assert Redactor([])("text") == "text"
    assert Redactor(["abc"])("abc") == "abc"  # too short to hide


def test_forms_are_long_enough_and_unique() -> None:
    forms = secret_forms("pass1")

    assert len(forms) == len(set(forms))
    assert min(map(len, forms)) >= 5


CONNECTION = {"conn_type": "http", "host": "example", "login": "somebody", "password": "pass+word"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (json.dumps(CONNECTION), {"pass+word"}),
        ("http://somebody:pass%2Bword@example/path", {"pass+word"}),
        ("http://u:p1234@h/?token=abcde&region=eu-central-1", {"p1234", "abcde"}),
        (
            json.dumps(
                {"extra": {"token": "abcde", "other": "long-enough", "path": "/a/long/path"}}
            ),
            {"abcde", "long-enough"},
        ),
        (json.dumps({"extra": {"nested": [{"apiKey": "abcde"}]}}), {"abcde"}),
        (json.dumps({"extra": '{"apiKey": "abcde"}'}), {"abcde", '{"apiKey": "abcde"}'}),
        (json.dumps({"extra": "not json at all"}), {"not json at all"}),
        (json.dumps({"password": None, "extra": None}), set()),
        ("http://[broken", {"http://[broken"}),
        ("12345678", set()),
    ],
)
def test_secrets_of_a_connection(value: str, expected: set[str]) -> None:
    assert environment_secrets({"AIRFLOW_CONN_X": value}) == expected


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("MY_PASSWORD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("GITHUB_TOKEN", True),
        ("SERVICE_APIKEY_2", True),
        ("AIRFLOW__CORE__FERNET_KEY", True),
        ("AIRFLOW__API_AUTH__JWT_SECRET", True),
        ("PWD", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", False),
        ("TOKEN_TTL", False),
        ("HOME", False),
    ],
)
def test_names_of_secrets(name: str, *, is_secret: bool) -> None:
    assert bool(environment_secrets({name: "a-long-value"})) is is_secret


def test_short_values_are_not_hidden() -> None:
    assert (
        environment_secrets({"MY_TOKEN": "true", "AIRFLOW_CONN_X": '{"password": "abc"}'}) == set()
    )
