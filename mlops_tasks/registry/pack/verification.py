"""Is a pack what was signed, and by whom? Answered from the file alone."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.formats import check_format
from mlops_tasks.registry.pack.archive import read_archive
from mlops_tasks.registry.pack.contents import FORMAT
from mlops_tasks.registry.pack.files import (
    CHECKSUMS,
    IDENTITY,
    KEY,
    LEDGER,
    SIGNATURE,
    read_checksums,
)
from mlops_tasks.registry.pack.signing import PublicKey, signature_fits, signed_by

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Answer", "PackCheck", "PackProblem", "read_pack", "verify_pack"]

_UNSIGNED = (CHECKSUMS, SIGNATURE, KEY)


class Answer(StrEnum):
    """What can be said of a pack."""

    VERIFIED = "verified"
    CHANGED = "changed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class PackProblem:
    """Something in a pack that is not what was signed.

    Attributes
    ----------
    name : str
        The file in the pack.
    what : str
        ``"changed"``, ``"missing"``, ``"added"``, ``"signature"``, ``"key"`` or ``"ledger"``.
    text : str
        In one sentence.
    """

    name: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class PackCheck:
    """What `verify_pack` has found.

    Attributes
    ----------
    answer : Answer
        ``verified`` only where nothing is wrong and the key is the one that was asked for; without
        such a key nobody can tell who has signed, and the answer is ``cannot tell``.
    model, version : str
        What the pack says it is about.
    fingerprint : str
        Of the key that lies in the pack.
    problems : tuple of PackProblem
        Everything that is wrong.
    n_files, n_entries : int
        Signed files, and entries of the ledger that were checked.
    """

    answer: Answer
    model: str
    version: str
    fingerprint: str
    problems: tuple[PackProblem, ...]
    n_files: int
    n_entries: int


def read_pack(path: Path) -> dict[str, bytes]:
    """Return the files of a pack, unverified.

    Raises
    ------
    EvidencePackError
        If the file is no pack.
    NewerFormatError
        If a newer version of the project made it.
    """
    return _opened(path)[0]


def _opened(path: Path) -> tuple[dict[str, bytes], bool]:
    """Return the files of a pack, and whether nothing lies between them."""
    files, canonical = read_archive(path)
    if IDENTITY not in files:
        raise EvidencePackError(
            f"{path} is no evidence pack: it has no {IDENTITY}; packs are made by `mlops pack make`"
        )
    with suppress(ValueError):  # no version at all: whoever verifies it finds that it was changed
        check_format(_identity(files), FORMAT, f"the evidence pack {path}")
    return files, canonical


def verify_pack(path: Path, *, trusted: str | None = None) -> PackCheck:
    """Check signature, files and extract of the ledger of a pack, without anything but the file.

    Parameters
    ----------
    path : Path
        The pack.
    trusted : str, optional
        Fingerprint of the key of the installation that it should be from, known from somewhere
        else than the pack.

    Returns
    -------
    PackCheck
        The answer, and each file that was changed, is missing or was added.

    Raises
    ------
    EvidencePackError
        If the file is no pack, or the libraries that check signatures are not installed.
    NewerFormatError
        If a newer version of the project made it.

    Notes
    -----
    The archive is compared byte by byte with the one way to write its files, so that nothing hides
    between them. Time and memory grow with the size of the file.
    """
    files, canonical = _opened(path)
    signed = read_checksums(files.get(CHECKSUMS, b""))
    fingerprint, problems = _signature_problems(files, trusted)
    problems += _file_problems(files, signed)
    if not canonical:
        text = "its members are in another order, or something lies between or beside them"
        problems.append(PackProblem(path.name, "changed", f"the archive itself: {text}"))
    n_entries, broken = _ledger_problems(files)
    problems += broken
    answer = Answer.VERIFIED if trusted else Answer.CANNOT_TELL
    about = _identity(files)
    return PackCheck(
        answer=Answer.CHANGED if problems else answer,
        model=str(about.get("model", "")),
        version=str(about.get("version", "")),
        fingerprint=fingerprint,
        problems=tuple(problems),
        n_files=len(signed),
        n_entries=n_entries,
    )


def _identity(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        found = json.loads(files[IDENTITY])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _signature_problems(
    files: Mapping[str, bytes], trusted: str | None
) -> tuple[str, list[PackProblem]]:
    """Return the fingerprint of the key in the pack, and what is wrong with key and signature."""
    gone = [name for name in _UNSIGNED if name not in files]
    if gone:
        text = "without it nothing shows who has signed what"
        return "", [PackProblem(name, "missing", f"{name} is missing: {text}") for name in gone]
    try:
        key = PublicKey.of(files[KEY], KEY)
    except EvidencePackError as error:
        return "", [PackProblem(KEY, "key", str(error))]
    found = []
    if trusted and key.fingerprint != trusted:
        text = (
            f"the pack is signed with the key {key.fingerprint}, and you trust {trusted}: it is "
            "from another installation, or somebody has signed it anew"
        )
        found.append(PackProblem(KEY, "key", text))
    if key.pem != files[KEY]:
        found.append(PackProblem(KEY, "changed", f"{KEY} has something beside the key"))
    if not signature_fits(files[CHECKSUMS], files[SIGNATURE], key):
        named = signed_by(files[SIGNATURE])
        if named and named != key.fingerprint:
            text = f"{SIGNATURE} is by the key {named}, not by the one that lies in the pack"
        else:
            text = f"the signature does not fit {CHECKSUMS}: one of the two was changed"
        found.append(PackProblem(SIGNATURE, "signature", text))
    return key.fingerprint, found


def _file_problems(files: Mapping[str, bytes], signed: Mapping[str, str]) -> list[PackProblem]:
    found = []
    if CHECKSUMS in files and not signed:
        text = f"{CHECKSUMS} is no list of checksums"
        found.append(PackProblem(CHECKSUMS, "changed", text))
    for name in sorted(signed.keys() | files.keys() - set(_UNSIGNED)):
        if name not in files:
            found.append(PackProblem(name, "missing", f"{name} is missing"))
        elif name not in signed:
            found.append(PackProblem(name, "added", f"{name} was added: no signature covers it"))
        elif hashlib.sha256(files[name]).hexdigest() != signed[name]:
            found.append(PackProblem(name, "changed", f"{name} was changed"))
    return found


def _ledger_problems(files: Mapping[str, bytes]) -> tuple[int, list[PackProblem]]:
    from mlops_tasks.registry.pack.ledger_extract import extract_problems

    if LEDGER not in files:
        return 0, []  # it is named as missing already
    try:
        raw = json.loads(files[LEDGER])
        n_entries = len(raw["entries"])
    except (ValueError, LookupError, TypeError):
        return 0, [PackProblem(LEDGER, "ledger", f"{LEDGER} is no extract of a ledger")]
    return n_entries, [PackProblem(LEDGER, "ledger", text) for text in extract_problems(raw)]
