"""Wait for published partitions without a worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from mlops_airflow.hooks.lake import LakeHook
from mlops_tasks.lake.arrivals import Arrivals
from mlops_tasks.outages import outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["PartitionTrigger"]


class PartitionTrigger(BaseTrigger):
    """Look at the lake now and then until all partitions that are wanted are published.

    Its one event is what was published, as `Arrivals.published` gives it, or what is missing when
    the time is over; an error ends it with its text.

    Parameters
    ----------
    wanted : dict of str to list of str
        By table, partition keys.
    lake_conn_id : str
        Connection of the lake.
    poke_interval : float
        Seconds between two looks.
    deadline : float
        When to give up, in seconds since 1970; a triggerer that starts anew counts on.
    not_before : float, default 0
        Nothing is looked at before this moment, in seconds since 1970.
    """

    def __init__(
        self,
        wanted: dict[str, list[str]],
        lake_conn_id: str,
        poke_interval: float,
        deadline: float,
        not_before: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wanted, self.lake_conn_id = wanted, lake_conn_id
        self.poke_interval, self.deadline, self.not_before = poke_interval, deadline, not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its import path and arguments."""
        return (
            "mlops_airflow.triggers.partitions.PartitionTrigger",
            {
                "wanted": self.wanted,
                "lake_conn_id": self.lake_conn_id,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "not_before": self.not_before,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until all is there, or time is over. The lake is read off the event loop."""
        try:
            event = await self._arrival()
        except Exception as error:  # else the task would only hear that the trigger failed
            event = {"status": "error", "message": f"{type(error).__name__}: {error}"}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _arrival(self) -> dict[str, Any]:
        lake = await sync_to_async(LakeHook(self.lake_conn_id).get_conn)()
        arrivals = Arrivals(lake, self.wanted)
        while True:
            missing = dict(self.wanted)
            if time.time() >= self.not_before:
                missing = await self._missing(arrivals, missing)
            if not missing:
                return {"status": "success", "published": arrivals.published}
            if time.time() >= self.deadline:
                return {"status": "timeout", "missing": missing}
            left = self.deadline - time.time()
            await asyncio.sleep(max(min(self.poke_interval, left), 0.0))

    async def _missing(
        self, arrivals: Arrivals, before: dict[str, list[str]]
    ) -> dict[str, list[str]]:
        """Look once; a store that is away for a while is looked at again."""
        try:
            return await asyncio.to_thread(arrivals.missing)
        except Exception as error:
            if not outage(error):
                raise
            self.log.warning("the lake does not answer, looking again later: %s", error)
            return before
