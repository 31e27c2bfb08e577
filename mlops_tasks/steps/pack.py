"""Pack: what is known of a promoted version goes into one signed file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.faults import fault_point
from mlops_tasks.registry.pack.archive import archive_bytes, read_archive
from mlops_tasks.registry.pack.files import (
    CARD,
    CHECKSUMS,
    KEY,
    REGULATIONS,
    SIGNATURE,
    checksums,
    pack_files,
)
from mlops_tasks.registry.pack.regulations import NOT_COVERED
from mlops_tasks.registry.pack.signing import signature_fits
from mlops_tasks.reports import REPORTS, write_report
from mlops_tasks.storage import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.pack.contents import Contents
    from mlops_tasks.registry.pack.signing import SigningKey
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["EvidencePack", "make_pack"]

_TITLES = {"ai_act_annex_iv": "AI Act, Annex IV", "gdpr_article_30": "GDPR, Art. 30"}


@dataclass(frozen=True, slots=True)
class EvidencePack:
    """A pack that was made.

    Attributes
    ----------
    model, version : str
        What it is about.
    file, report : str
        The archive, and the model card in it as a page; paths relative to the root of the lake.
    digest : str
        SHA-256 of the archive.
    contents : str
        SHA-256 of what its signature is of: the same evidence has the same one.
    fingerprint : str
        Of the key that it is signed with.
    n_bytes : int
        Its size.
    not_covered : tuple of str
        Points of regulations that it does not answer.
    """

    model: str
    version: str
    file: str
    report: str
    digest: str
    contents: str
    fingerprint: str
    n_bytes: int
    not_covered: tuple[str, ...]


def make_pack(
    contents: Contents, *, lake: Lake, tracking: Tracking, key: SigningKey
) -> EvidencePack:
    """Sign the evidence of a promoted version, and store it beside the reports.

    Parameters
    ----------
    contents : Contents
        From `mlops_tasks.registry.pack.gather`.
    lake : Lake
        Where the pack goes.
    tracking : Tracking
        Where the version's run is, which gets a copy as an artifact.
    key : SigningKey
        Of the installation.

    Returns
    -------
    EvidencePack
        Where it is, and its digests.

    Raises
    ------
    EvidencePackError
        If the libraries of packs are not installed.

    Notes
    -----
    The same contents give the same files, byte by byte. A signature by such a key is another one
    each time, and so is the archive; that of an attempt that was killed is kept.
    """
    model, version = contents.identity["model"], contents.identity["version"]
    files = pack_files(contents)
    sums = checksums(files)
    said, about = hashlib.sha256(sums).hexdigest(), contents.identity
    # In the folder of the day of its promotion; each making has a name of its own.
    table, day = f"{model}__packs", about["promoted_at"][:10]
    file = Path(REPORTS, table, day, f"{version}-{said[:12]}.zip")
    archive = _kept(lake.root / file, sums, key)
    if archive is None:
        signed = {CHECKSUMS: sums, SIGNATURE: key.sign(sums), KEY: key.public.pem}
        archive = archive_bytes(files | signed)
        fault_point("pack:before_file")
        replace_file(lake.root / file, archive)
    fault_point("pack:after_file")
    report = write_report(lake.root, table, day, version, files[CARD].decode())
    tracking.log_bytes(about["run_id"], f"evidence/{file.name}", archive)
    fault_point("pack:after_artifact")
    return EvidencePack(
        model=model,
        version=version,
        file=file.as_posix(),
        report=report,
        digest=hashlib.sha256(archive).hexdigest(),
        contents=said,
        fingerprint=key.public.fingerprint,
        n_bytes=len(archive),
        not_covered=_not_covered(files),
    )


def _kept(path: Path, sums: bytes, key: SigningKey) -> bytes | None:
    """Return the archive that a killed attempt has left, if it is of the same files and key."""
    try:
        files, canonical = read_archive(path)
    except EvidencePackError:  # there is none, or none that can be used
        return None
    same = canonical and (files.get(CHECKSUMS), files.get(KEY)) == (sums, key.public.pem)
    fits = same and signature_fits(sums, files.get(SIGNATURE, b""), key.public)
    return path.read_bytes() if fits and checksums(_covered(files)) == sums else None


def _covered(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {n: files[n] for n in files if n not in (CHECKSUMS, SIGNATURE, KEY)}


def _not_covered(files: Mapping[str, bytes]) -> tuple[str, ...]:
    mapped = json.loads(files[REGULATIONS])
    return tuple(
        f"{title} {point['point']}"
        for key, title in _TITLES.items()
        for point in mapped[key]["points"]
        if point["answer"] == NOT_COVERED
    )
