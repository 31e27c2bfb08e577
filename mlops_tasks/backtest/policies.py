"""The policies that are compared, each a variant of the model's own and what it may look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.partitions import DAY, Duration
from mlops_tasks.specs import RetrainSpec
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.specs import ModelSpec

__all__ = ["Policy", "choose_policies", "compared_policies"]

_NEVER = Duration(10_000, "d")
_EVERY_DAY, _EVERY_WEEK = Duration(1, "d"), Duration(7, "d")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of retraining to be tried on the past.

    Attributes
    ----------
    name : str
        One word for tables, or two with an underscore.
    title : str
        What it does.
    retrain : RetrainSpec
        Its settings.
    performance, drift : bool, default True
        Whether it is shown what predictions were worth, and how data have moved.
    """

    name: str
    title: str
    retrain: RetrainSpec
    performance: bool = True
    drift: bool = True

    def of(self, spec: ModelSpec) -> ModelSpec:
        """Return the model under this policy, under a name of its own, without estimates.

        Alone they retrain nobody, and each would cost as much as all the rest of its night.
        """
        about = {"name": f"{spec.name}__{self.name}", "retrain": self.retrain}
        performance = spec.performance.model_copy(update={"estimate": False})
        return spec.model_copy(update={**about, "performance": performance})


def compared_policies(spec: ModelSpec) -> tuple[Policy, ...]:
    """Return the policies that a backtest compares: fixed ones, the default, and the model's own.

    Parameters
    ----------
    spec : ModelSpec
        The model. Its own policy is left out where it is the default.

    Returns
    -------
    tuple of Policy
        ``never``, ``nightly`` (``every`` decision of a model by the week or month), ``weekly``
        where decisions are by the day, ``drift``, ``performance``, ``default`` and ``own``.
    """
    alone = RetrainSpec(max_age=_NEVER)
    blind = {"performance": False, "drift": False}
    nightly, grain = RetrainSpec(max_age=_EVERY_DAY), spec.schedule.grain
    every = Policy("every", f"every {grain.name}", nightly, **blind)
    found = [Policy("never", "the first model, for ever", alone, **blind)]
    if grain is DAY:
        found.append(Policy("nightly", "every night", nightly, **blind))
        found.append(Policy("weekly", "every 7 days", RetrainSpec(max_age=_EVERY_WEEK), **blind))
    else:
        found.append(every)
    found += [
        Policy("drift", "drift of inputs and predictions alone", alone, performance=False),
        Policy("performance", "realised performance alone", alone, drift=False),
        Policy("default", "the default: RetrainSpec()", RetrainSpec()),
    ]
    if spec.retrain != RetrainSpec():
        found.append(Policy("own", "the model's own", spec.retrain))
    return tuple(found)


def choose_policies(spec: ModelSpec, names: Iterable[str]) -> tuple[Policy, ...]:
    """Return some of the compared policies; all where none is named.

    Raises
    ------
    SpecError
        If there is none of a name.
    """
    known: Sequence[Policy] = compared_policies(spec)
    wanted, by_name = list(names), {one.name: one for one in known}
    for name in wanted:
        if name not in by_name:
            raise SpecError(
                f"model {spec.name!r}: there is no policy {name!r} to compare; "
                f"{did_you_mean(name, by_name)}"
            )
    return tuple(one for one in known if not wanted or one.name in wanted)
