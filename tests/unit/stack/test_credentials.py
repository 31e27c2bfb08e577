from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from mlops_airflow.stack.credentials import load_credentials, write_private
from mlops_airflow.stack.exceptions import StackSettingsError

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"

    first = load_credentials(file)

    assert load_credentials(file) == first
    assert mode(file) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]
    assert len(set(first.values())) == 5
    assert min(map(len, first.values())) >= 16
    Fernet(first.fernet_key)  # refuses a key of another form


def test_two_homes_share_no_secret(tmp_path: Path) -> None:
    one, two = (load_credentials(tmp_path / name) for name in ("a", "b"))

    assert not set(one.values()) & set(two.values())


def test_secrets_do_not_show(tmp_path: Path) -> None:
    credentials = load_credentials(tmp_path / "secrets.json")

    shown = f"{credentials!r} {credentials}"

    assert not any(value in shown for value in credentials.values())


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"admin_password": "x"}'])
def test_damaged_file_is_not_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(content)

    with pytest.raises(StackSettingsError, match=r"secrets\.json is damaged"):
        load_credentials(file)
    assert file.read_text() == content


def test_file_of_an_earlier_version_is_completed(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    first = load_credentials(file)
    earlier = json.loads(file.read_text())
    del earlier["mlflow_password"]
    file.write_text(json.dumps(earlier | {"mlflow_secret_key": "used no more"}))

    now = load_credentials(file)

    assert replace(now, mlflow_password="") == replace(first, mlflow_password="")
    assert len(now.mlflow_password) >= 32
    assert now.mlflow_password != first.mlflow_password
    assert load_credentials(file) == now
    assert mode(file) == 0o600


def test_open_file_is_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    load_credentials(file)
    file.chmod(0o644)

    load_credentials(file)

    assert mode(file) == 0o600


def test_private_file_replaces_an_open_one(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    file.chmod(0o666)

    write_private(file, "new")

    assert (file.read_text(), mode(file)) == ("new", 0o600)
