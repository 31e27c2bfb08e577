"""What is found in a source: delays, leaks, keys, moments, names of files."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold.file_layout import find_layout
from mlops_tasks.scaffold.trial_run import load_spec
from tests.unit.scaffold.worlds import FIRST, csv_file, database, weather

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from tests.unit.scaffold.conftest import Make

N = 1_200
PER_DAY = 40


def moment(number: int) -> datetime:
    return FIRST + timedelta(days=number // PER_DAY, minutes=30 * (number % PER_DAY))


def text(at: datetime) -> str:
    return f"{at.isoformat()}Z"


def load(dags: Path, name: str = "late") -> ModelSpec:
    return load_spec(dags / name / "spec.py")


def test_a_second_table_says_when_its_labels_were_known(
    make: Make, dags: Path, tmp_path: Path
) -> None:
    """Nineteen of twenty labels come within two days after the day's end, all within five."""
    rows = [(n, text(moment(n)), n % 7, n % 3) for n in range(N)]
    labels = []
    for n in range(N):
        end = moment(n).replace(hour=0, minute=0) + timedelta(days=1)
        wait = timedelta(days=4, hours=5) if n % 40 == 0 else timedelta(days=1, hours=5)
        labels.append((n, text(end + wait), float(n % 30)))
    source = database(
        tmp_path / "shop.db",
        orders=("order_id INTEGER, ordered_at TEXT, items INTEGER, shop INTEGER", rows),
        deliveries=("order_id INTEGER, recorded_at TEXT, delay REAL", labels),
    )
    make(source, table="orders", label_table="deliveries", target="delay > 20")
    model = load(dags)
    assert str(model.label.dataset.delay) == "2d"
    assert str(model.label.dataset.refresh_after) == "5d"
    # The label's own table does not say the day of the order: it is asked together with it.
    assert "JOIN deliveries AS l ON r.order_id = l.order_id" in str(model.label.dataset.source)
    assert model.known_later == {"recorded_at", "delay"}
    assert model.problem_type == "binary"


def test_columns_that_give_the_label_are_no_features(
    make: Make, dags: Path, tmp_path: Path
) -> None:
    draw = random.Random(4)
    rows = []
    for n in range(N):
        late = int(draw.random() < 0.3)
        fee = 10.0 * late + draw.random()  # alone it gives the label, at a threshold
        note = "sorry" if n < N - 2 * PER_DAY else None
        known = late if note else None
        rows.append((n, text(moment(n)), n % 7, fee, note, known))
    columns = "order_id INTEGER, ordered_at TEXT, items INTEGER, fee REAL, note TEXT, late INTEGER"
    source = database(tmp_path / "shop.db", orders=(columns, rows))
    found = {(one.what, one.value): one.why for one in make(source, target="late").found}
    assert "alone nearly gives the label" in found["known later", "fee"]
    assert "exactly where the label has" in found["known later", "note"]
    assert load(dags).features == ("items", "hour_of_day", "day_of_week")
    make(source, "frank", target="late", known=("fee",))
    frank = load(dags, "frank")
    assert "fee" in frank.features
    assert frank.allow_leak_suspects == ("fee",)


def test_columns_that_sum_to_the_label_are_no_features(
    make: Make, dags: Path, tmp_path: Path
) -> None:
    draw, rows = random.Random(5), []
    for n in range(N):
        drive, wait = draw.uniform(1, 30), draw.uniform(1, 30)
        rows.append((n, text(moment(n)), n % 7, drive, wait, drive + wait))
    columns = "trip_id INTEGER, begun_at TEXT, kind INTEGER, drive REAL, wait REAL, total REAL"
    make(database(tmp_path / "trips.db", trips=(columns, rows)), target="total")
    model = load(dags)
    assert model.known_later == {"drive", "wait", "total"}
    assert model.features == ("kind", "hour_of_day", "day_of_week")


@pytest.mark.parametrize(
    ("zone", "first", "said"),
    [
        ("UTC", FIRST, "its day is observation_date, the partition"),
        ("Asia/Kolkata", FIRST, "its day in a zone such as Asia/Kolkata is observation_date"),
        # Summer time begins in between: no zone without one fits.
        ("America/New_York", datetime(2024, 2, 20), "a zone such as America/New_York is"),
    ],
)
def test_the_time_is_the_moment_and_its_date_the_partition(
    zone: str, first: datetime, said: str, make: Make, dags: Path, tmp_path: Path
) -> None:
    source = weather(tmp_path / "weather.db", zone=zone, first=first)
    found = {one.what: one for one in make(source, target="visib < 2").found}
    assert found["time column"].value == "observed_at"
    assert said in found["time column"].why
    assert found["partitions"].value == f"{first:%Y-%m-%d} to {first + timedelta(days=30):%Y-%m-%d}"
    model = load(dags)
    assert model.key == ("station", "observed_at")
    for one in model.datasets:
        assert 'time_column="observation_date"' in str(one.source).replace("'", '"')
    query = (dags / "late" / "features.sql").read_text("utf-8")
    assert "    observed_at AS asked_at,\n" in query
    assert model.features == ("station_category", "wind", "hour_of_day", "day_of_week")
    assert model.known_later == {"visib"}


def test_a_time_of_another_day_is_not_the_moment_of_a_date(
    make: Make, dags: Path, tmp_path: Path
) -> None:
    """One row in twenty is sent the day after: the date it was ordered on is all that is known."""
    rows = []
    for n in range(N):
        sent = moment(n).replace(hour=9) + timedelta(days=n % 20 == 0)
        rows.append((n, f"{moment(n).date()}", text(sent), n % 7, n % 2))
    columns = "order_id INTEGER, ordered_on TEXT, sent_at TEXT, items INTEGER, late INTEGER"
    source = database(tmp_path / "shop.db", orders=(columns, rows))
    found = {one.what: one for one in make(source, target="late").found}
    assert found["time column"].value == "ordered_on"
    assert load(dags).known_later == {"sent_at", "late"}


def test_labels_are_found_by_the_same_date(make: Make, dags: Path, tmp_path: Path) -> None:
    """Labels come 16 hours after the date has ended in UTC; the last two of thirty have none."""
    rows, labels = [], []
    for n in range(N):
        day = FIRST + timedelta(days=n // PER_DAY)
        leaves = day + timedelta(hours=10, minutes=25 * (n % PER_DAY))  # from 5 to 21 o'clock
        rows.append((f"f{n}", f"{day.date()}", text(leaves), n % 7))
        known = text(day + timedelta(hours=40))
        if n < N - 2 * PER_DAY:
            labels.append((f"f{n}", f"{day.date()}", float(n % 30), known))
    source = database(
        tmp_path / "flights.db",
        schedule=("flight_id TEXT, flight_date TEXT, leaves_at TEXT, seats INTEGER", rows),
        arrivals=("flight_id TEXT, flight_date TEXT, delay REAL, recorded_at TEXT", labels),
    )
    make(source, table="schedule", label_table="arrivals", target="delay > 20")
    model = load(dags)
    assert "leaves_at AS asked_at" in (dags / "late" / "features.sql").read_text("utf-8")
    for one in model.datasets:
        assert "time_column='flight_date'" in str(one.source)
        assert str(one.end) == "2024-01-28"
    assert str(model.label.dataset.delay) == "1d"


def test_files_without_a_time_have_the_moment_of_their_name(
    make: Make, dags: Path, tmp_path: Path
) -> None:
    draw = random.Random(3)
    for number in range(30):
        day = FIRST + timedelta(days=number)
        rows = [
            (f"{number}-{n}", draw.randrange(300), draw.choice(["bill", "fault"]))
            for n in range(40)
        ]
        labelled = [(*row, int(draw.random() < row[1] / 300)) for row in rows]
        csv_file(
            tmp_path / "calls" / f"calls_{day:%Y%m%d}.csv",
            ("Call ID", "Wait (s)", "Topic", "Complained"),
            labelled,
        )
    make(tmp_path / "calls", "complaints", target="Complained")
    written = (dags / "complaints" / "features.sql").read_text()
    assert "partition_key::TIMESTAMP AT TIME ZONE 'UTC' AS asked_at" in written


@pytest.mark.parametrize(("n_days", "train"), [(31, "23d"), (45, "37d"), (70, "60d")])
def test_training_is_no_longer_than_what_is_there(
    n_days: int, train: str, make: Make, dags: Path, tmp_path: Path
) -> None:
    """Seven days are for the evaluation, and the last one's labels are not known yet."""
    make(weather(tmp_path / "weather.db", zone="UTC", n_days=n_days), target="visib < 2")
    model = load(dags)
    assert (str(model.evaluation), str(model.label.dataset.delay)) == ("7d", "1d")
    assert str(model.train) == train


def test_names_that_sql_does_not_take(make: Make, dags: Path, tmp_path: Path) -> None:
    """A query quotes them, in the form that its times have."""
    rows = [(n, str(moment(n)), n % 7, n % 5, n % 2) for n in range(N)]
    columns = (
        '"Order ID" INTEGER, "Order Date" TEXT, "order" INTEGER, "at" INTEGER, "Is Late" INTEGER'
    )
    source = database(tmp_path / "shop.db", orders=(columns, rows))
    found = make(source, target="Is Late")
    model = load(dags)
    assert model.features == ("order", "at", "hour_of_day", "day_of_week")
    assert model.rows.timezone == "UTC"
    assert 'r."Order Date" >= substr(:local_start, 1, 10)' in str(model.rows.source)
    query = found.files[dags / "late" / "features.sql"]
    assert '    "order",\n    "at",\n' in query


def test_a_query_is_bounded(make: Make, dags: Path, tmp_path: Path) -> None:
    rows = [(n, text(moment(n)), n % 7, "yes" if n % 9 == 0 else "no") for n in range(N)]
    columns = "order_id INTEGER, ordered_at TEXT, items INTEGER, late TEXT"
    source = database(tmp_path / "shop.db", orders=(columns, rows))
    make(source, query="SELECT * FROM orders WHERE items < 6", target="late")
    model = load(dags)
    assert model.label.target == "late = 'yes'"
    assert model.rows.source.selectors == {"start", "end"}
    with pytest.raises(ScaffoldError, match="leave out :start"):
        make(source, "other", query="SELECT * FROM orders WHERE ordered_at > :start", target="late")


def test_names_of_other_projects_are_left_to_them(make: Make, dags: Path, tmp_path: Path) -> None:
    rows = [(n, text(moment(n)), n % 7, n % 2) for n in range(N)]
    columns = "order_id INTEGER, ordered_at TEXT, items INTEGER, late INTEGER"
    source = database(tmp_path / "shop.db", orders=(columns, rows))
    make(source, "late", target="late")
    make(source, "later", target="late")
    assert [one.name for one in load(dags, "late").datasets] == ["orders", "orders_labels"]
    assert [one.name for one in load(dags, "later").datasets] == [
        "later_orders",
        "later_orders_labels",
    ]


@pytest.mark.parametrize(
    ("files", "path", "grain", "key"),
    [
        (["2024-03-31.csv"], "{partition}.csv", "day", "2024-03-31"),
        (
            ["2024/03/31/a.csv", "2024/03/30/b.csv"],
            "{year}/{month}/{day}/*.csv",
            "day",
            "2024-03-31",
        ),
        (
            ["year=2024/month=03/day=31/p.csv"],
            "year={year}/month={month}/day={day}/p.csv",
            "day",
            "2024-03-31",
        ),
        (["orders_20240331.csv"], "orders_{year}{month}{day}.csv", "day", "2024-03-31"),
        (["2024-03-31T05.csv"], "{partition}.csv", "hour", "2024-03-31T05"),
        (["2024/03/31/05.csv"], "{year}/{month}/{day}/{hour}.csv", "hour", "2024-03-31T05"),
        (["2024-03.csv"], "{partition}.csv", "month", "2024-03"),
        (
            ["2024-03-18.csv", "2024-03-25.csv", "2024-04-01.csv"],
            "{partition}.csv",
            "week",
            "2024-03-18",
        ),
        (["a-2024-03-31.csv", "b-2024-03-31.csv"], "*{partition}*.csv", "day", "2024-03-31"),
    ],
)
def test_layouts_of_files(
    files: list[str], path: str, grain: str, key: str, tmp_path: Path
) -> None:
    for file in files:
        csv_file(tmp_path / file, ("id",), [(1,)])
    found = find_layout(tmp_path, "")
    assert (found.path, found.grain) == (path, grain)
    assert key in found.partitions.values()


def test_layouts_that_are_none(tmp_path: Path) -> None:
    for file in ("orders/2024-01-01.csv", "returns/2024-01-01.csv"):
        csv_file(tmp_path / file, ("id",), [(1,)])
    with pytest.raises(ScaffoldError, match=r"several datasets, in \['orders', 'returns'\]"):
        find_layout(tmp_path, "")
    (tmp_path / "orders" / "2024-01-02.parquet").touch()
    with pytest.raises(ScaffoldError, match="several formats"):
        find_layout(tmp_path, "orders")
    with pytest.raises(ScaffoldError, match="no folder 'refunds'"):
        find_layout(tmp_path, "refunds")
