"""After a promotion: the champion before predicts, too, is compared, and returns if it is better.

Nothing here is in the way of what is published: each task stands beside the one it follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.notifications.telling import tell
from mlops_airflow.operators.base import StepOperator, dag_run_name, partition_of, triggered_by
from mlops_airflow.operators.rollback import RollbackModelOperator
from mlops_tasks.exceptions import ChampionChangedError, NotWatchedError
from mlops_tasks.policy.incidents import Alarm, Cause, IncidentBook
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.watch_window import WatchWindow, find_watch_window, window_to_open
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.compare import Comparison, compare_with_previous
from mlops_tasks.steps.score import score

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec

__all__ = ["CompareChampionsOperator", "RollBackWorseOperator", "ScoreShadowOperator"]

_ANSWERS = {"worse": "WORSE", "fine": "fine", "cannot_tell": "CANNOT TELL"}


class ScoreShadowOperator(StepOperator):
    """Predict a partition also with the champion before, while a watch window lasts.

    Goes into ``<model>__shadow``, of which nothing is published. Skipped outside of a watch window.

    Parameters
    ----------
    model : ModelSpec
        The model, with ``after_promotion``.
    scored : dict
        Output of `ScorePartitionOperator`; it names the version that has scored.
    """

    template_fields = ("scored",)

    def __init__(self, *, model: ModelSpec, scored: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.scored = model, scored

    def execute(self, context: Context) -> dict[str, Any]:
        """Score with the champion before and return the reference to what it predicts."""
        partition = partition_of(context, self.model.rows)
        window = self._window(context, partition)
        into = self.model.shadow_table
        result = score(
            self.model,
            partition,
            self.version(self.model, window.previous),
            lake=self.lake,
            tracking=self.tracking(context),
            token=self.next_token(partition, into),
            into=into,
        )
        facts = {
            "shadow": f"version {window.previous}, beside version {window.version}",
            "window": f"{window.first} to {window.last}, {window.n_partitions} partitions",
            "rows": result.predictions.n_rows,
            "predicted": result.summary,
            "table": f"{result.predictions.table} version {result.predictions.version}",
            "next": f"{self.model.name}.monitor compares both once labels are there",
        }
        self.report(f"shadow of {self.model.name} {partition}", facts)
        return to_json(result)

    def _window(self, context: Context, partition: str) -> WatchWindow:
        """Return the window, written down before anything is predicted for it; or skip."""
        scored_by = self.scored["model_version"]
        try:
            window = window_to_open(self.model, partition, scored_by, ledger=self.ledger)
            entry = self.ledger.record_once(
                model=self.model.name,
                kind=EvidenceKind.WATCH_WINDOW,
                key=str(window.generation),
                evidence=to_json(window),
                dag_run=dag_run_name(context),
                by=triggered_by(context),
            )
            return from_json(WatchWindow, entry.evidence).check(partition)
        except NotWatchedError as error:
            raise AirflowSkipException(str(error)) from error


class CompareChampionsOperator(StepOperator):
    """Compare the champion with the one before it, on the mature labels of its watch window.

    Skipped where no watch window is open, or the partition is not in it.

    Parameters
    ----------
    model : ModelSpec
        The model.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, write down what was found, and return it."""
        partition = partition_of(context, self.model.rows)
        window = self._window(partition)
        found = compare_with_previous(self.model, window, lake=self.lake)
        about = {"model": self.model.name, "kind": EvidenceKind.COMPARISON, "key": partition}
        about |= {"dag_run": dag_run_name(context), "by": triggered_by(context)}
        entry = self.ledger.record(**about, evidence=to_json(found))
        self._report(partition, window, found)
        return entry.evidence

    def _window(self, partition: str) -> WatchWindow:
        try:
            return find_watch_window(self.model.name, ledger=self.ledger).check(partition)
        except NotWatchedError as error:
            raise AirflowSkipException(str(error)) from error

    def _report(self, partition: str, window: WatchWindow, found: Comparison) -> None:
        told = "roll_back returns to it" if window.roll_back else "people are told"
        going_on = "nothing, the window is complete" if found.is_last else "the next labels"
        facts = {
            "answer": _ANSWERS[found.answer],
            "because": found.reason,
            "champion": f"version {found.version}, beside version {found.previous}",
            "window": f"{window.first} to {window.last}",
            "compared": f"{len(found.partitions)} of {found.n_partitions} partitions",
            "rows": found.n_rows,
            "metrics": [one.text for one in found.gains],
            "next": told if found.answer == "worse" else going_on,
        }
        self.report(f"compared the champions of {self.model.name} {partition}", facts)


class RollBackWorseOperator(RollbackModelOperator):
    """Return to the champion before, where the new one is shown to be worse, and tell people.

    The champion moves as by `RollbackModelOperator`: files and golden rows first, then the ledger,
    then the alias; one that somebody has moved meanwhile stays where it is. With
    ``roll_back=False`` people are told and nothing moves. Skipped unless it is worse.

    Parameters
    ----------
    model : ModelSpec
        The model.
    comparison : dict
        Output of `CompareChampionsOperator`.
    """

    template_fields = ("comparison",)

    def __init__(self, *, model: ModelSpec, comparison: Any, **kwargs: Any) -> None:
        super().__init__(model=model, **kwargs)
        self.comparison = comparison

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back and return from where to where; told again by a repeated run, it is once."""
        found = from_json(Comparison, self.comparison)
        if found.answer != "worse":
            raise AirflowSkipException(f"{_ANSWERS[found.answer].lower()}: {found.reason}")
        done = self._done(context) or self._move(context)
        self._tell(context, found, rolled_back=bool(done))
        if not done:
            raise AirflowSkipException(f"roll_back=False, people are told: {found.reason}")
        return self._announced(context, done)

    def _move(self, context: Context) -> dict[str, Any] | None:
        """Roll back, or return None where the window says that people decide."""
        try:
            window = find_watch_window(self.model.name, ledger=self.ledger)
            if window.generation != self.comparison["generation"]:
                raise AirflowSkipException(
                    f"version {window.version} was promoted since: nothing is rolled back"
                )
            if not window.roll_back:
                return None
            return self._roll_back(
                context,
                window.previous,
                reason=f"worse than the champion before: {self.comparison['reason']}",
                by="schedule",
                generation=window.generation,
                evidence={"comparison": self.comparison},
            )
        except (NotWatchedError, ChampionChangedError) as error:
            raise AirflowSkipException(f"nothing is rolled back: {error}") from error

    def _tell(self, context: Context, found: Comparison, *, rolled_back: bool) -> None:
        ledger, run = self.ledger, dag_run_name(context)
        key = str(found.generation)
        entry = ledger.newest(self.model.name, EvidenceKind.WATCH_WINDOW, key=key)
        live = entry is None or from_json(WatchWindow, entry.evidence).live
        book = IncidentBook(ledger, dag_run=run, by="schedule")
        changed = book.raise_alarm(_alarm(self.model, found, rolled_back=rolled_back), live=live)
        if changed is not None and live:
            tell([changed], self.model.notify, ledger=ledger, dag_run=run, context=dict(context))


def _alarm(model: ModelSpec, found: Comparison, *, rolled_back: bool) -> Alarm:
    versions = f"version {found.version}", f"version {found.previous}"
    done = f"{versions[0]} was rolled back by itself, {versions[1]} is the champion again"
    fix = (
        f"find out why the gate promoted {versions[0]} before another one asks. What it has scored "
        f"stays: to score it again, clear {model.name}.score of these partitions"
    )
    if not rolled_back:
        done = f"{versions[0]} goes on scoring (roll_back=False)"
        fix = (
            f'mlops rollback {model.name} --to {found.previous} --reason "...", or close this with '
            "the reason why not"
        )
    return Alarm(
        subject=model.name,
        cause=Cause.WORSE,
        because=f"{done}: {found.reason}",
        fix=fix,
        owner=model.owner,
        partitions=found.partitions,
        grain=model.rows.grain,
    )
