"""What the gate says."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of a challenger, and on what evidence.

    ``verdict`` is ``"promote"``, ``"keep"`` or ``"cannot_tell"``; metrics are plain finite floats.
    ``difference`` is the interval that decided: ROC AUC, or what it is above the champion's;
    ``log_loss_gap`` that of the log loss above the champion's. Empty where they cannot be measured.
    ``artifacts`` has the SHA-256 of what the evaluation stored for later steps;
    ``champion_generation`` is 0 where there was no champion to compare with.
    """

    verdict: str
    reason: str
    n_rows: int
    challenger: dict[str, float]
    champion: dict[str, float] | None
    champion_version: str | None
    difference: dict[str, float]
    log_loss_gap: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    champion_generation: int = 0
