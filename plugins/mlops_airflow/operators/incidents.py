"""Look, by the clock of the decisions, what is wrong, and tell people once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.links import TimelineLink
from mlops_airflow.notifications.telling import count_incidents, tell
from mlops_airflow.operators.base import StepOperator, dag_run_name, decided_as_of, triggered_by
from mlops_tasks.policy import read_evidence
from mlops_tasks.policy.incidents import IncidentBook
from mlops_tasks.policy.incidents.alarms import WatchedEvidence
from mlops_tasks.registry import past_champions
from mlops_tasks.registry.aliases import AliasMove
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json
from mlops_tasks.specs.calendar import with_inputs
from mlops_tasks.steps.decide import RetrainDecision
from mlops_tasks.steps.watch import past_deadline, subjects_of, watch

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from mlops_tasks.policy.incidents import Delivery, Incident
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.watch import Watch

__all__ = ["WatchIncidentsOperator"]


class WatchIncidentsOperator(StepOperator):
    """Open, bring up to date and close incidents as of the run's key, and tell people.

    Partitions that the schedule promised and that are not there are found here, whether or not a
    run exists that should have made them. Messages that failed are sent again. The task is green
    whatever is wrong with the model, and where nobody could be told. As the last look at a night it
    writes the timeline of the model anew: also where labels, and so the monitoring, never come.

    Parameters
    ----------
    model : ModelSpec
        The model.
    decision : dict
        Output of `DecideRetrainingOperator`.
    """

    template_fields = ("decision",)
    operator_extra_links = (TimelineLink(),)

    def __init__(self, *, model: ModelSpec, decision: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.decision = model, decision

    def execute(self, context: Context) -> dict[str, Any]:
        """Watch, write down what has changed, and tell it."""
        as_of = decided_as_of(context, self.model)
        book = IncidentBook(self.ledger, dag_run=dag_run_name(context), by=triggered_by(context))
        before = {name: book.newest(name) for name in subjects_of(self.model)}
        found = watch(self.model, self._evidence(as_of), before, lake=self.lake)
        changed = _write(book, found, as_of)
        told = self._tell(context, book) if found.live else []
        self._report(as_of, book, changed, told)
        return {"changed": [one.id for one in changed], "told": [one.text for one in told]}

    def _evidence(self, as_of: str) -> WatchedEvidence:
        """Return what is there now of what was due by then, and what was decided."""
        now = read_evidence(self.model, as_of, ledger=self.ledger, lake=self.lake)
        then = from_json(RetrainDecision, self.decision)
        kept = self.ledger.newest_of_keys(self.model.name, EvidenceKind.ALIAS_MOVE, 10)
        moves = [from_json(AliasMove, entry.evidence) for entry in kept]
        champion = past_champions.newest_move(self.model.name, ledger=self.ledger)
        evidence = WatchedEvidence(
            as_of=as_of,
            decided=then.text,
            absences=now.absences,
            performance=then.evidence.performance,
            drift=then.evidence.drift,
            untold_since=now.untold_since,
            untold_lasts=then.evidence.untold_lasts and now.untold_since is not None,
            moved=tuple(str(move) for move in moves if move.state == "open"),
            champion=str(champion.evidence["version"]) if champion else "",
            champion_since=_instant(champion.recorded_at) if champion else "",
        )
        return past_deadline(self.model, evidence)

    def _tell(self, context: Context, book: IncidentBook) -> list[Delivery]:
        """Send what was not sent yet, also of what tasks have found."""
        about: dict[str, Any] = {"ledger": book.ledger, "dag_run": book.dag_run}
        about["context"] = dict(context)
        named = {self.model.name: self.model.notify}
        named |= {one.name: one.notify for one in with_inputs(self.model.datasets)}
        done: list[Delivery] = []
        for subject, notify in named.items():
            incidents = book.newest(subject).values()
            done += tell(incidents, notify, **about)
            count_incidents(subject, incidents)
        return done

    def _report(
        self, as_of: str, book: IncidentBook, changed: list[Incident], told: list[Delivery]
    ) -> None:
        newest = [one for name in subjects_of(self.model) for one in book.newest(name).values()]
        lines = [f"{one.id}: {one.impact}; {one.because}" for one in newest if one.is_open]
        facts = {
            "open": lines or "none",
            "changed": [f"{one.change}: {one.id}" for one in changed],
            "ended": [f"{one.id}: {one.ended}" for one in changed if not one.is_open],
            "told": [one.text for one in told],
            "next": f"mlops incidents list {self.model.name}" if lines else "nothing",
            "timeline": self.publish_timeline(self.model),
        }
        self.report(f"incidents of {self.model.name} as of {as_of}", facts)


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _write(book: IncidentBook, found: Watch, as_of: str) -> list[Incident]:
    """Write down what has changed, and return it."""
    live = found.live
    changes = [book.raise_alarm(one.alarm, live=live, unjudged=one.kept) for one in found.alarms]
    changes += [
        book.close(one, how, by="clock", as_of=as_of, live=live) for one, how in found.ended
    ]
    return [one for one in changes if one is not None]
