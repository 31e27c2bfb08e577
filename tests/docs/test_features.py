"""docs/how-to/features.md says of DuckDB what is so."""

from __future__ import annotations

from typing import Any

import duckdb

from tests.docs.pages import blocks, prose
from tests.quality.discovery import ROOT

PAGE = ROOT / "docs" / "how-to" / "features.md"


def ask(query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def test_reserved_words_are_those_of_the_database() -> None:
    asked = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    listed = next(block.text for block in blocks(PAGE) if block.language == "text")
    assert listed.split() == sorted(word for (word,) in ask(asked))


def test_types_are_those_of_the_database() -> None:
    said = prose(PAGE)
    for expression, kind in (
        ("typeof(sum(7::BIGINT))", "HUGEINT"),
        ("typeof(2.5)", "DECIMAL(2,1)"),
        ("typeof(2.5::DOUBLE * 2.5)", "DOUBLE"),
        ("typeof(DATE '2024-01-02' - DATE '2024-01-01')", "BIGINT"),
        ("typeof(TIMESTAMPTZ '2024-01-02' - TIMESTAMPTZ '2024-01-01')", "INTERVAL"),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
    ):
        assert ask(f"SELECT {expression}") == [(kind,)]
    assert "`sum(x)` is a HUGEINT" in said
    assert "`2.5` alone is a DECIMAL" in said
    assert "`7 / 2` is 3.5, `7 // 2` is 3" in said
