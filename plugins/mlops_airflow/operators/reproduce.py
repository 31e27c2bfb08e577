"""Train a registered version again from its record, and say whether it is the same model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_tasks.exceptions import NoChampionError, NotReproducedError
from mlops_tasks.registry.champions import champion_of, registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.reproduction.comparison import ReproductionVerdict
from mlops_tasks.registry.reproduction.fresh_environment import FreshEnvironments
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.reproduce import Reproduction, reproduce

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec

__all__ = ["ReproduceModelOperator", "reproduction_facts"]

_WRITTEN = 12
_FIX = {
    ReproductionVerdict.FAILED: "look at the first that differs; until it is explained, nobody can "
    "say how this version came about",
    ReproductionVerdict.CANNOT_TELL: "restore what is missing, or train a version anew",
}


class ReproduceModelOperator(StepOperator):
    """Train a version again in an environment made anew, from recorded sources, pin and seeds.

    The verdict is written to the ledger, under the version. The task succeeds where it is ``exact``
    or ``within tolerance``, fails at once where it is ``failed``, and is skipped where it cannot be
    told: then the ledger says what is missing.

    Parameters
    ----------
    model : ModelSpec or str
        The model, or its name.
    model_version : str, optional
        Its version, templated; by default, and where it is rendered to nothing, the champion's.

    Notes
    -----
    XCom: a `Reproduction`.
    """

    template_fields = ("model_version",)

    def __init__(
        self, *, model: ModelSpec | str, model_version: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model if isinstance(model, str) else model.name
        self.model_version = model_version

    def execute(self, context: Context) -> dict[str, Any]:
        """Reproduce the version, write down the verdict, and fail or skip by it."""
        found = self._reproduce(context)
        self.ledger.record(
            model=found.model,
            kind=EvidenceKind.REPRODUCTION,
            key=found.version,
            evidence=to_json(found),
            dag_run=dag_run_name(context),
            by=triggered_by(context),
        )
        self.report(f"reproduced {found.model} version {found.version}", reproduction_facts(found))
        return self._concluded(found)

    def _reproduce(self, context: Context) -> Reproduction:
        tracking, version = self.tracking(context), (self.model_version or "").strip()
        if version in ("", "None"):
            try:
                known = champion_of(self.model_name, tracking=tracking, ledger=self.ledger)
            except NoChampionError as error:
                raise AirflowSkipException(f"nothing to reproduce: {error}") from None
        else:
            known = registered_version(self.model_name, version, ledger=self.ledger)
        return reproduce(
            known,
            lake=self.lake,
            tracking=tracking,
            environments=FreshEnvironments.of_user(),
        )

    def _concluded(self, found: Reproduction) -> dict[str, Any]:
        what = f"version {found.version} of {found.model!r}"
        if found.verdict is ReproductionVerdict.FAILED:
            raise NotReproducedError(f"{what} is not reproduced: {found.reason}")
        if found.verdict is ReproductionVerdict.CANNOT_TELL:
            raise AirflowSkipException(f"{what}: it cannot be told. {found.reason}")
        return to_json(found)


def reproduction_facts(found: Reproduction) -> dict[str, Any]:
    """Return what a person is told of a reproduction, in the order of importance."""
    contents = [f"{one[:_WRITTEN]}" for one in (found.content, found.found_content) if one]
    took = f"environment {found.environment_s:g} s{' (was there)' if found.reused else ''}, "
    took += f"training {found.retrain_s:g} s, of it the fit {found.fit_s:g} s"
    return {
        "verdict": found.verdict.value.upper(),
        "because": found.reason,
        "first that differs": found.differs,
        "differences": [f"{one.what}: {one.text}" for one in found.differences],
        "content": " recorded, ".join(contents) + " now" if len(contents) == 2 else "",
        "environment": found.environment[:_WRITTEN],
        "took": took if found.environment else "",
        "what to do": _FIX.get(found.verdict, ""),
    }
