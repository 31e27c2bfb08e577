"""Registrations and promotions: in a real MLflow, and in one that keeps what it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.registry.artifacts import ARTIFACTS
from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

NAME = "late_orders"
NIGHT = "2024-03-16"


def verdict(verdict: str = "promote", champion: str | None = None, generation: int = 0) -> Verdict:
    """Return a verdict on a comparison with a champion."""
    figures, difference = {"roc_auc": 0.75}, {"value": 0.1}
    return Verdict(
        *(verdict, "it is better", 100, figures, None, champion, difference),
        champion_generation=generation,
    )


def new_run(tracking: Tracking) -> TrainResult:
    """Log a model without files: registration looks at none."""
    with tracking.run(NAME, "train") as run_id:
        experiment = tracking.client.get_experiment_by_name(NAME)
        model = tracking.client.create_logged_model(
            experiment.experiment_id, name="model", source_run_id=run_id
        )
    uri = f"models:/{model.model_id}"
    return TrainResult(run_id, model.model_id, uri, "d" * 64, 100, {"y_share": 0.3}, 0.1)


def enter(
    trained: TrainResult, tracking: Tracking, ledger: Ledger, said: Verdict | None = None
) -> RegisteredVersion:
    """Register a training."""
    return register(NAME, trained, said or verdict(), tracking=tracking, ledger=ledger)


def new_version(tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    """Register a new training."""
    return enter(new_run(tracking), tracking, ledger)


def offer(
    version: RegisteredVersion, said: Verdict, tracking: Tracking, ledger: Ledger, **options: Any
) -> bool:
    """Promote a version if the gate said so."""
    return promote(version, said, as_of=NIGHT, tracking=tracking, ledger=ledger, **options)


def alias(tracking: Tracking) -> str:
    """Return the version that MLflow's alias names."""
    return str(tracking.client.get_model_version_by_alias(NAME, "champion").version)


def failure(code: str) -> MlflowException:
    """Make an error of MLflow's server."""
    return RestException({"error_code": code, "message": "said by MLflow"})


class Registry:
    """The parts of MLflow that are asked: versions by number, aliases, and what was said."""

    uri = "models:/files"

    def __init__(self, *versions: str, run_id: str | None = "run") -> None:
        self.fails: MlflowException | None = None
        self.said: list[Any] = []
        self.copies = 1
        self.description = ""
        self.next_number = 1
        self.pointed: dict[str, str] = {}
        self.versions = {number: self.made(number, run_id) for number in versions}

    def made(self, number: str, run_id: str | None) -> Any:
        return SimpleNamespace(version=number, run_id=run_id, source=self.uri, aliases=[])

    @property
    def client(self) -> Registry:
        return self

    def search_model_versions(self, query: str) -> list[Any]:
        if "version_number" not in query:
            self.said.append(query)
        return list(self.versions.values())

    def create_registered_model(self, name: str, description: str) -> None:
        self.said.append(("model", name))
        self.description = description
        if self.fails:
            raise self.fails

    def create_model_version(self, name: str, **what: Any) -> None:
        self.said.append(("version", name, what))
        for _ in range(self.copies):
            number = str(self.next_number)
            self.versions = {number: self.made(number, what["run_id"])} | self.versions
            self.next_number += 1

    def delete_model_version(self, name: str, version: Any) -> None:
        self.said.append(("delete", name, version))
        del self.versions[version]

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.said.append(("alias", name, alias, version))
        self.pointed[alias] = version

    def get_registered_model(self, name: str) -> Any:
        return SimpleNamespace(aliases=dict(self.pointed), description=self.description)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        self.said.append(("no alias", name, alias))
        del self.pointed[alias]

    def by_version(self, name: str, version: str) -> Any:
        assert name == "m"
        if self.fails:
            raise self.fails
        return self.versions[version]

    def digest_model(self, uri: str, code: Collection[str] = ()) -> str:
        return f"digest of {uri}"

    def digest_artifacts(self, run_id: str, names: Any) -> dict[str, str]:
        assert names is ARTIFACTS
        return {"pin.json": f"of {run_id}"}

    def gate_metrics(self, run_id: str) -> dict[str, float]:
        return {"roc_auc": float(len(run_id))}


def stores(registry: Registry, ledger: Ledger) -> Any:
    """Return both as the steps take them."""
    return {"tracking": registry, "ledger": ledger}


def two_versions(ledger: Ledger) -> RegisteredVersion:
    """Make version 1 the champion of model m, and return version 2, which the ledger knows, too."""
    for number in ("1", "2"):
        version = RegisteredVersion("m", number, f"run {number}", "models:/x", f"digest {number}")
        assert ledger.register(version)
    ledger.promote("m", version="1", generation=0, key="2024-03-01", evidence={})
    return version


def error_of(kind: type[Exception], do: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """Return what an error says."""
    with pytest.raises(kind) as error:
        do(*arguments, **named)
    return str(error.value)
