"""Policies on a past whose labels turn around: who notices, who trains, who recovers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlops_tasks.backtest import BacktestReport, backtest
from mlops_tasks.backtest.page import draw_png, render_page
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import EvidenceKind, Ledger
from mlops_tasks.specs import PerformanceSpec
from tests.unit.orders import Source, day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.trial import TrialStep

N_DAYS, TURNED = 38, 17
POLICIES = ("never", "weekly", "performance")


@pytest.fixture(scope="session")
def shop_that_turns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From one day on, an order is late when it would have been in time, and in time when late."""
    path = tmp_path_factory.mktemp("turning") / "shop.db"
    source = Source(path)
    for number in range(N_DAYS):
        source.add(number)
    turned = f"WHERE order_date >= '{day(TURNED)}'"
    source.run(f"UPDATE deliveries SET minutes_late = 20 - minutes_late {turned}")
    return path


@pytest.fixture(scope="session")
def turned_spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    return project(
        tmp_path_factory.mktemp("project"),
        train="6d",
        evaluation="3d",
        performance=PerformanceSpec(window="3d", min_rows=100, max_calibration_gap=0.5),
    )


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "stores"


@pytest.fixture(scope="session")
def steps() -> list[TrialStep]:
    return []


@pytest.fixture(scope="session")
def report(
    shop_that_turns: Path, turned_spec: ModelSpec, kept: Path, steps: list[TrialStep]
) -> BacktestReport:
    with pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": "sqlite", "host": str(shop_that_turns)}
        patch.setenv("AIRFLOW_CONN_SHOP_SOURCE", json.dumps(connection))
        return backtest(
            turned_spec,
            first=day(0),
            last=day(N_DAYS - 1),
            policies=POLICIES,
            keep=kept,
            watch=steps.append,
            n_processes=1,
        )


@pytest.mark.slow  # fits of three weeks, under four policies
def test_all_policies_live_through_the_same_past(report: BacktestReport) -> None:
    assert [one.name for one in report.policies] == list(POLICIES)
    assert report.metric == "roc_auc"
    assert report.n_decisions == len(POLICIES) * (N_DAYS - len(_history(report)))
    # The first model is one and the same.
    assert len({one.trainings[0].value for one in report.policies}) == 1
    assert len({one.values[0] for one in report.policies}) == 1


def _history(report: BacktestReport) -> list[int]:
    return [number for number in range(N_DAYS) if day(number) < report.played_from]


@pytest.mark.slow
def test_a_policy_trains_when_it_says_so(report: BacktestReport) -> None:
    causes = {
        one.name: {training.cause for training in one.trainings[1:]} for one in report.policies
    }
    assert causes["never"] == set()
    assert causes["weekly"] == {"age"}
    assert causes["performance"] == {"performance"}


@pytest.mark.slow
def test_who_trains_recovers_and_the_oracle_is_never_beaten(report: BacktestReport) -> None:
    never, performance = report.policy("never"), report.policy("performance")
    assert never is not None
    assert performance is not None
    assert never.values[0] > 0.6
    assert never.values[-1] < 0.4  # it ranks the wrong way round
    assert performance.values[-1] > 0.6
    assert never.harm[-1]
    for one in report.policies:
        both = one.chosen.regret + one.shown.regret
        assert both >= -1e-9, f"{one.name} is better than the oracle"
    assert report.oracle.shown.n_trainings + report.oracle.chosen.n_trainings >= 1


@pytest.mark.slow
def test_what_is_common_is_done_once(report: BacktestReport, steps: list[TrialStep]) -> None:
    ingested = [(one.about, one.key) for one in steps if one.name == "ingest"]
    assert len(ingested) == len(set(ingested))
    fitted = [one.key for one in steps if one.name == "train"]
    assert len(fitted) == len(set(fitted)) == report.n_fits
    own = {training.as_of for one in report.policies for training in one.trainings}
    assert own <= set(fitted)


@pytest.mark.slow
def test_what_is_measured_is_what_was_served(
    report: BacktestReport, turned_spec: ModelSpec, kept: Path
) -> None:
    """The week in which a policy serves two versions: from its published predictions alone."""
    from sklearn.metrics import roc_auc_score

    policy = report.policy("performance")
    assert policy is not None
    lake, ledger = Lake(kept / "lake"), Ledger(f"sqlite:///{kept / 'ledger.db'}")
    name = f"{turned_spec.name}__performance"
    promotions = [
        (entry.key, entry.evidence["version"])
        for entry in ledger.entries(model=name, kind=EvidenceKind.PROMOTION)
    ]
    assert len(promotions) > 1
    for period, value in zip(report.periods, policy.values, strict=True):
        y_true: list[int] = []
        y_pred: list[float] = []
        number = next(n for n in range(N_DAYS) if day(n) == period.first)
        while number < N_DAYS and day(number) <= period.last:
            key = day(number)
            # A training as of a day serves the rows after it.
            version = max(one for as_of, one in promotions if as_of < key)
            table = lake.table(f"{turned_spec.name}__v{version.replace('-', '')}__predictions")
            scored = table.read(first=key, last=key, columns=["order_id", "score"]).to_pylist()
            late = lake.table("deliveries").read(first=key, last=key).to_pylist()
            known = {row["order_id"]: row["minutes_late"] for row in late}
            y_pred += [row["score"] for row in scored if known.get(row["order_id"]) is not None]
            y_true += [
                int(known[row["order_id"]] > 10)
                for row in scored
                if known.get(row["order_id"]) is not None
            ]
            number += 1
        assert value == pytest.approx(roc_auc_score(y_true, np.array(y_pred)), abs=1e-6)


@pytest.mark.slow
def test_the_picture_loads_nothing_and_names_every_policy(
    report: BacktestReport, tmp_path: Path
) -> None:
    page = render_page(report)
    assert "http" not in page
    assert "<script" not in page
    for name in (*POLICIES, "oracle"):
        assert f"<b>{name}</b>" in page
    draw_png(report, tmp_path / "policies.png")
    assert (tmp_path / "policies.png").read_bytes().startswith(b"\x89PNG")
