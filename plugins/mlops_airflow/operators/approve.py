"""Ask a person whether a version is released."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, conf
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowModelVersionLink
from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_airflow.operators.questions import deadline_of, put_question, who_answered
from mlops_airflow.operators.release import version_of
from mlops_airflow.triggers.approval import ApprovalTrigger
from mlops_tasks.registry.artifacts import GATE_PAGE, evidence_path
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.releases import Answer, answer_of, why_withdrawn
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.release import check_approval, pending_request

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from mlops_tasks.registry.releases import ReleaseRequest
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["ApproveReleaseOperator"]

_WEEK_S = 7 * 86_400.0


def _form(evidence: str = "") -> ParamsDict:
    """Return what a person fills in, with the digest of what the page shows."""
    # May be empty: both buttons are switched off while a field that must be filled is empty.
    comment = Param(
        None,
        type=["null", "string"],
        format="multiline",
        title="Comment",
        description="The ledger keeps it with your name. May be empty.",
    )
    seen = Param(
        evidence,
        type="string",
        title="Evidence",
        description="Digest of what the gate has found, as this page shows it. Leave it as it is.",
    )
    return ParamsDict({"comment": comment, "evidence": seen})


class ApproveReleaseOperator(StepOperator, ApprovalOperator):
    """Park until a person approves or rejects a version that the gate asks about.

    Skipped where the gate promotes by itself. Reject keeps the champion, and so does the end of
    the time. An approval counts only from a person who has asked for neither training nor release,
    and only with the digest of the evidence; one that does not count leaves the request open.

    Parameters
    ----------
    model : ModelSpec
        The model.
    response_timeout : timedelta, optional
        After this time the champion is kept; by default ``[mlops] approval_limit_s``, a week.

    Notes
    -----
    XCom: the `Answer`, as the ledger has it. While it waits it holds no worker.
    """

    template_fields = ("subject", "body")
    operator_extra_links = (MlflowModelVersionLink(),)

    def __init__(
        self, *, model: ModelSpec, response_timeout: timedelta | None = None, **kwargs: Any
    ) -> None:
        limit_s = conf.getfloat("mlops", "approval_limit_s", fallback=_WEEK_S)
        patience = response_timeout or timedelta(seconds=limit_s)
        kwargs |= {
            "params": _form()
        }  # Airflow hands on those of the Dag, which nobody is asked for
        super().__init__(
            subject=f"Release a version of {model.name}?",
            defaults=[self.REJECT],
            response_timeout=patience,
            **kwargs,
        )
        self.model, self.patience = model, patience

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, unless the gate does not, or it was answered before."""
        version, request = self._asked(context)
        given = self._given(context, version, request)
        if given is not None:
            return to_json(given)
        self._ask(context, version, request)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Check the answer, write it down, and ask again where it does not count."""
        version, request = self._asked(context)
        answer = self._read(context, version, request, event)
        self._record(context, answer)
        if not answer.counted:
            self._ask(context, version, request)
        return to_json(answer)

    def _asked(self, context: Context) -> tuple[RegisteredVersion, ReleaseRequest]:
        version = self.version(self.model, version_of(context, self.model.name))
        self.mlflow_version_url = MlflowHook(self.mlflow_conn_id).version_url(version)
        return version, pending_request(version.name, version.version, ledger=self.ledger)

    def _given(
        self, context: Context, version: RegisteredVersion, request: ReleaseRequest
    ) -> Answer | None:
        """Return what needs no person: an answer of this run, or that the request was withdrawn."""
        if request.verdict == "promote":
            raise AirflowSkipException(
                f"the gate promotes version {version.version} by itself, nobody is asked: "
                f"{request.reason}"
            )
        ledger, run = self.ledger, dag_run_name(context)
        given = answer_of(version.name, version.version, ledger=ledger, dag_run=run)
        if given is None and (why := why_withdrawn(version.name, request, ledger=ledger)):
            given = Answer(version.version, approved=False, reason=f"kept: {why}")
            self._record(context, given)
        return given

    def _read(
        self,
        context: Context,
        version: RegisteredVersion,
        request: ReleaseRequest,
        event: dict[str, Any],
    ) -> Answer:
        number, ledger = version.version, self.ledger
        if why := why_withdrawn(version.name, request, ledger=ledger):
            return Answer(number, approved=False, reason=f"kept: {why}")
        who, given = who_answered(event), event.get("params_input") or {}
        if not who:
            return Answer(number, approved=False, reason="kept: nobody has answered in time")
        comment = str(given.get("comment") or "")
        if event.get("chosen_options") != [self.APPROVE]:
            reason = f"rejected by {who}" + (f": {comment}" if comment else "")
            return Answer(number, approved=False, reason=reason, by=who, comment=comment)
        reason = f"approved by {who}" + (f": {comment}" if comment else "")
        seen = str(given.get("evidence") or "")
        answer = Answer(number, True, reason, by=who, comment=comment, evidence=seen)
        authors = {request.author, triggered_by(context)}
        if str(event["responded_by_user"]["id"]) in authors:
            authors.add(who)
        return check_approval(
            version, request, answer, authors=authors, tracking=self.tracking(context)
        )

    def _record(self, context: Context, answer: Answer) -> None:
        self.ledger.record(
            model=self.model.name,
            kind=EvidenceKind.APPROVAL,
            key=answer.version,
            evidence=to_json(answer),
            dag_run=dag_run_name(context),
            by=answer.by,
        )
        what = "released" if answer.approved else "still waiting" if not answer.counted else "kept"
        facts = {"answer": what, "because": answer.reason, "by": answer.by or "nobody"}
        facts |= {"page": self.mlflow_version_url}
        self.report(f"asked about {self.model.name} version {answer.version}", facts)

    def _ask(
        self, context: Context, version: RegisteredVersion, request: ReleaseRequest
    ) -> NoReturn:
        """Put the request on Airflow's page of required actions, and park."""
        deadline = deadline_of(context, self.patience)
        self.params = _form(request.evidence)
        ti_id = put_question(
            context,
            subject=f"Release {version.name} version {version.version}?",
            body=self._page(version, request, deadline, self._gate_url(context, version)),
            options=self.options,
            default=self.REJECT,
            params=self.serialized_params,
        )
        self.log.info("version %s waits for a person until %s", version.version, deadline)
        self.defer(
            trigger=ApprovalTrigger(
                ti_id=ti_id,
                model=version.name,
                version=version.version,
                ledger_conn_id=self.ledger_conn_id,
                deadline=deadline.timestamp(),
                closed_as=self.REJECT,
            ),
            method_name="execute_complete",
        )

    def _gate_url(self, context: Context, version: RegisteredVersion) -> str:
        run_url = MlflowHook(self.mlflow_conn_id).run_url(self.tracking(context), version.run_id)
        digest = version.artifacts.get(GATE_PAGE)  # of a page that no later attempt has replaced
        return f"{run_url}/artifacts/{evidence_path(GATE_PAGE, digest) if digest else GATE_PAGE}"

    def _page(
        self,
        version: RegisteredVersion,
        request: ReleaseRequest,
        deadline: datetime,
        gate_url: str,
    ) -> str:
        """Return what the person reads, as Markdown."""
        rival = request.champion_version
        theirs = self.version(self.model, rival).metrics if rival else {}
        rows = [
            f"| {name} | {value:.4f} | {_number(theirs.get(name))} |"
            for name, value in sorted(version.metrics.items())
            if not name.endswith(("_lower", "_upper"))  # bounds are drawn on the gate's page
        ]
        lines = [
            f"**The gate asks:** {request.reason}",
            "",
            f"| | version {version.version} | champion {rival or '(none)'} |",
            "|---|---|---|",
            *rows,
            "",
            f"- trained as of {request.as_of}, asked for by {request.author}",
            f"- [what the gate has found]({gate_url}), [version {version.version} in MLflow]"
            f"({self.mlflow_version_url})",
            f"- evidence `{request.evidence[:12]}`, files `{version.digest[:12]}`",
            "",
            "**Approve** makes it the champion, **Reject** keeps the one there is, and so does no "
            f"answer until {deadline:%Y-%m-%d %H:%M} UTC. Whoever has asked for the training or "
            "this release cannot approve it.",
        ]
        return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
