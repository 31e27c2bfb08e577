"""The choice among past champions: what a person may answer, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoChampionError
from mlops_tasks.registry.champions import registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.past_champions import champion_to_return_to, past_champions
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger

__all__ = ["RollbackAnswer", "RollbackQuestion", "rollback_answer", "rollback_question"]

_MOST = 20


@dataclass(frozen=True, slots=True)
class RollbackAnswer:
    """What was answered.

    Attributes
    ----------
    version : str or None
        The version to return to; None keeps the champion there is.
    reason : str
        Who has chosen, or why the champion is kept.
    generation : int
        Which move had made the champion one that the question was about.
    by : str
        Who answered; empty where nobody did.
    """

    version: str | None
    reason: str
    generation: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class RollbackQuestion:
    """Which past champion a model returns to.

    Attributes
    ----------
    version : str
        The champion there is.
    generation : int
        Which move made it the champion.
    options : dict of str to str
        By what a person reads, the version; the latest champion first.
    n_older : int
        Past champions that are not offered, for there are too many; a person may name them.
    """

    version: str
    generation: int
    options: dict[str, str]
    n_older: int = 0

    @property
    def keep(self) -> str:
        """What a person reads where nothing is moved."""
        return f"Keep version {self.version}"

    def answered(self, chosen: str, *, by: str, generation: int) -> RollbackAnswer:
        """Return what an answer means by now.

        Parameters
        ----------
        chosen : str
            What was chosen.
        by : str
            Who answered; empty where nobody did in time.
        generation : int
            Of the champion when it was asked.
        """
        version, reason = None, f"{by} keeps it"
        if self.generation != generation:
            reason = f"the champion was moved meanwhile, and {by or 'nobody'} has chosen before"
        elif not by:
            reason = "nobody has chosen in time"
        elif chosen in self.options:
            version, reason = self.options[chosen], f"chosen by {by}"
        elif chosen != self.keep:
            reason = f"{by} has chosen {chosen!r}, which cannot be the champion any more"
        return RollbackAnswer(version, reason, generation, by)


def rollback_question(name: str, *, metric: str, ledger: Ledger) -> RollbackQuestion:
    """Return which champions a person may choose from.

    Parameters
    ----------
    name : str
        Registered model.
    metric : str
        Of each, as its gate has measured it, beside since when it was the champion.
    ledger : Ledger
        What happened.

    Raises
    ------
    NoChampionError
        If there is no champion.
    VersionNotAllowedError
        If there is none to return to.
    """
    now = ledger.champion(name)
    if now is None:
        raise NoChampionError(f"model {name!r} has no champion, so there is nothing to roll back")
    past = [one for one in past_champions(name, ledger=ledger) if not one.retired]
    if not past:
        champion_to_return_to(name, None, ledger=ledger)
    options = {}
    for one in past[:_MOST]:
        value = registered_version(name, one.version, ledger=ledger).metrics.get(metric)
        more = f", {metric} {value:.4f}" if value is not None else ""
        more += ", was rolled back" if one.rolled_back else ""
        options[f"Version {one.version}: champion since {one.since}{more}"] = one.version
    return RollbackQuestion(now.version, now.generation, options, len(past) - len(options))


def rollback_answer(name: str, dag_run: str, *, ledger: Ledger) -> RollbackAnswer | None:
    """Return what was answered to the question of a Dag run; None while nothing was."""
    found = ledger.newest(name, EvidenceKind.ROLLBACK_ANSWER, key=dag_run)
    return None if found is None else from_json(RollbackAnswer, found.evidence)
