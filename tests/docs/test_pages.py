"""The pages themselves: links lead somewhere, and examples are what they say they are."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs import preloaded
from tests.docs.pages import Block, anchors, blocks, links, pages
from tests.quality.discovery import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = pages()
#: Pages that play every day there is: two thirds of a month are enough for a champion.
FEWEST_DAYS = {"tutorial.md": 21}
RUNNABLE = [page for page in PAGES if any(block.runs for block in blocks(page))]
OTHERS = {"console", "mermaid", "sql", "text", "toml", "yaml"}
EXAMPLES = [(page, number, block) for page in PAGES for number, block in enumerate(blocks(page))]


def name(value: object) -> str:
    if isinstance(value, Path):
        return value.relative_to(ROOT).as_posix()
    return value.language or "text" if isinstance(value, Block) else str(value)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize(("page", "number", "block"), EXAMPLES, ids=name)
def test_examples_can_be_read(page: Path, number: int, block: Block) -> None:
    if block.language == "python":
        compile(block.text, f"{page.name}[{number}]", "exec")
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "bash":
        subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    else:
        assert block.language in OTHERS, "name the language of the block"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of what a reader has on the PATH."""
    with preloaded.commands(tmp_path_factory.mktemp("commands")) as folder:
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_examples_do_what_they_say(page: Path, tmp_path: Path, commands: Path) -> None:
    """Write a page's files, then run its blocks in order, as a reader would."""
    for block in blocks(page):
        if block.file:
            target = tmp_path / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
    if "source.db" in page.read_text(encoding="utf-8"):
        make_source(tmp_path / "source.db", FEWEST_DAYS.get(page.name, 31))
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "MLOPS_DAGS_FOLDER": str(tmp_path / "dags"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "PATH": os.pathsep.join((str(commands), os.environ["PATH"])),
        "PYTHONPATH": str(tmp_path / "dags"),
    }
    for command, text in scripts(page):
        done = subprocess.run(
            [*command, text], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-3000:]}"


def scripts(page: Path) -> list[tuple[list[str], str]]:
    """Return the page's runnable blocks; Python blocks share their names, so they are one."""
    runnable = [block for block in blocks(page) if block.runs]
    python = "\n".join(block.text for block in runnable if block.language == "python")
    shell = [block.text for block in runnable if block.language == "bash"]
    found = [(["bash", "-euc"], text) for text in shell]
    return [*found, (["python", "-c"], python)] if python else found


def make_source(path: Path, days: int) -> None:
    from demo.source import SourceDatabase

    SourceDatabase(path).advance(date(2013, 1, days))
