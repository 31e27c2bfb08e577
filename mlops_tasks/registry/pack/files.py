"""The files of a pack, from its contents: documents, pages, a README, and their checksums."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.pack.bill_of_materials import bill_of_materials
from mlops_tasks.registry.pack.card import model_card, render_card
from mlops_tasks.registry.pack.lineage import picture
from mlops_tasks.registry.pack.regulations import regulations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.registry.pack.contents import Contents

__all__ = [
    "CARD",
    "CHECKSUMS",
    "IDENTITY",
    "KEY",
    "LEDGER",
    "README",
    "REGULATIONS",
    "SIGNATURE",
    "checksums",
    "pack_files",
    "read_checksums",
]

IDENTITY, CARD, LEDGER, REGULATIONS = (
    "pack.json",
    "model_card.html",
    "ledger.json",
    "regulations.json",
)
README = "README.txt"
# What the signature is of, the signature, and the key that it is checked with.
CHECKSUMS, SIGNATURE, KEY = "SHA256SUMS", "SHA256SUMS.sig", "public_key.pem"
_SEPARATOR = "  "  # as sha256sum writes it

_README = """\
Evidence pack of {model}, version {version}

{rule}
What it is
  model_card.html      for people: open it in a browser, it loads nothing from anywhere
  pack.json            which version, who promoted it and why, and as of when the pack speaks
  regulations.json     where the points of Annex IV of the EU AI Act and of Article 30 of the GDPR
                       are answered in here, and where they are not
  *.json, lineage.svg  the evidence itself; bom.cdx.json is a CycloneDX 1.6 bill of materials
  SHA256SUMS           the digests of all of these; SHA256SUMS.sig is its signature, a Sigstore
                       bundle of model-signing, and public_key.pem the key that fits it

Is it what was signed, and by whom?
  mlops pack verify FILE --key KEY
  with the public key that the installation gave you, not the one in this pack: anybody can sign a
  pack with a key of their own. Its fingerprint is the SHA-256 of its file, by sha256sum.

Without mlops, after unpacking it into an empty folder:
  sha256sum --check SHA256SUMS
  model_signing verify key SHA256SUMS --signature SHA256SUMS.sig --public_key public_key.pem
  and look whether any file is there that SHA256SUMS does not name

It holds no rows, no values of personal columns, no model files and no secrets. It names who asked
for the model and who approved it.
"""


def pack_files(contents: Contents) -> dict[str, bytes]:
    """Return all files that a signature covers; the same contents give the same bytes.

    Raises
    ------
    EvidencePackError
        If the library that writes the bill of materials is not installed.
    """
    mapped = regulations(contents)
    card = model_card(contents, mapped)
    documents = {
        IDENTITY: contents.identity,
        LEDGER: contents.ledger,
        REGULATIONS: mapped,
        "model_card.json": card,
        "intended_use.json": contents.intended_use,
        "specification.json": contents.specification,
        "pins.json": contents.pins,
        "contract.json": contents.contract,
        "gate.json": contents.gate,
        "fairness.json": contents.fairness,
        "explanation.json": contents.explanation,
        "approvals.json": contents.approvals,
        "environment.json": contents.environment,
        "lineage.json": contents.lineage,
    }
    about = contents.identity
    texts = {
        CARD: render_card(card),
        "lineage.svg": picture(contents.lineage),
        "bom.cdx.json": bill_of_materials(contents),
        README: _README.format(model=about["model"], version=about["version"], rule="-" * 72),
    }
    files = {name: _json(document) for name, document in documents.items()}
    return files | {name: text.encode() for name, text in texts.items()}


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def checksums(files: Mapping[str, bytes]) -> bytes:
    """Return the digests of some files, as ``sha256sum`` writes and checks them."""
    lines = [
        f"{hashlib.sha256(files[name]).hexdigest()}{_SEPARATOR}{name}" for name in sorted(files)
    ]
    return ("\n".join(lines) + "\n").encode()


def read_checksums(text: bytes) -> dict[str, str]:
    """Return the digests that `checksums` has written, by name; none where it is no such text."""
    found: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition(_SEPARATOR)
        if not name or name in found:
            return {}
        found[name] = digest
    return found
