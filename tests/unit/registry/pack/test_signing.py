"""The key of the installation: made once, closed to others, and the only one that fits."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.registry.pack.signing import (
    PublicKey,
    SigningKey,
    missing_libraries,
    public_file,
    signature_fits,
    signed_by,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"what is signed\n"


def pem(key: object, password: bytes | None = None) -> bytes:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        how = serialization.BestAvailableEncryption(password)
    text: bytes = key.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how
    )
    return text


def private(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


def test_a_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys" / "evidence_key.pem"
    made = SigningKey.at(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "evidence_key.pem",
        "evidence_key.pub.pem",
    ]
    assert SigningKey.at(path) == made
    assert made.public.fingerprint == hashlib.sha256(public_file(path).read_bytes()).hexdigest()
    assert b"PRIVATE" not in public_file(path).read_bytes()


def test_tasks_that_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "evidence_key.pem"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: SigningKey.at(path).public, range(16)))
    assert len(keys) == 1


def test_the_public_file_follows_another_key(tmp_path: Path) -> None:
    path = tmp_path / "evidence_key.pem"
    before = SigningKey.at(path)
    private(path, pem(ec.generate_private_key(ec.SECP384R1())))
    after = SigningKey.at(path)
    assert after.public != before.public
    assert PublicKey.read(public_file(path)) == after.public
    assert signature_fits(CONTENT, after.sign(CONTENT), after.public)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="no key"),
        pytest.param(pem(rsa.generate_private_key(65537, 2048)), id="rsa"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256K1())), id="other curve"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), id="encrypted"),
    ],
)
def test_a_file_that_holds_no_such_key_is_refused_unshown(tmp_path: Path, content: bytes) -> None:
    path = private(tmp_path / "evidence_key.pem", content)
    with pytest.raises(EvidencePackError, match="holds no private key") as error:
        SigningKey.at(path)
    assert path.read_bytes() == content
    assert error.value.__cause__ is None
    assert "evidence_key" in str(error.value)


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence_key.pem"
    SigningKey.at(path)
    path.chmod(0o644)
    with pytest.raises(EvidencePackError, match=r"open to every user.*chmod 600"):
        SigningKey.at(path)


def test_a_key_that_cannot_be_made_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EvidencePackError, match=r"no key .* can be made at .*evidence_key"):
        SigningKey.at(tmp_path / "file" / "evidence_key.pem")


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(EvidencePackError, match="cannot be read: Is a directory"):
        SigningKey.at(tmp_path)


def test_a_signature_fits_its_content_and_key_only(key: SigningKey, other_key: SigningKey) -> None:
    signature = key.sign(CONTENT)
    assert signed_by(signature) == key.public.fingerprint
    assert signature_fits(CONTENT, signature, key.public)
    assert not signature_fits(CONTENT + b" ", signature, key.public)
    assert not signature_fits(CONTENT, signature, other_key.public)
    assert not signature_fits(CONTENT, other_key.sign(CONTENT), key.public)


def edited(signature: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(signature) | changes).encode()


def test_a_forged_signature_fits_nothing(key: SigningKey, other_key: SigningKey) -> None:
    signature, other = key.sign(CONTENT), other_key.sign(CONTENT)
    envelope = json.loads(signature)["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"]).replace(
        hashlib.sha256(CONTENT).hexdigest().encode(), hashlib.sha256(b"evil").hexdigest().encode()
    )
    forged = {
        "payload": edited(
            signature, dsseEnvelope=envelope | {"payload": base64.b64encode(payload).decode()}
        ),
        "envelope": edited(signature, dsseEnvelope=json.loads(other)["dsseEnvelope"]),
        "no hint": edited(signature, verificationMaterial={"publicKey": {}, "tlogEntries": []}),
        "hint": edited(
            signature,
            verificationMaterial={
                "publicKey": {"hint": other_key.public.fingerprint},
                "tlogEntries": [],
            },
        ),
        "nothing signed": edited(signature, dsseEnvelope=envelope | {"signatures": []}),
        "no json": b"hello",
        "empty": b"",
        "list": b"[]",
    }
    assert payload != base64.b64decode(envelope["payload"])
    fitting = [
        name
        for name, one in forged.items()
        for content in (CONTENT, b"evil")
        if signature_fits(content, one, key.public)
    ]
    assert fitting == []


def test_a_public_key_that_is_none_is_named(tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(EvidencePackError, match=r"the key .*none\.pem cannot be read"):
        PublicKey.read(tmp_path / "none.pem")
    with pytest.raises(EvidencePackError, match="holds no public key"):
        PublicKey.read(key.path)  # the private one: its text is not shown either


def test_without_the_extra_the_command_that_installs_it_is_named(
    key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = key.sign(CONTENT)
    assert missing_libraries() == ""
    for name in ("signing", "verifying"):
        monkeypatch.setitem(sys.modules, f"model_signing.{name}", None)
    with pytest.raises(EvidencePackError, match=r"pip install 'mlops-airflow\[evidence\]'"):
        key.sign(CONTENT)
    with pytest.raises(EvidencePackError, match=r"pip install 'mlops-airflow\[evidence\]'"):
        signature_fits(CONTENT, signature, key.public)
