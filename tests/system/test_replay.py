"""``mlops start``, ``replay`` and ``stop`` on a real stack, with a project of somebody's own."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mlops_airflow.rest import AirflowApi
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment, tool
from mlops_airflow.stack.stack import running_stack
from tests.quality.discovery import ROOT
from tests.system.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

FIRST, N_DAYS, ROWS = date(2024, 3, 1), 16, 60
SPAN = ("--from", "2024-03-11", "--to", "2024-03-13")
MODEL = "late_orders"
DAGS = ("train", "monitor", "score", "decide", "release", "rollback")
FILES = {
    "spec.py": """
        from datetime import date
        from pathlib import Path

        from mlops_tasks.specs import DatasetSpec, GateSpec, InputSpec, LabelSpec, ModelSpec
        from mlops_tasks.specs.source import SqlSource

        HERE = Path(__file__).parent
        SPAN = {"start": date(2024, 3, 1), "end": date(2024, 3, 16)}
        KEY = {"order_id": "string"}


        def daily(name, columns, **fields):
            query = f"SELECT {', '.join(columns)} FROM {name} WHERE day = :partition"
            return DatasetSpec(
                name=name,
                description=f"The {name} of a day.",
                source=SqlSource(conn_id="shop_source", query=query),
                columns=columns,
                key=("order_id",),
                expectations=HERE / "expectations" / f"{name}.json",
                **SPAN,
                **fields,
            )


        ORDERS = daily(
            "orders",
            KEY | {"ordered_at": "timestamp", "distance": "float64", "items": "int64"},
        )
        ARRIVALS = daily("arrivals", KEY | {"late": "int64"}, delay="1d")
        MODEL = ModelSpec(
            name="late_orders",
            description="Will this order come late?",
            inputs=(InputSpec(dataset=ORDERS),),
            label=LabelSpec(dataset=ARRIVALS, target="late"),
            features_sql=HERE / "features.sql",
            as_of="asked_at",
            numeric=("distance", "items"),
            estimator="late_orders.model:build",
            train="6d",
            evaluation="2d",
            gate=GateSpec(min_value=0.6),
        )
    """,
    "features.sql": """
        SELECT order_id, ordered_at AS asked_at, distance, items FROM orders
    """,
    "model.py": """
        def build(*, categorical, numeric, random_state):
            from sklearn.linear_model import LogisticRegression

            return LogisticRegression()
    """,
    "dag.py": """
        from late_orders.spec import MODEL

        from mlops_airflow.lifecycle import build_dags

        build_dags(MODEL, namespace=globals())
    """,
    "__init__.py": "",
    "expectations/orders.json": '{"name": "orders", "expectations": []}',
    "expectations/arrivals.json": '{"name": "arrivals", "expectations": []}',
}


def write_project(folder: Path) -> None:
    from textwrap import dedent

    for name, text in FILES.items():
        file = folder / MODEL / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip())


def write_shop(file: Path) -> None:
    """Orders of which the far ones come late, mostly."""
    draw = random.Random(3)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE orders (day, order_id, ordered_at, distance, items)")
        connection.execute("CREATE TABLE arrivals (day, order_id, late)")
        for number in range(N_DAYS * ROWS):
            day = FIRST + timedelta(days=number // ROWS)
            moment = datetime(day.year, day.month, day.day, 8) + timedelta(minutes=number % ROWS)
            distance = draw.uniform(0, 10)
            late = int(distance + draw.gauss(0, 2) > 5)
            row = (day.isoformat(), f"o{number}", f"{moment.isoformat()}Z", distance, number % 5)
            connection.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", row)
            connection.execute("INSERT INTO arrivals VALUES (?, ?, ?)", (*row[:2], late))


class Shop:
    """A stack with the project, and the commands of a person beside it."""

    def __init__(self, settings: StackSettings, api: AirflowApi, source: Path) -> None:
        self.settings, self.api, self.source = settings, api, source
        self.env = component_environment(settings, load_credentials(settings.secrets_file))
        self.env["COLUMNS"] = "200"  # tables keep their lines

    def mlops(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool("mlops"), *words],
            env=self.env,
            cwd=self.settings.home,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def replay(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.mlops("replay", MODEL, *words, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Ask as a form of the UI does."""
        with self.asking() as client:
            return client.post(path, json=body)

    def get(self, path: str) -> Any:
        with self.asking() as client:
            return client.get(path).raise_for_status().json()

    @contextmanager
    def asking(self) -> Iterator[httpx.Client]:
        password = load_credentials(self.settings.secrets_file).admin_password
        address = self.settings.airflow_url
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            login = {"username": "admin", "password": password}
            token = client.post("/auth/token", json=login).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {token['access_token']}"
            yield client

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.source)) as connection, connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, new_settings: Callable[..., StackSettings]
) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    write_project(folder / "dags")
    write_shop(folder / "shop.db")
    where = {"conn_type": "sqlite", "host": str(folder / "shop.db")}
    settings = new_settings(
        folder / "dags",
        {"AIRFLOW_CONN_SHOP_SOURCE": json.dumps(where)},
        plugins_folder=ROOT / "plugins",
    )
    with running_stack(settings) as stack, AirflowApi(stack.airflow_url, *stack.login) as api:
        yield Shop(settings, api, folder / "shop.db")


def paused(shop: Shop) -> set[str]:
    return {name for name, dag in shop.api.dags().items() if dag.is_paused}


def test_past_is_played_and_what_is_done_is_not_repeated(shop: Shop) -> None:
    code, report = shop.replay(*SPAN)
    assert (code, report["stopped"]) == (0, None)
    assert [one["key"] for one in report["rounds"]] == ["2024-03-11", "2024-03-12", "2024-03-13"]
    assert report["first_training"]["promoted"]
    assert report["first_training"]["as_of"] == "2024-03-10"
    # Six days of training, one that keeps them apart and two of evaluation, the last of their
    # labels known a day later.
    taken = sorted(run.partition_key or "" for run in shop.api.runs("arrivals.ingest"))
    assert (taken[0], taken[-1], len(taken)) == ("2024-03-01", "2024-03-12", 12)
    before = shop.api.count_runs()
    code, again = shop.replay(*SPAN)
    assert (code, again["rounds"], again["first_training"]) == (0, [], None)
    assert shop.api.count_runs() == before


def test_every_partition_was_scored_monitored_and_decided_on_in_order(shop: Shop) -> None:
    days = ["2024-03-11", "2024-03-12", "2024-03-13"]
    keys = {
        verb: {run.partition_key for run in shop.api.runs(f"{MODEL}.{verb}", states=("success",))}
        for verb in ("score", "monitor", "decide")
    }
    assert keys["score"] == keys["decide"] == set(days)
    assert set(days[:2]) == keys["monitor"]  # labels of the 13th come on the 14th
    assert all(
        run.run_type == "asset_triggered"
        for verb in ("score", "monitor")
        for run in shop.api.runs(f"{MODEL}.{verb}")
    )


def test_failure_is_named_and_the_same_command_goes_on(shop: Shop) -> None:
    shop.change("UPDATE orders SET day = 'away' WHERE day = '2024-03-14'")
    span = ("--from", "2024-03-11", "--to", "2024-03-14")
    code, report = shop.replay(*span)
    assert code == 1
    for text in (
        "orders.ingest failed for 2024-03-14, in task 'ingest' of run replay__2024-03-14",
        "EmptyPartitionError",
        f"{shop.settings.airflow_url}/dags/orders.ingest/runs/replay__2024-03-14/tasks/ingest",
    ):
        assert text in report["stopped"]
    shop.change("UPDATE orders SET day = '2024-03-14' WHERE day = 'away'")
    code, report = shop.replay(*span)
    assert (code, [one["key"] for one in report["rounds"]]) == (0, ["2024-03-14"])


def test_interrupted_replay_goes_on(shop: Shop) -> None:
    span = ("--from", "2024-03-11", "--to", "2024-03-15")
    command = [tool("mlops"), "replay", MODEL, *span]
    with subprocess.Popen(command, env=shop.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.rstrip().endswith("The days:"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "the same command goes on from here" in rest
    code, report = shop.replay(*span)
    assert (code, report["stopped"]) == (0, None)
    runs = [run for run in shop.api.runs("orders.ingest") if run.partition_key == "2024-03-15"]
    assert len(runs) == 1


def test_stop_pauses_all_and_start_wakes_all(shop: Shop) -> None:
    asleep = {f"{MODEL}.reproduce"}  # which a replay leaves alone
    ours = {f"{MODEL}.{verb}" for verb in DAGS} | {"orders.ingest", "arrivals.ingest"}
    assert paused(shop) == asleep
    assert shop.mlops("stop", MODEL, "--dry-run").returncode == 0
    assert paused(shop) == asleep
    assert shop.mlops("stop", MODEL).returncode == 0
    assert paused(shop) == ours | asleep
    done = shop.mlops("start", MODEL)
    assert done.returncode == 0, done.stderr
    assert "never: its data have ended with 2024-03-16" in done.stdout
    assert paused(shop) == set()


@pytest.mark.parametrize(
    ("verb", "body", "says"),
    [
        ("train", {"conf": {"as_of": "yesterday"}}, "Invalid input for param as_of"),
        ("train", {"conf": {"train": "two days"}}, "Invalid input for param train"),
        ("train", {"partition_key": "march"}, "'march' is not a day: write it as YYYY-MM-DD"),
        ("score", {"partition_key": "2024-3-1"}, "is not a day: write it as YYYY-MM-DD"),
        ("release", {"partition_key": "champion"}, "is no version of a model: write its numb"),
        ("rollback", {"conf": {}}, "Invalid input for param reason"),
    ],
)
def test_what_a_form_cannot_mean_is_refused_in_words(
    shop: Shop, verb: str, body: dict[str, Any], says: str
) -> None:
    wait_for(lambda: f"{MODEL}.{verb}" in shop.api.dags(), "the project is parsed")
    before = shop.api.count_runs()
    answer = shop.post(f"/api/v2/dags/{MODEL}.{verb}/dagRuns", {"logical_date": None} | body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["detail"]
    assert shop.api.count_runs() == before


@pytest.mark.parametrize("verb", ["score", "train"])
def test_a_backfill_of_what_events_start_is_refused_and_explained(shop: Shop, verb: str) -> None:
    dag_id = f"{MODEL}.{verb}"
    body = {"dag_id": dag_id, "from_date": "2024-03-11", "to_date": "2024-03-12"}
    instants = {name: f"{value}T00:00:00Z" for name, value in body.items() if "date" in name}
    answer = shop.post("/api/v2/backfills", body | instants)
    assert answer.status_code == 422, answer.text
    assert "does not support backfills" in answer.text
    page = " ".join(shop.get(f"/api/v2/dags/{dag_id}/details")["doc_md"].split())
    assert "does not support backfills" in page
    assert "trigger it once for each" in page


def test_wrong_login_and_unknown_model_are_refused(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "login.json"
    file.write_text('{"username": "admin", "password": "wrong"}')
    file.chmod(0o600)
    url = shop.settings.airflow_url
    done = shop.mlops("replay", MODEL, *SPAN, "--airflow-url", url, "--login-file", str(file))
    assert done.returncode == 3
    assert f"refuses the login of 'admin' from {file}" in done.stderr
    done = shop.mlops("replay", "late_order", *SPAN)
    assert done.returncode == 3
    assert MODEL in done.stderr


def test_broken_dag_file_is_shown(shop: Shop) -> None:
    file = shop.settings.dags_folder / MODEL / "dag.py"
    text = file.read_text()
    file.write_text(f"{text}\nraise ValueError('a mistake of today')\n")
    done = shop.mlops("start", MODEL)
    while done.returncode == 0:  # Airflow has not read it yet
        time.sleep(1)
        done = shop.mlops("start", MODEL)
    file.write_text(text)
    assert done.returncode == 3
    assert "a mistake of today" in done.stderr
