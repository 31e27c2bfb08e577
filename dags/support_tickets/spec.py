"""Everything that is unique to the support ticket model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.monitoring import DriftSpec, PerformanceSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent
FIRST, LAST = date(2024, 1, 1), date(2024, 6, 30)

TICKETS = DatasetSpec(
    name="tickets",
    description="Tickets as customers open them.",
    owner="support-data",
    source=SqlSource(
        conn_id="tickets_source",
        query="SELECT ticket_id, opened_at, channel, message FROM tickets WHERE day = :partition",
    ),
    columns={
        "ticket_id": "string",
        "opened_at": "timestamp",
        "channel": "string",
        "message": "string",
    },
    key=("ticket_id",),
    expectations=HERE / "expectations" / "tickets.json",
    start=FIRST,
    end=LAST,
)

ROUTINGS = DatasetSpec(
    name="routings",
    description="The queue in which a ticket was solved, known a day later.",
    owner="support-data",
    source=SqlSource(
        conn_id="tickets_source",
        query="SELECT ticket_id, queue FROM routings WHERE day = :partition",
    ),
    columns={"ticket_id": "string", "queue": "string"},
    key=("ticket_id",),
    expectations=HERE / "expectations" / "routings.json",
    start=FIRST,
    end=LAST,
    delay="1d",
)

MODEL = ModelSpec(
    name="support_tickets",
    description="Which queue does this ticket belong to?",
    owner="support-ml",
    inputs=(InputSpec(dataset=TICKETS),),
    label=LabelSpec(dataset=ROUTINGS, target="queue"),
    problem_type="multiclass",
    features_sql=HERE / "features.sql",
    as_of="asked_at",
    categorical=("channel",),
    text=("message",),
    estimator="support_tickets.model:build",
    drift=DriftSpec(window="14d"),
    performance=PerformanceSpec(window="14d"),
)
