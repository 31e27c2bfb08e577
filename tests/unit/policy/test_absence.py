from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.policy import Absence, find_absences, read_evidence
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.decide import RetrainDecision, decide
from tests.unit.orders import day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec

NAME, NIGHT = "late_orders", 16


class Nights:
    """Tables with rows for chosen days, and a ledger with a champion as of day 9."""

    def __init__(self, folder: Path) -> None:
        self.spec: ModelSpec = project(folder)
        self.lake, self.ledger = Lake(folder / "lake"), Ledger("sqlite://")
        self.ledger.promote(NAME, version="1", generation=0, key=day(9), evidence={})

    def write(self, table: str, *numbers: int, n_rows: int = 2) -> None:
        for number in numbers:
            rows = pa.table({"id": list(range(n_rows))})
            token = self.ledger.next_token()
            overwrite_partition(self.lake.table(table), day(number), rows, token=token)

    def measure(self, kind: str, *numbers: int, value: float | None = 0.8) -> None:
        check = Check("roc_auc", value, 0.7, False, "ROC AUC")
        for number in numbers:
            last = day(number)
            known = number if kind == "drift" else number + 2
            result = MonitorResult(last, last, 9, "1", (check,), known_at=day(known))
            self.ledger.record(model=NAME, kind=kind, key=last, evidence=to_json(result))

    def all_is_well(self) -> None:
        for name in ("orders", "traffic"):
            self.write(name, *range(2, NIGHT + 1))
        self.write("deliveries", *range(NIGHT - 1))
        self.write(f"{NAME}__predictions", *range(10, NIGHT + 1))
        self.measure("drift", *range(10, NIGHT + 1))
        self.measure("performance", *range(10, NIGHT - 1))

    def find(self, number: int = NIGHT, since: int = 9) -> tuple[Absence, ...]:
        where: dict[str, Any] = {"lake": self.lake, "ledger": self.ledger}
        return find_absences(self.spec, day(number), champion_since=day(since), **where)

    def decide(self, number: int = NIGHT) -> RetrainDecision:
        evidence = read_evidence(self.spec, day(number), ledger=self.ledger, lake=self.lake)
        return decide(self.spec, day(number), evidence)


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def test_nothing_is_missed_where_all_is_there(nights: Nights) -> None:
    nights.all_is_well()
    assert nights.find() == ()
    found = nights.decide()
    assert (found.answer, found.evidence.untold_since) == ("not_retrained", None)


def test_six_nights_of_failed_scorings_are_no_green_decisions(nights: Nights) -> None:
    """The first scoring of the first champion fails, and all after it."""
    for name in ("orders", "traffic"):
        nights.write(name, *range(10))
    nights.write("deliveries", *range(8))
    for number in range(10, 16):
        nights.write("orders", number, n_rows=7)
        nights.write("traffic", number)
        nights.write("deliveries", number - 2)
        found = nights.decide(number)
        n = number - 9
        assert found.answer == "cannot_tell"
        (absence,) = found.evidence.absences
        assert (absence.what, absence.about, absence.is_newest) == ("scored", NAME, True)
        assert absence.partitions == tuple(day(one) for one in range(10, number + 1))
        assert (absence.n_rows, absence.since) == (7 * n, day(10))
        assert f"late_orders.score for {day(number)}" in found.help[0]
    assert found.reason.startswith(
        "version 1: 6 days of late_orders are not scored: 2024-03-11, 2024-03-12, 2024-03-13 and 3 "
        "more, 42 rows wait; performance is not measured yet"
    )
    assert from_json(RetrainDecision, to_json(found)) == found


def test_each_partition_is_missed_where_it_is_first_missing(nights: Nights) -> None:
    nights.all_is_well()
    nights.write("orders", 17)
    nights.write("traffic__raw", 17, n_rows=5)  # refused
    found = {one.what: one for one in nights.find(17)}
    assert set(found) == {"published", "labelled"}, "a scoring waits for both"
    assert (found["published"].about, found["published"].n_rows) == ("traffic", 5)
    assert found["labelled"].partitions == (day(15),)
    assert found["labelled"].text == "1 day of deliveries is not labelled: 2024-03-16"


def test_what_was_scored_and_not_monitored_is_missed(nights: Nights) -> None:
    nights.all_is_well()
    nights.write("orders", 17)
    nights.write("traffic", 17)
    nights.write(f"{NAME}__predictions", 17)
    nights.write("deliveries", 15)
    (absence,) = nights.find(17)
    assert (absence.what, absence.partitions) == ("monitored", (day(15), day(17)))
    assert nights.decide(17).answer == "cannot_tell"


def test_a_gap_of_the_past_is_told_and_hides_nothing(nights: Nights) -> None:
    nights.all_is_well()
    for name in ("orders", "traffic", f"{NAME}__predictions"):
        nights.write(name, 18)
    nights.write("deliveries", 15, 16)
    nights.measure("drift", 18)
    nights.measure("performance", 15, 16)
    found = nights.decide(18)
    assert found.answer == "not_retrained"
    assert [one.what for one in found.evidence.absences] == ["ingested", "ingested"]
    assert "1 day of orders is not ingested: 2024-03-18" in found.reason


def test_what_came_due_before_the_champion_could_not_be_scored(nights: Nights) -> None:
    nights.all_is_well()
    assert nights.find(since=NIGHT) == ()
    (absence,) = nights.find(since=5)
    assert (absence.what, absence.is_newest) == ("scored", False)
    assert absence.partitions == tuple(day(n) for n in (6, 7, 8, 9))


def test_a_fresh_champion_is_not_measured_yet(nights: Nights) -> None:
    nights.all_is_well()
    nights.ledger.promote(NAME, version="2", generation=1, key=day(15), evidence={})
    found = nights.decide()
    assert found.answer == "cannot_tell"
    assert found.reason.startswith("version 2: performance is not measured yet; drift is not mea")
    assert found.evidence.untold_since is None, "its first labels are due two nights later"


def test_nobody_can_tell_since_the_last_one_who_could(nights: Nights) -> None:
    nights.all_is_well()
    nights.measure("performance", 13, 14, value=None)
    found = nights.decide()
    assert (found.answer, found.evidence.untold_since) == ("cannot_tell", day(14))
    nights.measure("performance", *range(10, 15), value=None)
    assert nights.decide().evidence.untold_since == day(11), "when its first labels were due"
