"""Roll back to an earlier champion, and ask for what was scored since to be scored again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.assets import score_again_asset
from mlops_airflow.forms import PREVIOUS
from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_airflow.operators.questions import deadline_of, put_question, who_answered
from mlops_airflow.triggers.rollback_choice import RollbackChoiceTrigger
from mlops_tasks.problem_types import gate_metric
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.registry.reasons import check_reason
from mlops_tasks.registry.rollback_choice import rollback_answer, rollback_question
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.rollback import Rollback, rollback

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from mlops_tasks.registry.ledger import LedgerEntry
    from mlops_tasks.registry.rollback_choice import RollbackAnswer, RollbackQuestion
    from mlops_tasks.specs import ModelSpec

__all__ = ["RollbackModelOperator", "ScoreAgainOperator"]

_HOUR_S = 3600.0


class RollbackModelOperator(StepOperator):
    """Make an earlier champion the champion again, as the run's form or a person's choice says.

    Parameters
    ----------
    model : ModelSpec
        The model.
    response_timeout : timedelta, optional
        After this time without a choice the champion is kept; by default
        ``[mlops] choice_limit_s``, an hour.

    Notes
    -----
    The form has ``reason`` and ``version``: ``previous``, a number, or empty. Empty parks the task
    and asks which of the past champions there are by then; meanwhile it holds no worker. Skipped
    where the champion is kept. A run that is started again rolls back once. XCom: what was done.
    """

    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self, *, model: ModelSpec, response_timeout: timedelta | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        limit_s = conf.getfloat("mlops", "choice_limit_s", fallback=_HOUR_S)
        self.model = model
        self.patience = response_timeout or timedelta(seconds=limit_s)

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back and return from where to where, or ask where to."""
        if done := self._done(context):
            return self._announced(context, done)
        if named := str(context["params"].get("version") or "").strip():
            to = None if named == PREVIOUS else named
            return self._announced(context, self._roll_back(context, to, by=triggered_by(context)))
        run = dag_run_name(context)
        if answer := rollback_answer(self.model.name, run, ledger=self.ledger):
            return self._announced(context, self._follow(context, answer))
        self._ask(context)

    def execute_complete(
        self, context: Context, event: dict[str, Any], generation: int
    ) -> dict[str, Any]:
        """Write the answer down and do what it says; `generation` is what it was asked about."""
        chosen = "".join(event.get("chosen_options") or [])
        who, question = who_answered(event), self._question()
        answer = question.answered(chosen, by=who, generation=generation)
        self.ledger.record(
            model=self.model.name,
            kind=EvidenceKind.ROLLBACK_ANSWER,
            key=dag_run_name(context),
            evidence=to_json(answer),
            dag_run=dag_run_name(context),
            by=answer.by,
        )
        return self._announced(context, self._follow(context, answer))

    def _announced(self, context: Context, done: dict[str, Any]) -> dict[str, Any]:
        self.announce(context, {"name": self.model.name, "version": done["version"]})
        return {"name": self.model.name} | done

    def _done(self, context: Context) -> dict[str, Any] | None:
        """Return what an attempt of this very run has done before it was ended."""
        said = self.ledger.entries(model=self.model.name, kind=EvidenceKind.ROLLBACK, history=True)
        ours = [entry for entry in said if entry.dag_run == dag_run_name(context)]
        return _told(ours[-1]) if ours else None

    def _question(self) -> RollbackQuestion:
        metric = gate_metric(self.model).name
        return rollback_question(self.model.name, metric=metric, ledger=self.ledger)

    def _ask(self, context: Context) -> NoReturn:
        reason = check_reason(str(context["params"].get("reason") or ""), "a rollback")
        question, deadline = self._question(), deadline_of(context, self.patience)
        ti_id = put_question(
            context,
            subject=f"Return {self.model.name} to which of its past champions?",
            body=_page(question, reason, triggered_by(context), deadline),
            options=[*question.options, question.keep],
            default=question.keep,
        )
        self.log.info("waits until %s for a person to choose a past champion", deadline)
        self.defer(
            trigger=RollbackChoiceTrigger(
                ti_id=ti_id,
                model=self.model.name,
                generation=question.generation,
                ledger_conn_id=self.ledger_conn_id,
                deadline=deadline.timestamp(),
                closed_as=question.keep,
            ),
            method_name="execute_complete",
            kwargs={"generation": question.generation},
        )

    def _follow(self, context: Context, answer: RollbackAnswer) -> dict[str, Any]:
        """Do what was answered, or skip: the champion that was asked about is left, or none is."""
        if answer.version is None:
            raise AirflowSkipException(
                f"the champion of {self.model.name} is kept: {answer.reason}. To be asked again, "
                "trigger the Dag again"
            )
        return self._roll_back(context, answer.version, by=answer.by, generation=answer.generation)

    def _roll_back(
        self, context: Context, to: str | None, *, reason: str | None = None, **decided: Any
    ) -> dict[str, Any]:
        found = rollback(
            self.model.name,
            to,
            reason=str(context["params"].get("reason") or "") if reason is None else reason,
            tracking=self.tracking(context),
            ledger=self.ledger,
            dag_run=dag_run_name(context),
            **decided,
        )
        version = self.version(self.model, found.version)
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        self._report(found)
        return {"before": found.before, "version": found.version, "reason": found.reason}

    def _report(self, found: Rollback) -> None:
        write_anchor(self.lake, self.ledger.head())  # or the end of the chain could be cut off
        facts = {
            "champion": f"version {found.version}, in place of version {found.before}",
            "because": found.reason,
            "files": f"{found.verified.digest[:12]}, as registered",
            "golden rows": f"{found.verified.golden_rows} predicted as then",
            "page": self.mlflow_version_url,
        }
        self.report(f"rolled back {found.name}", facts)


def _page(question: RollbackQuestion, reason: str, asked_by: str, deadline: datetime) -> str:
    """Return what the person reads, as Markdown."""
    older = (
        f"{question.n_older} older ones are not listed: to return to one, trigger the Dag with its "
        "number."
    )
    return "\n".join(
        [
            f"**{asked_by} wants to leave version {question.version}:** {reason}",
            "",
            *(f"- {option}" for option in question.options),
            "",
            *([older, ""] if question.n_older else []),
            "The files of what you choose are compared with the ledger and its golden rows are "
            f"predicted again before anything moves. Version {question.version} is kept where you "
            f"say so, and where nobody answers until {deadline:%Y-%m-%d %H:%M} UTC.",
        ]
    )


def _told(entry: LedgerEntry) -> dict[str, Any]:
    names = {"before": "previous", "version": "version", "reason": "reason"}
    return {name: entry.evidence[key] for name, key in names.items()}


class ScoreAgainOperator(StepOperator):
    """Ask for the partitions that were scored since a day to be scored by the champion there is.

    Skipped where the form's ``score_again_since`` is empty, or nothing was scored since.

    Parameters
    ----------
    model : ModelSpec
        The model.

    Notes
    -----
    XCom: the partitions. Each starts a run of ``<model>.score``.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(outlets=[score_again_asset(model)], **kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Emit an event for each partition, or skip with the reason."""
        keys = self._scored_since(context["params"].get("score_again_since"))
        context["outlet_events"][score_again_asset(self.model)].add_partitions(keys)
        facts = {"partitions": f"{len(keys)}, {keys[0]} to {keys[-1]}"}
        self.report(f"asked to score {self.model.name} again", facts)
        return {"partitions": keys}

    def _scored_since(self, since: str | None) -> list[str]:
        """Return the partitions that have predictions, or skip where there are none."""
        if not since:
            raise AirflowSkipException("nobody asked for partitions to be scored again")
        table = self.lake.table(self.model.predictions_table)
        keys = [key for key in (table.partitions() if table.exists else []) if key >= since]
        if not keys:
            raise AirflowSkipException(f"nothing was scored since {since}")
        return keys
