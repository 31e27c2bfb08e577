"""Compare: the champion beside the one before it, on rows that both have predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_tasks.gate.plan import GatePlan, resolved
from mlops_tasks.gate.sequential import SequentialGain, sequential_gains
from mlops_tasks.monitoring.side_by_side import read_side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.monitoring.side_by_side import SideBySide
    from mlops_tasks.registry.watch_window import WatchWindow
    from mlops_tasks.specs import ModelSpec

__all__ = ["Comparison", "compare_with_previous", "judge_gains", "judge_rows"]

Answer = Literal["worse", "fine", "cannot_tell"]
#: With fewer rows no difference is shown.
_LEAST_ROWS = 30


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one look at a watch window has found.

    Attributes
    ----------
    answer : str
        ``worse``, ``fine`` (not worse by more than the gate allows) or ``cannot_tell``.
    reason : str
        In a sentence.
    version, previous, generation
        As of the `WatchWindow`.
    partitions : tuple of str
        Those that were compared.
    n_partitions : int
        Those of the whole window.
    n_rows : int
        Rows that both have predicted and whose label is known.
    gains : tuple of SequentialGain
        By metric, the primary one first.
    """

    answer: Answer
    reason: str
    version: str
    previous: str
    generation: int
    partitions: tuple[str, ...] = ()
    n_partitions: int = 0
    n_rows: int = 0
    gains: tuple[SequentialGain, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether the window is complete: later looks only see corrections."""
        return len(self.partitions) >= self.n_partitions


def compare_with_previous(spec: ModelSpec, window: WatchWindow, *, lake: Lake) -> Comparison:
    """Compare a new champion with the one before it, on the mature labels of its watch window.

    Parameters
    ----------
    spec : ModelSpec
        The model; its gate says which metrics, and by how much a version may be worse.
    window : WatchWindow
        From `find_watch_window`.
    lake : Lake
        Predictions of both, and labels.

    Returns
    -------
    Comparison
        ``worse`` where the primary metric is worse by more than ``max_loss`` with its whole
        interval, unless another one of superiority is shown to be better: the gate may have
        promoted the version for that one, and a person has to weigh them.

    Notes
    -----
    See `sequential_gains`: how much of the window is there is counted in partitions by the
    calendar, and nothing of what rows say is looked at for it.
    """
    found = read_side_by_side(
        spec,
        window.first,
        window.last,
        version=window.version,
        rival=window.previous,
        shadow=spec.shadow_table,
        lake=lake,
    )
    return judge_rows(GatePlan.of(spec), window, found)


def judge_rows(plan: GatePlan, window: WatchWindow, found: SideBySide) -> Comparison:
    """Compare two versions on rows that both have predicted.

    Parameters
    ----------
    plan : GatePlan
        With the metrics.
    window : WatchWindow
        With the rule.
    found : SideBySide
        The rows.

    Returns
    -------
    Comparison
        See `compare_with_previous`.
    """
    answer, reason, gains = _judged(plan, window, found)
    return Comparison(
        answer=answer,
        reason=reason,
        version=window.version,
        previous=window.previous,
        generation=window.generation,
        partitions=found.partitions,
        n_partitions=window.n_partitions,
        n_rows=len(found),
        gains=tuple(gains),
    )


def _judged(
    plan: GatePlan, window: WatchWindow, found: SideBySide
) -> tuple[Answer, str, list[SequentialGain]]:
    ours, rival, n_rows = found.ours, found.rival, len(found)
    if ours is None or rival is None or n_rows < _LEAST_ROWS:
        return "cannot_tell", f"{n_rows} rows, fewer than {_LEAST_ROWS}: too few to tell", []
    if few := plan.problem.too_few(ours, plan.gate.min_class_rows):
        least = plan.problem.least(plan.gate.min_class_rows)
        return "cannot_tell", f"{few} labels: too few to tell, at least {least} are needed", []
    share = min(len(found.partitions) / window.n_partitions, 1.0)
    gains = sequential_gains(plan, ours, rival, share=share, level=window.level)
    allowed = resolved(window.max_loss, plan.metric.value(rival))
    answer, words = judge_gains(gains, allowed)
    who = f"version {window.version} beside version {window.previous}"
    seen = f"{n_rows} rows of {len(found.partitions)} of {window.n_partitions} partitions"
    return answer, f"{who} on {seen}: {words}", gains


def judge_gains(gains: Sequence[SequentialGain], max_loss: float) -> tuple[Answer, str]:
    """Return one of three answers, and why.

    Parameters
    ----------
    gains : sequence of SequentialGain
        Of the champion over the version before it, the primary metric first.
    max_loss : float
        By how much it may be worse in that.

    Returns
    -------
    answer : str
        ``worse``, ``fine`` or ``cannot_tell``.
    words : str
        In a sentence.

    Examples
    --------
    >>> about = {"margin": 0.02, "level": 0.01, "share": 0.5}
    >>> auc = SequentialGain("roc_auc", "ROC AUC", -0.05, -0.08, -0.02, **about)
    >>> judge_gains([auc], 0.0)[0], judge_gains([auc], 0.02)[0]
    ('worse', 'cannot_tell')
    """
    primary, *others = gains
    if primary.lower is None or primary.upper is None:
        return "cannot_tell", primary.text
    better = [one for one in others if one.lower is not None and one.lower > 0]
    if round(primary.upper + max_loss, 12) < 0:
        if better:
            return "cannot_tell", (
                f"{primary.text}, but {better[0].text}: a person has to weigh one against the other"
            )
        return "worse", primary.text
    if round(primary.lower + primary.margin, 12) >= 0:
        return "fine", f"{primary.text}, not worse by more than {primary.margin:.4g}"
    return "cannot_tell", f"{primary.text}, which shows neither"
