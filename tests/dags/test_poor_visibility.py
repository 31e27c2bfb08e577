"""Single operators in an ordinary Dag, on real weather: from a function's rows to predictions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from flight_delays.spec import WEATHER
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.sources import Database
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate

if TYPE_CHECKING:
    from tests.dags.conftest import Airflow, Finished

pytestmark = pytest.mark.slow

DAG = "poor_visibility.score"
LAST = 22


def day(number: int) -> str:
    return f"2013-01-{number:02}"


@pytest.fixture(scope="module")
def published(airflow: Airflow) -> Airflow:
    """Publish the weather of three weeks, and of all days but the last the rows made of it."""
    from mlops_tasks.sources import FunctionRows
    from poor_visibility.dag import HOURS
    from poor_visibility.model import hours

    airflow.source.advance(date(2013, 1, 31))
    lake, weather = airflow.lake, Database(airflow.source.engine.url)
    made = FunctionRows(lambda partition: hours(lake, partition.key))
    for number in range(1, LAST + 1):
        for dataset, source in ((WEATHER, weather), (HOURS, made)):
            if dataset is HOURS and number == LAST:
                continue
            key, token = day(number), airflow.ledger.next_token()
            options = {"lake": lake, "token": token, "known_at": key}
            raw = ingest(dataset, key, source=source, **options).raw
            validate(dataset, raw, **options)
    return airflow


@pytest.fixture(scope="module")
def finished(published: Airflow) -> Finished:
    return published.run(DAG, day(LAST))


def test_the_run_goes_from_a_function_to_predictions(finished: Finished) -> None:
    assert finished.state == "success"
    done = {"wait", "make_rows", "validate", "train", "evaluate", "register", "smoke_test"}
    done |= {"promote", "score"}
    assert set(finished.tasks) == done
    assert {state for task, state in finished.tasks.items() if task != "promote"} == {"success"}


def test_the_sensor_says_what_was_published(published: Airflow, finished: Finished) -> None:
    (arrived,) = finished.outputs["wait"]["weather"]
    pin = published.lake.table("weather").pin(first=day(LAST), last=day(LAST))
    assert (arrived["partition"], arrived["n_rows"]) == (day(LAST), pin.n_rows)


def test_the_training_read_the_days_before_the_last_week(
    published: Airflow, finished: Finished
) -> None:
    entry = published.ledger.newest("poor_visibility", EvidenceKind.PIN, key=day(LAST))
    assert entry is not None
    pins = published.ledger.entries(
        model="poor_visibility", kind=EvidenceKind.PIN, key=day(LAST), history=True
    )
    windows = {tuple(one.evidence["train"]) for one in pins}
    assert windows == {("2012-11-23", day(15))}  # sixty days before, to seven
    assert {tuple(one.evidence["evaluation"]) for one in pins} == {("", ""), (day(16), day(LAST))}
    rows = published.lake.table("visibility_hours").read(last=day(15), columns=["visib_later"])
    known = rows.num_rows - rows.column("visib_later").null_count
    assert finished.outputs["train"]["n_rows"] == known


def test_links_lead_to_mlflow(finished: Finished) -> None:
    run_id = finished.outputs["train"]["run_id"]
    assert finished.links["train"].endswith(f"/runs/{run_id}")
    assert finished.links["register"].endswith("/models/poor_visibility/versions/1")


def test_every_hour_of_the_day_is_predicted_by_the_champion(
    published: Airflow, finished: Finished
) -> None:
    verdict = finished.outputs["evaluate"]["verdict"]
    promoted = finished.tasks["promote"] == "success"
    assert promoted == (verdict == "promote")
    hours = published.lake.table("visibility_hours").read(first=day(LAST), last=day(LAST))
    scores = published.lake.table("poor_visibility__predictions").read()
    assert scores.num_rows == hours.num_rows
    assert scores.schema.names[:2] == ["origin", "observed_at"]
