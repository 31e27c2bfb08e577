"""A model in MLflow: as it was trained, and as the ledger knows it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["LeakSuspect", "RegisteredVersion", "TrainResult"]


@dataclass(frozen=True, slots=True)
class LeakSuspect:
    """Features of a training that know what only the label can know.

    Attributes
    ----------
    columns : tuple of str
        The feature, or the features that do so together.
    kind : str
        ``"alone"``: a number nearly gives the label; ``"map"``: the categories do; ``"sum"``: the
        features sum to it; ``"presence"``: they are there, or missing, only with one label;
        ``"newest"``: they are missing in the newest rows, which no label is known for yet.
    value, lower, upper : float
        The evidence with its confidence interval, 1 the strongest; what it is, `text` says.
    n_rows : int
        Rows that it was measured on.
    text : str
        In one sentence, which shows no value of a column.
    """

    columns: tuple[str, ...]
    kind: str
    value: float
    lower: float
    upper: float
    n_rows: int
    text: str


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A fitted model in MLflow: references and the figures a person asks for first.

    ``target`` describes the target, ``classes`` are those that the model knows, in the order of its
    probabilities. ``artifacts`` has the SHA-256 of each artifact of the run that later steps read.
    ``suspects`` are features that may leak the label, those that the spec allows among them.
    ``inputs`` is a SHA-256 over all that decides about the fit: pinned rows, parameters and code;
    empty where the code is not known, as of an estimator that was handed over.
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
    suspects: tuple[LeakSuspect, ...] = ()
    inputs: str = ""


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
    inputs : str
        SHA-256 over pins, parameters and code of its training; empty where it was not kept.
    """

    name: str
    version: str
    run_id: str
    model_uri: str
    digest: str
    artifacts: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    generation: int = 0
    inputs: str = ""
