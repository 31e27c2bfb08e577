"""What a smoke test found, one line per query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_tasks.gate.latency import Latency  # noqa: TC001 (read when rebuilt from JSON)

__all__ = ["SmokeQuery", "SmokeTestResult"]


@dataclass(frozen=True, slots=True)
class SmokeQuery:
    """One query of a model and what came of it.

    Attributes
    ----------
    name : str
        What was asked.
    answer : str
        ``"passed"``; ``"warned"``: an odd row is refused, in our words, and would stop the rows
        beside it; ``"cannot tell"``; or ``"failed"``.
    n_rows : int
        Rows that it was asked about.
    text : str
        In one sentence, which shows no value of a row.
    """

    name: str
    answer: Literal["passed", "warned", "cannot tell", "failed"]
    n_rows: int
    text: str

    @property
    def line(self) -> str:
        """The query on one line."""
        return f"{self.answer:<11}  {self.name}: {self.text}"


@dataclass(frozen=True, slots=True)
class SmokeTestResult:
    """What became of a registered version in a process of its own.

    Attributes
    ----------
    version, run_id, digest : str
        The version, its run, and the digest of its files as the ledger has it.
    passed : bool
        Whether no query failed. Only then may the version be promoted.
    reason : str
        In one sentence.
    queries : tuple of SmokeQuery
        In the order they were made.
    load_s : float or None
        Seconds to load it, digest compared; None if it could not be loaded.
    model_bytes : int
        Size of its files.
    memory_bytes : int or None
        By how much the process grew when it loaded it, libraries of the model included.
    latency : Latency or None
        Of its predictions on one processor.
    """

    version: str
    run_id: str
    digest: str
    passed: bool
    reason: str
    queries: tuple[SmokeQuery, ...]
    load_s: float | None = None
    model_bytes: int = 0
    memory_bytes: int | None = None
    latency: Latency | None = None
