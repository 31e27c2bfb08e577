"""A model in MLflow: as it was trained, and as the ledger knows it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["RegisteredVersion", "TrainResult"]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A fitted model in MLflow: references and the figures a person asks for first.

    ``target`` describes the target, ``classes`` are those that the model knows, in the order of its
    probabilities. ``artifacts`` has the SHA-256 of each artifact of the run that later steps read.
    """

    run_id: str
    model_id: str
    model_uri: str
    digest: str
    n_rows: int
    target: dict[str, float]
    fit_s: float
    classes: tuple[str, ...] = ()
    artifacts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model as the ledger knows it: what is needed to load it safely.

    Attributes
    ----------
    name, version : str
        Registered model and version.
    run_id, model_uri : str
        Where MLflow has its run and its files.
    digest : str
        `files_digest` of its files when they were examined.
    artifacts : dict of str to str
        SHA-256 of each artifact of the run that later steps read.
    metrics : dict of str to float
        What it scored at its gate.
    generation : int
        That of the champion, where it was asked for as the champion; else 0.
    """

    name: str
    version: str
    run_id: str
    model_uri: str
    digest: str
    artifacts: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    generation: int = 0
