"""A champion that is worse than the one before it: seen, rolled back and told, with nobody near.

For two weeks the world is upside down, and a version that has learnt from these weeks is rightly
promoted. Then the world is as it was. The real Dags of a model under ``dag.test``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.policy.incidents import Cause, IncidentBook
from mlops_tasks.registry.history import model_history
from mlops_tasks.registry.ledger import Champion
from mlops_tasks.specs.schema import arrow_schema
from tests.unit.orders import day, fill_lake, project, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from mlops_airflow.testing.dag_runs import FinishedRun
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

NAME = "late_orders"
UPSIDE_DOWN, AS_BEFORE, END = 16, 31, 40


def turn_over(lake: Lake, spec: ModelSpec, numbers: range) -> None:
    """Let what is late be early, and the other way round."""
    table = lake.table("deliveries")
    for number in numbers:
        rows = rows_of(number)["deliveries"]
        late = pc.greater(rows.column("minutes_late"), 10)
        turned = rows.set_column(1, "minutes_late", pc.if_else(late, -5.0, 30.0))
        turned = turned.cast(arrow_schema(spec.label.dataset))
        token = table.newest_token(day(number)) + 1
        overwrite_partition(table, day(number), turned, token=token, known_at=day(number))


def dags(spec: ModelSpec) -> dict[str, DAG]:
    from mlops_airflow.lifecycle import model_dags

    found = {dag.dag_id.partition(".")[2]: dag for dag in model_dags(spec)}
    for dag in found.values():
        for task in dag.tasks:
            task.retries = 0
    return found


@pytest.mark.slow
def test_a_worse_champion_is_rolled_back_with_nobody_near(
    run_dag: Callable[..., FinishedRun],
    lake: Lake,
    ledger: Ledger,
    tracking: Tracking,
    tmp_path: Path,
) -> None:
    spec = project(tmp_path / "project")
    fill_lake(lake, spec, range(END))
    turn_over(lake, spec, range(UPSIDE_DOWN, AS_BEFORE))
    loop = dags(spec)

    for version, as_of in (("1", 15), ("2", AS_BEFORE)):
        run = run_dag(loop["train"], day(as_of))
        assert run.tasks["request_release"] == "success", run.tasks
        assert run_dag(loop["release"], version).tasks["promote"] == "success"
    assert ledger.champion(NAME) == Champion("2", 2)

    found = {}
    for number in range(AS_BEFORE + 1, END - 1):
        scored = run_dag(loop["score"], day(number))
        assert scored.tasks == dict.fromkeys(("score", "drift", "estimate", "shadow"), "success")
        monitored = run_dag(loop["monitor"], day(number))
        assert monitored.tasks["monitor"] == monitored.tasks["compare"] == "success"
        found[day(number)] = monitored.outputs["compare"]["answer"]
        moved = ledger.champion(NAME) != Champion("2", 2)
        assert moved == (found[day(number)] == "worse")
        assert monitored.tasks["roll_back"] == ("success" if moved else "skipped")
        if moved:
            break
    assert len(found) > 1, "one day is too few to tell"
    assert list(found.values()) == ["cannot_tell"] * (len(found) - 1) + ["worse"]
    last = max(found)

    # The version before is the champion, and everybody can read why.
    assert ledger.champion(NAME) == Champion("1", 3)
    alias = tracking.client.get_model_version_by_alias(NAME, "champion")
    assert str(alias.version) == "1"
    assert monitored.events[f"{NAME}.model"] == [{"name": NAME, "version": "1"}]
    (entry,) = ledger.entries(model=NAME, kind="rollback")
    assert (entry.by, entry.dag_run.partition("/")[0]) == ("schedule", f"{NAME}.monitor")
    assert entry.evidence["golden_rows"] == 20
    incident = IncidentBook(ledger).newest(NAME)[Cause.WORSE]
    assert incident.is_open
    assert incident.partitions == tuple(found)
    assert incident.because.startswith(
        "version 2 was rolled back by itself, version 1 is the champion again: "
    )
    kinds = [
        (move.kind, move.before, move.after) for move in model_history(NAME, ledger=ledger).moves
    ]
    assert kinds == [
        ("promotion", None, "1"),
        ("promotion", "1", "2"),
        ("comparison", "1", "2"),
        ("rollback", "2", "1"),
    ]

    # The next day is scored by it alone, and nothing is compared any more.
    following = day(END - 1)
    assert following > last
    after = run_dag(loop["score"], following)
    usual = dict.fromkeys(("score", "drift", "estimate"), "success")
    assert after.tasks == usual | {"shadow": "skipped"}
    assert after.outputs["score"]["model_version"] == "1"
    assert run_dag(loop["monitor"], following).tasks["roll_back"] == "skipped"
