"""Wait for a person's answer without a worker, and no longer than the request stands."""

from __future__ import annotations

import asyncio
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
from mlops_tasks.registry.releases import request_of, why_withdrawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mlops_tasks.registry.ledger import Ledger

__all__ = ["ApprovalTrigger"]


class ApprovalTrigger(BaseTrigger):
    """Look now and then whether a request was answered, withdrawn, or waited for long enough.

    An answer through Airflow's API wakes the task by itself; this finds the others: an answer from
    before the task was parked, a newer version that supersedes it, and the end of the time. For
    those it closes the request, so that nobody answers it any more.

    Parameters
    ----------
    ti_id : str
        Id of the task instance that asks.
    model, version : str
        What it asks about.
    ledger_conn_id : str
        Connection of the ledger.
    deadline : float
        When the time is over, in seconds since 1970.
    closed_as : str
        The option that a request is closed with.
    poke_interval : float, default 10
        Seconds between two looks.
    """

    def __init__(
        self,
        ti_id: str,
        model: str,
        version: str,
        ledger_conn_id: str,
        deadline: float,
        closed_as: str,
        poke_interval: float = 10.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ti_id, self.model, self.version = ti_id, model, version
        self.ledger_conn_id, self.deadline = ledger_conn_id, deadline
        self.closed_as, self.poke_interval = closed_as, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its import path and arguments."""
        names = ("ti_id", "model", "version", "ledger_conn_id", "deadline", "closed_as")
        return (
            "mlops_airflow.triggers.approval.ApprovalTrigger",
            {name: getattr(self, name) for name in (*names, "poke_interval")},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to tell. The ledger is read off the event loop."""
        ledger = await sync_to_async(LedgerHook(self.ledger_conn_id).get_ledger)()
        while True:
            if event := await self._answer():
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                return
            over = datetime.now(UTC).timestamp() >= self.deadline
            if over or await self._withdrawn(ledger):
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

    async def _withdrawn(self, ledger: Ledger) -> bool:
        """Look once; a ledger that is away for a while is looked at again."""
        try:
            return await asyncio.to_thread(self._is_withdrawn, ledger)
        except Exception as error:
            if not outage(error):
                raise
            self.log.warning("the ledger does not answer, looking again later: %s", error)
            return False

    def _is_withdrawn(self, ledger: Ledger) -> bool:
        request = request_of(self.model, self.version, ledger=ledger)
        return request is not None and bool(why_withdrawn(self.model, request, ledger=ledger))

    async def _close(self) -> None:
        """Close the request; if somebody answers at this very moment, that answer is found next."""
        try:
            await sync_to_async(update_hitl_detail_response)(
                ti_id=UUID(self.ti_id), chosen_options=[self.closed_as], params_input={}
            )
        except Exception as error:
            self.log.info("the request could not be closed, looking again: %s", error)
            await asyncio.sleep(1)
