"""Make the evidence pack of a version that was just promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.evidence_key import evidence_key
from mlops_airflow.links import ReportLink
from mlops_airflow.operators.base import StepOperator, dag_run_name
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.pack import gather
from mlops_tasks.registry.pack.signing import missing_libraries
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import ModelSpec
from mlops_tasks.steps.pack import EvidencePack, make_pack

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["MakeEvidencePackOperator"]


class MakeEvidencePackOperator(StepOperator):
    """Sign all evidence of a promoted version into one file; where it fails the promotion stays.

    Skipped where the extra ``evidence`` is not installed: nobody asked for packs then.

    Parameters
    ----------
    model : ModelSpec or str
        The model, or the name of the registered model.
    promoted : dict
        Output of the promote operator.

    Notes
    -----
    XCom: an `EvidencePack`, with the address of the file in the lake and its digests.
    """

    template_fields = ("promoted",)
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, model: ModelSpec | str, promoted: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.promoted = model, promoted

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the pack, record its digest and return it."""
        if missing := missing_libraries():
            raise AirflowSkipException(
                f"no evidence pack: {missing} not installed; pip install 'mlops-airflow[evidence]'"
            )
        made = self._recorded(context) or self._make(context)
        self.link_report(made.report)
        self._report(made)
        return to_json(made)

    def _make(self, context: Context) -> EvidencePack:
        lake, tracking = self.lake, self.tracking(context)
        contents = gather(
            self.promoted["name"],
            self.promoted["version"],
            self.model if isinstance(self.model, ModelSpec) else None,
            lake=lake,
            tracking=tracking,
            ledger=self.ledger,
        )
        made = make_pack(contents, lake=lake, tracking=tracking, key=evidence_key())
        about = {"model": made.model, "kind": EvidenceKind.PACK, "key": made.version}
        self.ledger.record(**about, evidence=to_json(made), dag_run=dag_run_name(context))
        return made

    def _recorded(self, context: Context) -> EvidencePack | None:
        """Return what an earlier attempt of this run has made, if it is still there."""
        about = {"model": self.promoted["name"], "key": self.promoted["version"]}
        for entry in self.ledger.entries(kind=EvidenceKind.PACK, history=True, **about):
            made = from_json(EvidencePack, entry.evidence)
            if entry.dag_run == dag_run_name(context) and (self.lake.root / made.file).exists():
                return made
        return None

    def _report(self, made: EvidencePack) -> None:
        facts = {
            "file": f"{self.lake.root / made.file}, {made.n_bytes:,} bytes",
            "digest": made.digest,
            "signed by": f"key {made.fingerprint}",
            "not covered": list(made.not_covered),
            "check it": "mlops pack verify FILE --key evidence_key.pub.pem",
        }
        self.report(f"made the evidence pack of {made.model} version {made.version}", facts)
