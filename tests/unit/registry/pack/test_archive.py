"""One way to write an archive, and everything else that looks like one is refused or noticed."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.registry.pack import archive
from mlops_tasks.registry.pack.archive import archive_bytes, read_archive

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = {"b.json": b"{}", "a.txt": b"first", "empty": b""}


def zipped(entries: Sequence[tuple[str | zipfile.ZipInfo, bytes]], **options: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as made:
        for entry, content in entries:
            made.writestr(entry, content)
    return out.getvalue()


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(EvidencePackError) as error:
        read_archive(path)
    return str(error.value)


def test_files_come_back(path: Path) -> None:
    path.write_bytes(archive_bytes(FILES))
    assert read_archive(path) == (FILES, True)


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    assert archive_bytes(FILES) == archive_bytes(dict(reversed(FILES.items())))


def test_ordinary_tools_read_it(path: Path) -> None:
    path.write_bytes(archive_bytes(FILES))
    with zipfile.ZipFile(path) as found:
        assert found.testzip() is None
        assert found.namelist() == sorted(FILES)
        assert {stat.S_IMODE(e.external_attr >> 16) for e in found.infolist()} == {0o644}


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/b", "a\\b", "..", ".hidden", "C:evil", "x" * 101]
)
def test_a_name_that_leads_elsewhere_is_refused(path: Path, name: str) -> None:
    text = refusal(path, zipped([("a.txt", b"1"), (name, b"2")]))
    assert "leads to another folder" in text


def test_two_members_of_one_name_are_refused(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped([("a.txt", b"1"), ("a.txt", b"2")])
    assert "'a.txt' is there twice" in refusal(path, content)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_not_unpacked(path: Path, method: int) -> None:
    content = zipped([("a.txt", bytes(50_000_000))], compression=method)
    assert len(content) < 200_000
    assert "is compressed" in refusal(path, content)


def test_a_member_that_claims_more_than_it_has_is_refused(path: Path) -> None:
    content = bytearray(archive_bytes({"a.txt": b"12345"}))
    at = content.index(b"PK\x01\x02") + 24  # its uncompressed size in the directory
    content[at : at + 4] = (2**31).to_bytes(4, "little")
    assert "'a.txt' is compressed" in refusal(path, bytes(content))


def test_a_link_is_refused(path: Path) -> None:
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "no ordinary file" in refusal(path, zipped([(link, b"/etc/passwd")]))


def test_an_encrypted_member_is_refused(path: Path) -> None:
    content = bytearray(archive_bytes({"a.txt": b"1"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refusal(path, bytes(content))


def test_many_members_are_refused(path: Path) -> None:
    text = refusal(path, archive_bytes({f"f{i}": b"" for i in range(101)}))
    assert "has 101 members" in text


def test_a_huge_file_is_refused_unread(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(257 * 2**20)  # takes no room
    with pytest.raises(EvidencePackError, match="269,484,032 bytes"):
        read_archive(path)


def test_what_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LARGEST", 1_000_000)
    with pytest.raises(EvidencePackError, match=r"/dev/zero has 1,000,001 bytes or more"):
        read_archive(Path("/dev/zero"))


def test_a_pack_may_come_through_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(pipe.write_bytes, archive_bytes(FILES))
        assert read_archive(pipe) == (FILES, True)
        written.result()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"PK\x05\x06"])
def test_what_is_no_zip_is_refused(path: Path, content: bytes) -> None:
    assert "no evidence pack, or was cut or damaged" in refusal(path, content)


def test_every_cut_is_noticed(path: Path) -> None:
    whole = archive_bytes(FILES)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(EvidencePackError):
            read_archive(path)


def test_every_changed_byte_is_noticed(path: Path) -> None:
    whole = archive_bytes(FILES)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found, canonical = read_archive(path)
        except EvidencePackError:
            continue
        assert not canonical or found != FILES, place


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidencePackError, match="cannot be read: No such file"):
        read_archive(tmp_path / "none.zip")
    with pytest.raises(EvidencePackError, match="cannot be read: Is a directory"):
        read_archive(tmp_path)


def reordered() -> bytes:
    return zipped([(name, FILES[name]) for name in ("empty", "b.json", "a.txt")])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"before" + archive_bytes(FILES), id="before"),
        pytest.param(archive_bytes(FILES)[:-2] + b"\x05\x00hello", id="comment"),
        pytest.param(reordered(), id="order and times"),
    ],
)
def test_what_lies_between_members_is_noticed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found, canonical = read_archive(path)
    assert (found, canonical) == (FILES, False)
