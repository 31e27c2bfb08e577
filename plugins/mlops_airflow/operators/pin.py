"""Pin the data of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.operators.base import StepOperator, dag_run_name, triggered_by
from mlops_tasks.lake import assumed_lines
from mlops_tasks.partitions import DAY, Duration
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.pin import corrected_since, newest_as_of, pin_training_data

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.specs import ModelSpec

__all__ = ["PinTrainingDataOperator"]


class PinTrainingDataOperator(StepOperator):
    """Choose the days a training may use as of its cut-off, and pin their exact versions.

    The cut-off is the parameter ``as_of`` of the run, else its partition key, else the newest one
    there can be on the day of the run; the parameters ``train`` and ``evaluation`` set the windows.

    Parameters
    ----------
    model : ModelSpec
        The model.
    """

    def __init__(self, *, model: ModelSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Pin and return the pin as JSON."""
        params = context["params"]
        as_of = params.get("as_of") or context.get("partition_key") or self._newest(context)
        windows = {name: Duration.of(params[name]) for name in ("train", "evaluation")}
        pin = pin_training_data(self.model.model_copy(update=windows), as_of, lake=self.lake)
        self.ledger.record(  # what a pin names is never vacuumed
            model=self.model.name,
            kind=EvidenceKind.PIN,
            key=as_of,
            evidence=to_json(pin),
            dag_run=dag_run_name(context),
            by=triggered_by(context),
        )
        self._report(pin)
        return to_json(pin)

    def _newest(self, context: Context) -> str:
        """Return the newest cut-off on the day of the run: a later attempt has the same."""
        run: Any = context["dag_run"]
        day = DAY.key_of(run.run_after, self.model.timezone)
        return newest_as_of(self.model, day, lake=self.lake)

    def _report(self, pin: TrainingPin) -> None:
        tables, corrected = pin.pins, corrected_since(pin, lake=self.lake)
        grain = self.model.calendar
        facts = {
            "train": " to ".join(pin.train),
            "evaluate": " to ".join(pin.evaluation),
            "split": pin.split,
            "gaps": [f"{name}: {pin.coverage(name, grain).text}" for name in pin.missing] or None,
            "pinned": [f"{p.table} v{p.version}: {p.n_rows} rows, {p.digest[:12]}" for p in tables],
            "known": assumed_lines(pin) or "when it was committed, or as given",
            "not used": [
                f"{len(days)} corrected days of {table}, known after {pin.as_of}"
                for table, days in corrected.items()
            ],
        }
        self.report(f"pinned {self.model.name} as of {pin.as_of}", facts)
