"""Whatever is done to a pack is noticed, and named."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import EvidencePackError, NewerFormatError
from mlops_tasks.registry.pack import Answer, pack_files, read_pack, verify_pack
from mlops_tasks.registry.pack.files import CHECKSUMS, KEY, SIGNATURE, checksums
from tests.unit.packs import (
    MODEL,
    sample_contents,
    sample_extract,
    sample_pack,
    signed_files,
    write_pack,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.pack import SigningKey

COVERED = sorted(pack_files(sample_contents()))
UNSIGNED = [CHECKSUMS, SIGNATURE, KEY]


def problems(path: Path, files: dict[str, bytes], key: SigningKey) -> list[tuple[str, str]]:
    """Return name and kind of all that is wrong; the answer must fit."""
    found = verify_pack(write_pack(path, files), trusted=key.public.fingerprint)
    assert (found.answer is Answer.CHANGED) == bool(found.problems)
    return [(one.name, one.what) for one in found.problems]


def test_an_untouched_pack_is_verified_by_the_key_that_one_trusts(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    found = verify_pack(write_pack(path, files), trusted=key.public.fingerprint)
    assert found.answer is Answer.VERIFIED
    assert (found.model, found.version) == (MODEL, "3")
    assert found.fingerprint == key.public.fingerprint
    assert (found.n_files, found.n_entries) == (len(COVERED), 3)


def test_without_a_key_to_trust_nobody_can_tell(path: Path, files: dict[str, bytes]) -> None:
    found = verify_pack(write_pack(path, files))
    assert (found.answer, found.problems) == (Answer.CANNOT_TELL, ())


@pytest.mark.parametrize("name", COVERED)
def test_each_file_that_is_changed_is_named(
    path: Path, files: dict[str, bytes], key: SigningKey, name: str
) -> None:
    files[name] += b" "
    assert problems(path, files, key) == [(name, "changed")]


@pytest.mark.parametrize("name", [one for one in COVERED if one != "pack.json"])
def test_each_file_that_is_missing_is_named(
    path: Path, files: dict[str, bytes], key: SigningKey, name: str
) -> None:
    del files[name]
    assert problems(path, files, key) == [(name, "missing")]


def test_a_file_that_was_added_is_named(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    files["approval_2.json"] = b"{}"
    assert problems(path, files, key) == [("approval_2.json", "added")]


@pytest.mark.parametrize("name", UNSIGNED)
def test_without_signature_key_or_checksums_it_is_not_verified(
    path: Path, files: dict[str, bytes], key: SigningKey, name: str
) -> None:
    del files[name]
    found = dict(problems(path, files, key))
    assert found[name] == "missing"


def test_checksums_that_were_changed_with_a_file_do_not_fit_the_signature(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    files["gate.json"] = b"{}"
    covered = {name: files[name] for name in COVERED}
    files[CHECKSUMS] = checksums(covered)
    assert problems(path, files, key) == [(SIGNATURE, "signature")]


def test_a_line_that_was_taken_out_of_the_checksums_is_noticed(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    lines = files[CHECKSUMS].splitlines(keepends=True)
    files[CHECKSUMS] = b"".join(line for line in lines if b"gate.json" not in line)
    assert problems(path, files, key) == [(SIGNATURE, "signature"), ("gate.json", "added")]


def test_the_signature_of_another_pack_does_not_fit(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    other = sample_pack(key, gate={"why_not": "another one"})
    files[SIGNATURE] = other[SIGNATURE]
    assert problems(path, files, key) == [(SIGNATURE, "signature")]


def test_the_key_of_somebody_else_does_not_fit(
    path: Path, files: dict[str, bytes], key: SigningKey, other_key: SigningKey
) -> None:
    files[KEY] = other_key.public.pem
    found = verify_pack(write_pack(path, files), trusted=key.public.fingerprint)
    assert [one.what for one in found.problems] == ["key", "signature"]
    assert key.public.fingerprint in found.problems[1].text
    found = verify_pack(path)
    assert [one.what for one in found.problems] == ["signature"]


def test_a_pack_that_somebody_has_signed_anew_is_theirs(
    path: Path, files: dict[str, bytes], key: SigningKey, other_key: SigningKey
) -> None:
    covered = {name: files[name] for name in COVERED} | {"gate.json": b"{}"}
    forged = signed_files(covered, other_key)
    assert problems(path, forged, key) == [(KEY, "key")]
    assert problems(path, forged, other_key) == []
    assert verify_pack(path).answer is Answer.CANNOT_TELL, "intact, but whose?"


@pytest.mark.parametrize(
    ("name", "content"),
    [(KEY, b"hello"), (SIGNATURE, b"{}"), (SIGNATURE, b""), (CHECKSUMS, b"\xff\xfe"), (KEY, b"")],
)
def test_rubbish_in_their_place_is_no_signature(
    path: Path, files: dict[str, bytes], key: SigningKey, name: str, content: bytes
) -> None:
    files[name] = content
    assert problems(path, files, key)


def test_something_beside_the_key_is_noticed(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    files[KEY] += b"and a message\n"
    assert problems(path, files, key) == [(KEY, "changed")]


def test_members_in_another_order_are_noticed(
    path: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in reversed(files):
            archive.writestr(zipfile.ZipInfo(name), files[name])
    found = verify_pack(path, trusted=key.public.fingerprint)
    assert found.answer is Answer.CHANGED
    assert "in another order" in found.problems[0].text


def test_an_entry_of_the_ledger_that_was_edited_is_named_though_all_was_signed_anew(
    path: Path, key: SigningKey
) -> None:
    edited = sample_extract()
    edited["entries"][1]["evidence"]["reason"] = "because I say so"
    found = verify_pack(
        write_pack(path, sample_pack(key, ledger=edited)), trusted=key.public.fingerprint
    )
    assert [(one.name, one.what) for one in found.problems] == [("ledger.json", "ledger")]
    assert "entry 2 (decision 2) is not what was recorded" in found.problems[0].text


@pytest.mark.parametrize("raw", [{}, {"entries": 3, "head": {}}, {"entries": [{}], "head": {}}])
def test_an_extract_that_is_none_is_named(path: Path, key: SigningKey, raw: Any) -> None:
    files = pack_files(sample_contents()) | {"ledger.json": json.dumps(raw).encode()}
    assert problems(path, signed_files(files, key), key) == [("ledger.json", "ledger")]


def test_a_zip_of_something_else_is_no_pack(path: Path) -> None:
    write_pack(path, {"hello.txt": b"hello"})
    with pytest.raises(EvidencePackError, match=r"no evidence pack: it has no pack\.json"):
        verify_pack(path)


@pytest.mark.parametrize("about", [b"[]", b"\xff", b"{", b'{"format": "x"}'])
def test_an_identity_that_is_none_is_no_reason_to_fall_over(
    path: Path, files: dict[str, bytes], key: SigningKey, about: bytes
) -> None:
    files["pack.json"] = about
    assert problems(path, files, key) == [("pack.json", "changed")]


def test_a_pack_of_a_newer_format_is_refused(path: Path, files: dict[str, bytes]) -> None:
    files["pack.json"] = files["pack.json"].replace(b'"1.0"', b'"2.0"')
    with pytest.raises(NewerFormatError, match=r"the evidence pack .* has format 2\.0"):
        read_pack(write_pack(path, files))


def test_it_needs_no_network(
    path: Path, files: dict[str, bytes], key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert problems(path, files, key) == []


def test_other_tools_verify_it_as_the_readme_says(
    tmp_path: Path, path: Path, files: dict[str, bytes]
) -> None:
    from mlops_airflow.stack.environment import tool

    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(write_pack(path, files)) as archive:
        archive.extractall(folder)
    lines = files["README.txt"].decode().splitlines()
    commands = [line.split() for line in lines if line.startswith(("  sha256sum", "  model_sig"))]
    assert [command[0] for command in commands] == ["sha256sum", "model_signing"]
    commands[0][0] = shutil.which("sha256sum") or pytest.skip("no sha256sum here")
    commands[1][0] = tool("model_signing")
    for command in commands:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=60)
        assert done.returncode == 0, done
    (folder / CHECKSUMS).write_bytes(files[CHECKSUMS] + b"\n")
    done = subprocess.run(commands[1], cwd=folder, check=False, capture_output=True, timeout=60)
    assert done.returncode != 0, "it would fit anything"
