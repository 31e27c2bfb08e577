"""A project from a real PostgreSQL and a real MariaDB: their types, times and passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold import Answers, draft, locate
from tests.system.servers import PASSWORD, USER
from tests.system.shops import MARIADB, POSTGRES, Kind

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.scaffold.answers import Question

TIMES = {"postgresql": "timestamptz", "mysql": "datetime"}


def nobody(question: Question) -> str:
    raise ScaffoldError(question.text)


@pytest.mark.parametrize("kind", [POSTGRES, MARIADB], ids=lambda kind: kind.dialect)
def test_a_table_becomes_a_project(kind: Kind, tmp_path: Path) -> None:
    rows = ", ".join(
        f"({n}, '2024-01-{1 + n // 40:02} 0{n % 10}:00:00', '{'xyz'[n % 3]}', {n % 97}.25, {n % 4})"
        for n in range(1_200)
    )
    columns = f"id bigint, at {TIMES[kind.dialect]}, shop varchar(9), total numeric(9, 2), y int"
    with kind.start() as server:
        kind.execute(server, f"CREATE TABLE sales ({columns})", f"INSERT INTO sales VALUES {rows}")
        address = f"{kind.dialect}://{USER}:{quote(PASSWORD, safe='')}@{server.host}:{server.port}"
        location = locate(f"{address}/{server.database}", "shop", lambda conn_id: None)
        answers = Answers("late", table="sales", target="y = 3")
        made = draft(answers, location, tmp_path / "dags", ci=None, ask=nobody)
    spec = next(text for path, text in made.files.items() if path.name == "spec.py")
    for words in (
        'table="sales"',
        'time_column="at"',
        '"total": "float64"',
        'convert={"total": "decimal"}',
        'target="y_value = 3"',
    ):
        assert words in spec
    assert ('timezone="UTC"' in spec) == (kind is MARIADB)
    assert not [text for text in made.files.values() if PASSWORD in text or server.host in text]
    assert PASSWORD not in repr(location)
