"""The policy: what is a reason to train again."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from mlops_tasks.partitions import Duration
from mlops_tasks.specs.base import Length, SpecModel, Window
from mlops_tasks.specs.monitoring import Percent

__all__ = ["WEEKDAYS", "AfterPromotionSpec", "RetrainSpec"]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


class RetrainSpec(SpecModel):
    """The one place that decides: alarms with memory, a cool-down and an age limit.

    Attributes
    ----------
    windows, of_last : int
        A check is a cause when it alarmed in at least `windows` of its `of_last` newest partitions,
        the newest one included.
    min_drifted : int
        This number of drifted columns at once makes a drift cause; the scores count as one, the
        classes cut from them do not count.
    cooldown : Duration
        No alarm retrains sooner than this after the last training.
    backoff : float
        By this factor the cool-down is longer for each challenger in a row, after a first one, that
        the gate has kept out, as training more often helps nobody; 1 for none.
    max_cooldown : Duration
        The longest that it becomes so.
    weekly_budget : int or None
        No alarm retrains once this number of trainings was decided within seven days.
    max_chain : int
        How many trainings in a row alarms may cause at most without one night that is fine:
        then the model does not get well by training, and somebody should look.
    quiet_days : tuple of str
        Weekdays, as ``sat``, as of which no alarm retrains.
    max_age : Duration
        Train at this age of the champion's data at the latest; ``1d`` means every night.
    max_untold : Duration
        How long nobody may be able to tell what the predictions are worth, from when the labels are
        due: beyond it a decision that cannot tell says that it lasts.
    """

    windows: int = Field(default=2, ge=1)
    of_last: int = Field(default=3, ge=1)
    min_drifted: int = Field(default=3, ge=1)
    cooldown: Length = Duration(7, "d")
    backoff: float = Field(default=2, ge=1, le=10)
    max_cooldown: Length = Duration(8, "w")
    weekly_budget: int | None = Field(default=None, ge=1)
    max_chain: int = Field(default=3, ge=1)
    quiet_days: tuple[Weekday, ...] = ()
    max_age: Window = Duration(30, "d")
    max_untold: Length = Duration(8, "w")

    in_days: ClassVar = {"cooldown_days": ("cooldown", 0), "max_age_days": ("max_age", 1)}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.windows > self.of_last:
            raise ValueError("windows must not be larger than of_last")
        return self


class AfterPromotionSpec(SpecModel):
    """The watch window after a promotion: the new champion beside the one before it.

    While it lasts both predict the same rows, and only the champion's predictions are published.
    They are compared in the gate's primary metric whenever labels come.

    Attributes
    ----------
    window : Duration
        How long both predict, from the first partition that the new champion has predicted.
    level : float
        Chance that a champion which is no worse is called worse, at any of all looks of a window.
    max_loss : float or str
        It is called worse only where it is worse by more than this with its whole interval, in the
        metric's own unit, or as ``"5%"`` of the value of the champion before it.
    roll_back : bool
        Whether the champion before it returns by itself then, or people are only told.
    """

    window: Window = Duration(14, "d")
    level: float = Field(default=0.01, gt=0, le=0.2)
    max_loss: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Percent = 0.0
    roll_back: bool = True
