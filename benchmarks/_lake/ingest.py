"""Rows of a PostgreSQL into the lake, beside `pandas.read_sql` and `to_parquet`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import sqlalchemy as sa

from benchmarks._lake.fresh import in_fresh_process
from benchmarks._lake.orders import fill
from benchmarks._shared.figures import Samples, figure
from tests.system import servers

if TYPE_CHECKING:
    from benchmarks._lake.fresh import Outcome
    from benchmarks._lake.plan import Plan
    from benchmarks._shared.figures import Figure

__all__ = ["figures"]

N_ROWS, MANY_ROWS = 1_000_000, 10_000_000
SPEED_UP, PEAK_MB, GROWTH = 4.0, 400.0, 1.1
OURS, PANDAS = "ingest_ours", "ingest_pandas"
PEER = "pandas.read_sql + to_parquet"


def figures(plan: Plan) -> list[Figure]:
    """Measure the ingestion.

    Parameters
    ----------
    plan : Plan
        How much, and where.

    Returns
    -------
    list of Figure
        Time and memory at 1 and at 10 million rows.
    """
    with servers.postgres() as server:
        url = _url(server)
        runs: dict[str, list[Outcome]] = {OURS: [], PANDAS: []}
        _fill(plan, url, "orders", plan.rows(N_ROWS))
        for number in range(plan.rounds):
            for program in (OURS, PANDAS) if number % 2 else (PANDAS, OURS):
                runs[program].append(_measured(plan, program, url, "orders", plan.rows(N_ROWS)))
        _fill(plan, url, "many_orders", plan.rows(MANY_ROWS))
        many = _measured(plan, OURS, url, "many_orders", plan.rows(MANY_ROWS))
    plan.notes.append(
        f"{plan.rows(N_ROWS)} and {plan.rows(MANY_ROWS)} rows of 20 columns (5 text, 2 times, a "
        "date, 4 integers, 2 booleans, 6 floats) of one day, from a PostgreSQL on the same machine "
        "that takes its share of the cores in both. Ours writes a Delta partition with page "
        "checksums and a digest of every cell, and waits until all is on disk."
    )
    return _judged(runs[OURS], runs[PANDAS], many)


def _judged(ours: list[Outcome], pandas: list[Outcome], many: Outcome) -> list[Figure]:
    seconds, peak = _samples(ours)
    peer_seconds, peer_peak = _samples(pandas)
    return [
        figure("1M rows", seconds, "s", peer=PEER, peer_measured=peer_seconds),
        figure(
            "1M rows, times faster", peer_seconds.median / seconds.median, "x", at_least=SPEED_UP
        ),
        figure(
            "1M rows, peak memory", peak, "MB", below=PEAK_MB, peer=PEER, peer_measured=peer_peak
        ),
        figure("10M rows", many.seconds, "s"),
        figure("10M rows, peak memory", many.peak_mb, "MB", below=PEAK_MB),
        figure("10M rows, peak by that of 1M rows", many.peak_mb / peak.median, "x", below=GROWTH),
    ]


def _samples(outcomes: list[Outcome]) -> tuple[Samples, Samples]:
    return (
        Samples.of([outcome.seconds for outcome in outcomes]),
        Samples.of([outcome.peak_mb for outcome in outcomes]),
    )


def _fill(plan: Plan, url: sa.URL, table: str, n_rows: int) -> None:
    plan.say(f"  Making {n_rows} rows")
    fill(url, table, n_rows)


def _measured(plan: Plan, program: str, url: sa.URL, table: str, n_rows: int) -> Outcome:
    folder = plan.folder / "run"
    folder.mkdir()
    outcome = in_fresh_process(
        f"benchmarks._lake.{program}",
        url=url.render_as_string(hide_password=False),
        table=table,
        folder=str(folder),
    )
    shutil.rmtree(folder)
    if outcome.facts["n_rows"] != n_rows:
        raise RuntimeError(f"{program} took {outcome.facts['n_rows']} rows of {n_rows}")
    plan.say(f"  {program}, {n_rows} rows: {outcome.seconds:.2f} s, {outcome.peak_mb:.0f} MB")
    return outcome


def _url(server: servers.Server) -> sa.URL:
    return sa.URL.create(
        "postgresql+psycopg2",
        username=servers.USER,
        password=servers.PASSWORD,
        host=server.host,
        port=server.port,
        database=server.database,
    )
