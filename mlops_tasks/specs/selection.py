"""Candidates of a training and the search for parameters: what is tried before one is fitted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from mlops_tasks.partitions import Duration
from mlops_tasks.specs.base import Importable, SpecModel, Window, importable

__all__ = [
    "CandidateSpec",
    "Choice",
    "Parameters",
    "Range",
    "Scalar",
    "Search",
    "SearchSpec",
    "Split",
]

Scalar = bool | int | float | str | None
_MOST_TRIALS = 1000
_PARAMETER = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both inclusive: whole ones, or any; even in size or in logs."""

    low: int | float
    high: int | float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values."""

    values: tuple[Scalar, ...]


def _dimension(name: str, written: Any) -> Range | Choice:
    """Read ``(2, 8)``, ``(1e-4, 1.0, "log")`` or ``["gini", "entropy"]``."""
    if isinstance(written, Range | Choice):
        return written
    if isinstance(written, list) and len(written) > 1 and all(map(_is_scalar, written)):
        return Choice(tuple(written))
    if isinstance(written, tuple) and len(written) in (2, 3):
        low, high, *scale = written
        numbers = [_is_number(low), _is_number(high)]
        if all(numbers) and scale in ([], ["log"]) and low < high and (low > 0 or not scale):
            return Range(low, high, log=bool(scale))
    raise ValueError(
        f"{name!r} must be a range (2, 8) or (0.1, 1.0), a range by its logarithm "
        f'(1e-4, 1.0, "log") from above 0, or a list of values ["gini", "entropy"], not {written!r}'
    )


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, bool | int | str) or _is_number(value)


def _is_number(value: object) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value)  # type: ignore[arg-type]


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _PARAMETER.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a parameter, as 'max_depth' or 'model__C'")
    return name


def _space(written: Any) -> dict[str, Range | Choice] | str:
    if isinstance(written, str):
        return importable(written)
    if not isinstance(written, dict) or not written:
        raise ValueError(
            "must name at least one parameter, as {'model__max_depth': (2, 8)}, or a function as "
            "'package.module:function'"
        )
    return {_checked_name(name): _dimension(name, value) for name, value in written.items()}


def _params(written: Any) -> dict[str, Scalar]:
    if not isinstance(written, dict):
        raise ValueError("must be parameters by name, as {'model__max_depth': 3}")
    for name, value in written.items():
        _checked_name(name)
        if not _is_scalar(value):
            raise ValueError(
                f"{name!r} must be a number, a text, a bool or None, not {type(value).__name__}: "
                "a run keeps it as a text; build anything else in the estimator function"
            )
    return dict(written)


#: Parameters that are set on an estimator, by name.
Parameters = Annotated[dict[str, Scalar], PlainValidator(_params)]


class CandidateSpec(SpecModel):
    """One candidate of a training: parameters, another estimator, or both.

    Attributes
    ----------
    name : str
        As it is shown; by default what it differs in.
    estimator : str or None
        Import path as `ModelSpec.estimator`, by default that one.
    params : dict
        Set on what the estimator function returns, by ``set_params``:
        ``{"model__max_depth": 3}`` of the step ``model`` of a pipeline.
    """

    name: str = ""
    estimator: Importable | None = None
    params: Parameters = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _name_it(cls, fields: Any) -> Any:
        if fields.get("name"):
            return fields
        params = fields.get("params") or {}
        own = fields.get("estimator")
        # The step's name says little where each parameter has it.
        parts = [f"{str(name).rpartition('__')[2]}={value}" for name, value in params.items()]
        if own or not parts:
            parts.insert(0, str(own).rpartition(":")[2] if own else "as in the spec")
        return fields | {"name": ", ".join(parts)[:120]}


class SearchSpec(SpecModel):
    """A search for the parameters of a training, each trial a task of its own.

    Attributes
    ----------
    space : dict or str
        By parameter of ``set_params``, where to look: ``(2, 8)`` are whole numbers, ``(0.1, 1.0)``
        any, ``(1e-4, 1.0, "log")`` any by their logarithm, ``["gini", "entropy"]`` one of them.
        Or the import path of a function that takes an ``optuna.Trial`` and returns a dict.
    n_trials : int
        How many are tried; the first one is the spec as it is.
    parallel : int
        How many run at once. One after another (1) finds the same each time; of trials in
        parallel, what is tried next depends on which ended first.
    time_budget : Duration
        After it no trial begins, and one that is under way ends with its next fold.
    pool : str or None
        Airflow pool of the trials.
    """

    space: Annotated[dict[str, Range | Choice] | str, PlainValidator(_space)]
    n_trials: int = Field(default=20, ge=2, le=_MOST_TRIALS)
    parallel: int = Field(default=2, ge=1, le=64)
    time_budget: Window = Duration(1, "h")
    pool: str | None = None

    @classmethod
    def of(cls, written: Any) -> Any:
        """Take a space alone for a search with everything else as it is by default."""
        plain = isinstance(written, str) or (isinstance(written, dict) and "space" not in written)
        return {"space": written} if plain else written


Search = Annotated[SearchSpec | None, BeforeValidator(SearchSpec.of)]
Split = Literal["time", "random"]
