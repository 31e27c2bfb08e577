"""Trigger forms: what a person may set for one run, in words, and checked when it is triggered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

if TYPE_CHECKING:
    from mlops_tasks.partitions import Duration, Grain
    from mlops_tasks.specs import ModelSpec

__all__ = [
    "PREVIOUS",
    "by_hand",
    "ingest_form",
    "no_backfill",
    "release_form",
    "reproduce_form",
    "rollback_form",
    "train_form",
]

#: What a form says for the champion before the one there is.
PREVIOUS = "previous"

# The format alone would also take 20240301.
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_LENGTH = r"^[1-9]\d{0,4} ?(h|d|w|mo)$"


def ingest_form() -> dict[str, Param]:
    """Return the form of the Dags that take rows in."""
    return {
        "known_at": _day(
            "Known since",
            "The day on which these rows became known: a training as of it, or later, uses them. "
            "Leave it empty unless you know better: the first rows of a partition then count as "
            "known when the schedule would have taken them in, corrections as known today.",
        )
    }


def train_form(model: ModelSpec) -> dict[str, Param]:
    """Return the form of a model's training, which works when it is left as it is."""
    return {
        "as_of": _day(
            "Train as of",
            "The cut-off: the training uses what was known on this day. Leave it empty for the "
            "newest one: today, or the last day with news where the data have ended.",
        ),
        "train": _length(model.train, "Training window", "How far back the training looks"),
        "evaluation": _length(
            model.evaluation,
            "Evaluation window",
            "The newest labelled rows, which the training leaves to the gate",
        ),
    }


def reproduce_form() -> dict[str, Param]:
    """Return the form of a reproduction, which takes the champion when it is left as it is."""
    empty = "Leave it empty for the champion."
    return {"version": _version(f"The version to train again, as 3. {empty}")}


def release_form() -> dict[str, Param]:
    """Return the form of a release, for whoever asks again; a training asks by a partition key."""
    return {
        "version": _version(
            "The version to release, as 3: one that has asked for it before, or was copied here. "
            "Trainings that ask start a run by themselves."
        )
    }


def rollback_form(model: ModelSpec) -> dict[str, Param]:
    """Return the form of a rollback. Which champions there were, its first task lists."""
    return {
        "version": Param(
            PREVIOUS,
            type=["null", "string"],
            pattern=rf"^({PREVIOUS}|\d{{1,9}})?$",
            title="Version",
            description=f"The former champion to return to, as 3, or `{PREVIOUS}`, the one before "
            "this. Empty it to choose from a list: the run then waits for you under *Required "
            "Actions*, and shows since when each was the champion and what its gate measured. A "
            "version that was never the champion is refused, and so is a retired one; "
            f"`mlops history {model.name}` lists all.",
        ),
        "reason": Param(
            type="string",
            minLength=3,
            maxLength=1000,
            title="Reason",
            description="Why; the ledger keeps it with your name.",
        ),
        "score_again_since": _day(
            "Score again since",
            "Every partition that was scored since this day is scored again by the champion that "
            "is returned to. Leave it empty to keep what was predicted.",
        ),
    }


def by_hand(grain: Grain) -> str:
    """Return how a run for one partition is triggered, for the documentation of a Dag."""
    return (
        f"To run it for one {grain.name}, trigger it and write the {grain.name} into *Partition "
        f"Key*, below *Advanced Options*: {grain.form}, such as `{grain.example}`."
    )


def no_backfill(instead: str) -> str:
    """Return what to do in place of a backfill of a Dag that events start, for its documentation.

    Parameters
    ----------
    instead : str
        What else does it, before a run each; may be empty.
    """
    return (
        "Airflow backfills no Dag that events start (it answers that the schedule is non-periodic "
        f"and does not support backfills): {instead}trigger it once for each."
    )


def _version(description: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        pattern=r"^[1-9]\d*$",
        title="Version",
        description=description,
    )


def _day(title: str, description: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=_DAY,
        title=title,
        description=description,
    )


def _length(default: Duration, title: str, what: str) -> Param:
    text = f"{what}: a number of hours (h), days (d), weeks (w) or months (mo), such as 36h or 60d."
    return Param(str(default), type="string", pattern=_LENGTH, title=title, description=text)
