"""What happened in a replay, as small records: for a line of progress and for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mlops_airflow.rest import AirflowApi, DagRun

__all__ = ["Round", "Training"]


@dataclass(frozen=True, slots=True)
class Training:
    """A training, and what the gate said of it."""

    as_of: str
    verdict: str
    reason: str
    version: str | None
    promoted: bool
    champion: str | None

    @classmethod
    def of(cls, api: AirflowApi, run: DagRun) -> Self:
        """Read the training of a run, and the release of its version, from what tasks returned."""
        verdict = api.result(run, "evaluate") or {}
        version = (api.result(run, "register") or {}).get("version")
        promoted = version is not None and _is_released(api, run.dag_id, version)
        return cls(
            as_of=run.partition_key or "",
            verdict=verdict.get("verdict", "unknown"),
            reason=verdict.get("reason", "its task evaluate returned nothing"),
            version=version,
            promoted=promoted,
            champion=version if promoted else verdict.get("champion_version"),
        )

    def __str__(self) -> str:
        return f"version {self.version}, {self.verdict}: {self.reason}"


def _is_released(api: AirflowApi, train: str, version: str) -> bool:
    """Return whether the release of a version has made it the champion."""
    dag_id = f"{train.rpartition('.')[0]}.release"
    runs = api.runs_of(dag_id, version)
    return any(api.result(run, "promote") for run in runs if run.state == "success")


@dataclass(frozen=True, slots=True)
class Round:
    """What one decision closed, and what it led to."""

    key: str
    as_of: str
    retrain: bool
    cause: str
    reason: str
    training: Training | None
    seconds: float

    def __str__(self) -> str:
        words = "cannot tell" if self.cause == "cannot_tell" else "not retrained,"
        text = f"{words} because {self.reason}"
        if self.retrain:
            text = f"retrained, because of {self.cause}: {self.reason} → {self.training}"
        return f"{self.key}, decided as of {self.as_of}: {text} [{self.seconds:.1f} s]"
