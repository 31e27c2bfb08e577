"""The names of what a training keeps beside its model."""

from __future__ import annotations

__all__ = [
    "ARTIFACTS",
    "CLASSES",
    "ENVIRONMENT",
    "EXPLANATION",
    "FEATURE_PROFILES",
    "FINGERPRINT",
    "GATE_PAGE",
    "GATE_REPORT",
    "IMPORTANCE",
    "LABEL_PROFILES",
    "LEAKS",
    "PIN_FILE",
    "PROJECT",
    "SCORE_PROFILES",
    "SEARCH",
    "TABLE_MODEL",
    "VOCABULARIES",
    "evidence_path",
]

# Artifacts of a training run that later steps read: its data, what features and labels of every day
# of it looked like, the predictions of its evaluation, how much the model makes of each feature,
# and, of a multiclass model, the order of its classes.
PIN_FILE, IMPORTANCE, CLASSES = "pin.json", "importance.json", "classes.json"
FEATURE_PROFILES, SCORE_PROFILES = "feature_profiles.zip", "score_profiles.zip"
LABEL_PROFILES = "label_profiles.zip"
# Of models with text features, which hashes of words the training had; of those of one table, what
# they are asked with.
VOCABULARIES, TABLE_MODEL = "text_vocabularies.zip", "table_model.json"
# What it takes to train the same model again: what was installed, the project's sources, and what
# went into the fit and came out of it, by digests.
ENVIRONMENT, PROJECT, FINGERPRINT = "environment.json", "project.zip", "fingerprint.json"
# Of a training that has chosen what it fits: the choice, and all that was tried.
SEARCH = "search.json"
# All that the gate asked and found, why the challenger predicts as it does, and both as a page.
GATE_REPORT, EXPLANATION, GATE_PAGE = "gate.json", "explanation.json", "gate.html"
# The ledger has the digest of each that a run has: `Tracking.log_evidence` stores it.
ARTIFACTS = (
    PIN_FILE,
    IMPORTANCE,
    FEATURE_PROFILES,
    LABEL_PROFILES,
    SCORE_PROFILES,
    CLASSES,
    VOCABULARIES,
    TABLE_MODEL,
    ENVIRONMENT,
    PROJECT,
    FINGERPRINT,
    SEARCH,
    GATE_REPORT,
    EXPLANATION,
    GATE_PAGE,
)
# For people: features that may leak the label, in full.
LEAKS = "leak_suspects.json"


def evidence_path(name: str, digest: str) -> str:
    """Return where a run keeps one of several contents of an artifact: no other is ever there.

    Parameters
    ----------
    name : str
        One of ``ARTIFACTS``.
    digest : str
        SHA-256 of the content.

    Examples
    --------
    >>> evidence_path("gate.json", "0123456789abcdef" * 4)
    'evidence/0123456789abcdef/gate.json'
    """
    return f"evidence/{digest[:16]}/{name}"
