"""Evidence packs of made-up contents: all that a signature is about, without training anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.pack import Contents, SigningKey, archive_bytes, pack_files
from mlops_tasks.registry.pack.files import CHECKSUMS, KEY, SIGNATURE, checksums
from mlops_tasks.registry.pack.ledger_extract import extract
from mlops_tasks.registry.pack.lineage import lineage
from mlops_tasks.registry.versions import RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODEL = "late_orders"
USE = {
    "purpose": "Warn customers before they ask.",
    "provider": "Orders Ltd, office@orders.example",
    "users": "",
    "people": "customers",
    "out_of_scope": "",
    "limitations": "Never tried in December.",
    "oversight": "The dispatcher overrules it.",
    "metric": "",
    "retention": "",
}


def sample_ledger() -> Ledger:
    """Return a ledger of three models' entries, some of them neighbours."""
    ledger = Ledger("sqlite://")
    for model, key in ((MODEL, "1"), (MODEL, "2"), ("other", "1"), (MODEL, "3"), ("other", "2")):
        ledger.record(model=model, kind="decision", key=key, evidence={"reason": f"because {key}"})
    return ledger


def sample_extract() -> dict[str, Any]:
    """Return what a pack has of it."""
    ledger = sample_ledger()
    return extract(ledger.entries(model=MODEL, history=True), ledger.head())


def sample_contents(**changes: Any) -> Contents:
    """Return contents as `gather` would, with some changed."""
    version = RegisteredVersion(MODEL, "3", "a" * 32, "models:/m-1", "b" * 64)
    fields: dict[str, Any] = {
        "identity": {
            "format": "1.0",
            "made_by": "mlops-airflow 0.1.0",
            "model": MODEL,
            "version": "3",
            "previous": "2",
            "generation": 2,
            "as_of": "2024-03-16",
            "promoted_at": "2024-03-16T03:00:00+00:00",
            "promoted_in": "late_orders.train/scheduled__1",
            "promoted_because": "better by 0.1",
            "run_id": "a" * 32,
            "files_digest": "b" * 64,
            "artifacts": {},
            "state_of": datetime(2024, 3, 16, 3, tzinfo=UTC).isoformat(),
        },
        "intended_use": USE,
        "specification": {"problem_type": "binary", "estimator": "late_orders.model:build"},
        "pins": {"why_not": "no pin"},
        "contract": {"why_not": "no pin"},
        "gate": {"why_not": "no gate has judged it"},
        "fairness": {"fairness": [], "slice": [], "why_not": "no gate has compared groups"},
        "explanation": {"importance": {"distance": 0.3, "items": 0.0}},
        "approvals": {"promoted": {"by": "schedule"}, "asked": [], "why_not": "nobody was asked"},
        "environment": {"python": "3.11.7", "distributions": [{"name": "skops", "version": "1"}]},
        "lineage": lineage(version, None, table=f"{MODEL}__predictions", n_monitored=0),
        "ledger": sample_extract(),
    }
    return Contents(**fields | changes)


def signed_files(files: Mapping[str, bytes], key: SigningKey) -> dict[str, bytes]:
    """Return the files of a pack with their checksums, signature and key."""
    sums = checksums(files)
    return {**files, CHECKSUMS: sums, SIGNATURE: key.sign(sums), KEY: key.public.pem}


def write_pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write an archive of files as they are, whatever their checksums say."""
    path.write_bytes(archive_bytes(files))
    return path


def sample_pack(key: SigningKey, **changes: Any) -> dict[str, bytes]:
    """Return the files of a signed pack of made-up contents."""
    return signed_files(pack_files(sample_contents(**changes)), key)
