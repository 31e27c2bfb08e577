"""Wait until partitions are published, and until labels are mature."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

from mlops_airflow.hooks.lake import LakeHook
from mlops_airflow.operators.base import key_of
from mlops_airflow.operators.plain_arguments import check_dataset, check_table_name
from mlops_airflow.triggers.partitions import PartitionTrigger
from mlops_tasks.exceptions import SpecError
from mlops_tasks.lake.arrivals import Arrivals
from mlops_tasks.partitions import HOUR, Partition, shift_day
from mlops_tasks.specs import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow.sdk import Context

__all__ = ["LabelSensor", "PartitionSensor"]


class _LakeSensor(BaseSensorOperator):
    """Wait for partitions of tables, each with the keys that it is waited for."""

    template_fields = ("partition",)
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        partition: str | None = None,
        lake_conn_id: str = LakeHook.default_conn_name,
        deferrable: bool | None = None,
        poke_interval: timedelta | float = 60,
        **kwargs: Any,
    ) -> None:
        if _as_timedelta(poke_interval) <= timedelta(0):
            raise SpecError(
                f"{type(self).__name__} {kwargs.get('task_id')!r}: poke_interval= is "
                f"{poke_interval!r}; give the seconds between two looks, more than 0, as 60"
            )
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.partition, self.lake_conn_id = partition, lake_conn_id
        default = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = default if deferrable is None else deferrable

    def wanted(self, partition: str) -> dict[str, list[str]]:
        """Return by table the keys that are waited for."""
        raise NotImplementedError

    def not_before(self, partition: str) -> float:
        """Return when to look first, in seconds since 1970."""
        return 0.0

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        partition = key_of(context, self.partition)
        arrivals = Arrivals(LakeHook(self.lake_conn_id).get_conn(), self.wanted(partition))
        left = self.not_before(partition) - time.time()
        if left > 0:
            self.log.info("labels of %s are not due for another %d s", partition, left)
            return PokeReturnValue(is_done=False)
        missing = arrivals.missing()
        for table, keys in missing.items():
            self.log.info("%s has not published %s yet", table, ", ".join(keys))
        return PokeReturnValue(is_done=not missing, xcom_value=arrivals.published)

    def execute(self, context: Context) -> Any:
        """Look, and wait on this worker or, deferred, on the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        if found := self.poke(context):
            return found.xcom_value
        partition = key_of(context, self.partition)
        trigger = PartitionTrigger(
            self.wanted(partition),
            self.lake_conn_id,
            self.poke_interval,
            time.time() + self.timeout,
            self.not_before(partition),
        )
        # The trigger says what is missing; should it not run at all, Airflow ends the wait.
        grace = timedelta(seconds=self.timeout + self.poke_interval + 60)
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=grace)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return what was published, or say what did not come."""
        if event["status"] == "success":
            return event["published"]
        if event["status"] == "error":
            raise AirflowFailException(f"while waiting for partitions: {event['message']}")
        missing = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in event["missing"].items())
        raise AirflowSensorTimeout(
            f"waited {self.timeout:g} s, and these are not published: {missing}. Look at the Dag "
            "that publishes them, then clear this task; raise timeout= if they are late by rule"
        )


def _as_timedelta(interval: timedelta | float) -> timedelta:
    return interval if isinstance(interval, timedelta) else timedelta(seconds=interval)


class PartitionSensor(_LakeSensor):
    """Wait until a partition of one or several tables is published.

    Parameters
    ----------
    table : DatasetSpec, str or sequence of these
        What is waited for; all of them must have the partition. A dataset of a finer grain than
        the first one must have all its partitions within that of the first.
    partition : str, optional
        Which one, templated; by default the run's partition key.
    lake_conn_id : str, default "lake_default"
        Connection of the lake.
    deferrable : bool, optional
        Whether to wait on the triggerer, which takes no worker; by default what Airflow's option
        ``[operators] default_deferrable`` says.
    poke_interval : float, default 60
        Seconds between two looks, more than 0.
    **kwargs
        ``timeout``, ``soft_fail`` (skip instead of failing when time is over), ``mode`` and all
        else that sensors take.

    Notes
    -----
    XCom: by table, of each partition its key, version, rows and digest.
    """

    def __init__(
        self, *, table: DatasetSpec | str | Sequence[DatasetSpec | str], **kwargs: Any
    ) -> None:
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        tables = (table,) if isinstance(table, DatasetSpec | str) else tuple(table)
        if not tables:
            raise SpecError(f"{who}: table= is empty; name what is waited for")
        for one in tables:
            if isinstance(one, str):
                check_table_name(who, "table", one)
            else:
                check_dataset(who, one)
        super().__init__(**kwargs)
        self.tables = tables

    def wanted(self, partition: str) -> dict[str, list[str]]:
        """Return by table the keys that are waited for, of its own grain."""
        names = [one if isinstance(one, str) else one.name for one in self.tables]
        keys = [self._keys(one, partition) for one in self.tables]
        return dict(zip(names, keys, strict=True))

    def _keys(self, table: DatasetSpec | str, partition: str) -> list[str]:
        first = self.tables[0]
        if isinstance(table, str) or isinstance(first, str) or table.grain == first.grain:
            return [partition]
        return first.partition(partition).keys(table.calendar)


class LabelSensor(_LakeSensor):
    """Wait until the labels of a partition are mature: published, and their delay has passed.

    Parameters
    ----------
    dataset : DatasetSpec
        The label dataset, which says by its ``delay`` when labels are complete enough to be used.
    late : bool, default False
        Whether to wait for late rows too, as long as ``refresh_after`` says.
    partition : str, optional
        Partition of the label dataset, templated; by default the run's partition key.
    lake_conn_id : str, default "lake_default"
        Connection of the lake.
    deferrable : bool, optional
        Whether to wait on the triggerer; by default ``[operators] default_deferrable``.
    poke_interval : float, default 60
        Seconds between two looks, more than 0.
    **kwargs
        ``timeout``, ``soft_fail`` and all else that sensors take.

    Notes
    -----
    XCom: by table, the partition's key, version, rows and digest.
    """

    def __init__(self, *, dataset: DatasetSpec, late: bool = False, **kwargs: Any) -> None:
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        check_dataset(who, dataset)
        if late and dataset.refresh_after is None:
            raise SpecError(
                f"{who}: late=True, and the dataset {dataset.name!r} has no refresh_after: nothing "
                "takes late rows in; leave late= out, or set refresh_after in the dataset"
            )
        super().__init__(**kwargs)
        self.dataset, self.late = dataset, late

    def wanted(self, partition: str) -> dict[str, list[str]]:
        """Return the partition of the labels."""
        return {self.dataset.name: [self.dataset.check_partition(partition)]}

    def not_before(self, partition: str) -> float:
        """Return when the delay of the labels has passed."""
        return _mature(self.dataset, partition, late=self.late).timestamp()


def _mature(dataset: DatasetSpec, partition: str, *, late: bool) -> datetime:
    """Return when its schedule takes a partition in, late rows included if asked for, at first."""
    if reads := dataset.source.reads:
        return max(_mature(item.dataset, partition, late=late) for item in reads)
    if dataset.calendar is HOUR:
        steps = (dataset.refresh_steps if late else None) or dataset.delay_steps
        return Partition(HOUR.shift(partition, steps), grain=HOUR).end
    due = dataset.due(partition, refreshed=late)
    return Partition(shift_day(due, 1), dataset.timezone or "UTC").start
