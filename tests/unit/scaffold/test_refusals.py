"""What no project can be made of is refused: by name, with place and fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold import check_model_name, locate
from tests.unit.scaffold.worlds import csv_file, database, orders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.scaffold.conftest import Make

DAYS = [f"2024-01-{day:02}T10:00:00Z" for day in range(1, 21)]


def table(columns: str, rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    return {"things": (columns, rows)}


# What is there, what is said, and what the refusal must name.
REFUSED: dict[str, tuple[dict[str, Any], dict[str, str | tuple[str, ...]], tuple[str, ...]]] = {
    "no table": ({}, {"target": "x"}, ("no SQLite database",)),
    "no such table": (
        table("id, at, y", [(1, DAYS[0], 1)]),
        {"table": "thing", "target": "y"},
        ("'thing'", "did you mean 'things'"),
    ),
    "empty table": (table("id, at, y", []), {"target": "y"}, ("table 'things'", "no rows")),
    "no time column": (
        table("id, x, y", [(n, n % 3, n % 2) for n in range(50)]),
        {"target": "y"},
        ("no time column", "id, x, y", "--query"),
    ),
    "time column is none": (
        table("id, at, x, y", [(n, DAYS[n], n % 3, n % 2) for n in range(20)]),
        {"target": "y", "time_column": "x"},
        ("--time x", "int64", "ISO 8601"),
    ),
    "no such column": (
        table("id, at, y", [(n, DAYS[n], n % 2) for n in range(20)]),
        {"target": "y", "time_column": "att"},
        ("--time", "'att'", "did you mean 'at'"),
    ),
    "key not unique": (
        table("id, at, x, y", [(n, DAYS[n], n % 3, n % 2) for n in range(20)]),
        {"target": "y", "key": ("x",)},
        ("--key x", "not unique", "17 of 20 rows", "--key id"),
    ),
    "no key": (
        table("at, x, y", [(DAYS[n % 3], 1, n % 2) for n in range(20)]),
        {"target": "y"},
        ("no key", "--query"),
    ),
    "nearly a key": (
        table(
            "shop, at, x REAL, y",
            [(f"s{n % 2}", DAYS[n // 2], 1.5 * n, n % 2) for n in (*range(19), 4)],
        ),
        {"target": "y"},
        ("no key", "the nearest is shop, at: 1 of 20 rows repeat", "--query"),
    ),
    "constant target": (
        table("id, at, x, y", [(n, DAYS[n], n % 3, 1) for n in range(20)]),
        {"target": "y"},
        ("--target 'y'", "one value only (1)"),
    ),
    "target unknown": (
        table("id, at, x, y", [(n, DAYS[n], n % 3, 1) for n in range(20)]),
        {"target": "z > 1"},
        ("--target 'z > 1'", "does not run", "id, at, x, y"),
    ),
    "target not said": (
        table("id, at, x, y", [(n, DAYS[n], n % 3, n % 2) for n in range(20)]),
        {},
        ("--target", "id, x, y"),
    ),
    "binary of many": (
        table("id, at, x", [(n, DAYS[n], n % 3) for n in range(20)]),
        {"target": "x", "problem_type": "binary"},
        ("3 values", "a binary model two", "condition"),
    ),
    "future": (
        table(
            "id, at, x, y",
            [
                (n, (datetime.now(UTC) + timedelta(days=n)).isoformat()[:19] + "Z", n % 3, n % 2)
                for n in range(20)
            ],
        ),
        {"target": "y"},
        ("lie in the future", "'at'", "--time"),
    ),
    "mixed types": (
        table("id, at, x, y", [(n, DAYS[n], n if n % 2 else f"n{n}", n % 2) for n in range(20)]),
        {"target": "y"},
        ("column 'x'", "integer and text", "--ignore x"),
    ),
    "nothing to learn from": (
        table("id, at, y", [(n, DAYS[0], n % 2) for n in range(20)]),
        {"target": "y", "time_column": "at"},
        ("no column that can be a feature",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name_place_and_fix(case: str, make: Make, dags: Path, tmp_path: Path) -> None:
    tables, answers, named = REFUSED[case]
    source = database(tmp_path / "things.db", **tables)
    with pytest.raises(ScaffoldError) as refusal:
        make(source, **answers)
    for words in named:
        assert words in str(refusal.value)
    assert not list(dags.iterdir())


def test_header_without_rows(make: Make, tmp_path: Path) -> None:
    csv_file(tmp_path / "things" / "2024-01-01.csv", ("id", "at", "y"), [])
    with pytest.raises(ScaffoldError, match="no rows"):
        make(tmp_path / "things", target="y")


def test_files_that_name_no_day(make: Make, tmp_path: Path) -> None:
    csv_file(tmp_path / "things" / "all.csv", ("id", "at", "y"), [(1, DAYS[0], 1)])
    with pytest.raises(ScaffoldError, match=r"'all.csv' names no day; name each file"):
        make(tmp_path / "things", target="y")


@pytest.mark.parametrize("name", ["Late Orders", "1st", "a__b", "class", "x" * 60])
def test_names_that_are_none(name: str, dags: Path) -> None:
    with pytest.raises(ScaffoldError, match="is not allowed: it becomes a folder"):
        check_model_name(name, dags)


def test_names_of_packages_and_of_other_folders(dags: Path) -> None:
    with pytest.raises(ScaffoldError, match=r"installed package.*'pandas_model'"):
        check_model_name("pandas", dags)
    (dags / "orders").mkdir()
    (dags / "orders" / "spec.py").write_text("# of somebody else\n")
    with pytest.raises(ScaffoldError, match="is no project of the model 'orders'"):
        check_model_name("orders", dags)


def test_sources_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,at\n")
    for source, words in (
        (tmp_path / "missing.db", "no file, no folder and no connection"),
        (tmp_path / "a.csv", "one file and no SQLite database"),
        (f"sqlite:///{tmp_path}/missing.db", "there is no SQLite file"),
        ("postgresql//u:secret@h", "no file, no folder"),
    ):
        with pytest.raises(ScaffoldError, match=words):
            locate(str(source), "c", lambda conn_id: None)


def test_a_password_is_in_no_message(make: Make) -> None:
    with pytest.raises(ScaffoldError) as refusal:
        make("postgresql://reader:hunter2@127.0.0.1:1/shop", table="orders", target="late")
    assert "hunter2" not in str(refusal.value)
    assert "cannot be opened" in str(refusal.value)


def test_values_of_people_are_in_no_file(make: Make, tmp_path: Path) -> None:
    made = make(orders(tmp_path / "shop.db", n_days=20), target="late")
    assert 'personal=("contact",)' in made.files[next(p for p in made.files if p.name == "spec.py")]
    assert not [path for path, text in made.files.items() if "@a.org" in text]
