"""Wait for a person's answer without a worker, and no longer than the question stands."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk.execution_time.hitl import (
    get_hitl_detail_content_detail,
    update_hitl_detail_response,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from mlops_airflow.hooks.database import LedgerHook
from mlops_tasks.outages import outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mlops_tasks.registry.ledger import Ledger

__all__ = ["AnswerTrigger"]


class AnswerTrigger(BaseTrigger):
    """Look now and then whether a question was answered, overtaken, or waited for long enough.

    An answer through Airflow's API wakes the task by itself; this finds the others: an answer from
    before the task was parked, what makes the question pointless, and the end of the time. For
    those it closes the question, so that nobody answers it any more.

    Parameters
    ----------
    ti_id : str
        Id of the task instance that asks.
    model : str
        What it asks about.
    ledger_conn_id : str
        Connection of the ledger.
    deadline : float
        When the time is over, in seconds since 1970.
    closed_as : str
        The option that a question is closed with.
    poke_interval : float, default 10
        Seconds between two looks.
    """

    def __init__(
        self,
        ti_id: str,
        model: str,
        ledger_conn_id: str,
        deadline: float,
        closed_as: str,
        poke_interval: float = 10.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ti_id, self.model = ti_id, model
        self.ledger_conn_id, self.deadline = ledger_conn_id, deadline
        self.closed_as, self.poke_interval = closed_as, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its import path and arguments."""
        names = ("ti_id", "model", "ledger_conn_id", "deadline", "closed_as", "poke_interval")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    @abstractmethod
    def is_overtaken(self, ledger: Ledger) -> bool:
        """Return whether the question is pointless by now."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to tell. The ledger is read off the event loop."""
        ledger = await sync_to_async(LedgerHook(self.ledger_conn_id).get_ledger)()
        while True:
            if event := await self._answer():
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                return
            over = datetime.now(UTC).timestamp() >= self.deadline
            if over or await self._overtaken(ledger):
                await self._close()
                continue
            await asyncio.sleep(self.poke_interval)

    async def _answer(self) -> dict[str, Any] | None:
        """Return the answer as Airflow's API gives it to the task, or None."""
        found = await sync_to_async(get_hitl_detail_content_detail)(ti_id=UUID(self.ti_id))
        if not found.response_received:
            return None
        user = found.responded_by_user
        return {
            "chosen_options": list(found.chosen_options or []),
            "params_input": found.params_input or {},
            "responded_at": found.responded_at,
            "responded_by_user": {"id": user.id, "name": user.name} if user else None,
            "timedout": user is None,
        }

    async def _overtaken(self, ledger: Ledger) -> bool:
        """Look once; a ledger that is away for a while is looked at again."""
        try:
            return await asyncio.to_thread(self.is_overtaken, ledger)
        except Exception as error:
            if not outage(error):
                raise
            self.log.warning("the ledger does not answer, looking again later: %s", error)
            return False

    async def _close(self) -> None:
        """Close the question; if somebody answers at this very moment, that is found next."""
        try:
            await sync_to_async(update_hitl_detail_response)(
                ti_id=UUID(self.ti_id), chosen_options=[self.closed_as], params_input={}
            )
        except Exception as error:
            self.log.info("the question could not be closed, looking again: %s", error)
            await asyncio.sleep(1)
