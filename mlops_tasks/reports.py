"""Reports for people: pages beside the tables, of a partition and version, or of a whole table."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.storage import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

__all__ = [
    "REPORTS",
    "STANDING",
    "newest_facts",
    "page_template",
    "report_address",
    "standing_report",
    "write_report",
    "write_standing_report",
]

REPORTS = "_reports"
#: Name of the page that is replaced, never added to.
STANDING = "newest"


@lru_cache(maxsize=8)
def page_template(path: Path) -> Template:
    """Return the template of a page.

    Parameters
    ----------
    path : Path
        A file of Jinja's syntax.

    Returns
    -------
    Template
        In which every value is escaped, and one that is not given is an error.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)


def write_report(
    root: Path,
    table: str,
    partition: str,
    name: str,
    page: str,
    facts: Mapping[str, Any] | None = None,
) -> str:
    """Write a page beside the tables, all of it or nothing.

    Parameters
    ----------
    root : Path
        The lake's folder.
    table, partition : str
        What it is about.
    name : str
        The version that it is about.
    page : str
        HTML, self-contained.
    facts : mapping, optional
        The same as plain data, for `newest_facts`.

    Returns
    -------
    str
        ``_reports/<table>/<partition>/<name>.html`` below the root of the lake.
    """
    path = Path(REPORTS, table, partition, f"{name}.html")
    if facts is not None:
        text = json.dumps(facts, separators=(",", ":"), allow_nan=False)
        replace_file(root / path.with_suffix(".json"), text.encode())
    replace_file(root / path, page.encode())
    return path.as_posix()


def standing_report(table: str) -> str:
    """Return the address of the one page of a table, which is replaced.

    Parameters
    ----------
    table : str
        What it is about.

    Examples
    --------
    >>> standing_report("flights__timeline")
    '_reports/flights__timeline/newest.html'
    """
    return Path(REPORTS, table, f"{STANDING}.html").as_posix()


def write_standing_report(root: Path, table: str, page: str) -> str:
    """Write the one page of a table in place of the one before, all of it or nothing.

    Parameters
    ----------
    root : Path
        The lake's folder.
    table : str
        What it is about.
    page : str
        HTML, self-contained.

    Returns
    -------
    str
        Its address below the root of the lake, which is always the same.
    """
    path = standing_report(table)
    replace_file(root / path, page.encode())
    return path


def report_address(report: str) -> str:
    """Return where the plugin of Airflow serves a report, below its own address.

    Parameters
    ----------
    report : str
        From `write_report`.

    Examples
    --------
    >>> report_address("_reports/flights/2013-02-01/7.html")
    'reports/flights/2013-02-01/7'
    """
    return report.removeprefix("_").removesuffix(".html")


def newest_facts(
    root: Path, table: str, *, first: str = "", last: str = "9999"
) -> list[dict[str, Any]]:
    """Return the plain data of the newest report of each partition.

    Parameters
    ----------
    root : Path
        The lake's folder.
    table : str
        What they are about.
    first, last : str, optional
        Partition keys, both inclusive; all by default. A day stands for its hours, and for the
        month that it lies in.

    Returns
    -------
    list of dict
        In the order of time; partitions without a report are left out.
    """
    wanted = [
        folder
        for folder in sorted((root / REPORTS / table).glob("*-*"))
        if first[: len(folder.name)] <= folder.name and folder.name[: len(last)] <= last
    ]
    found = [sorted(one.glob("*.json"), key=lambda path: int(path.stem)) for one in wanted]
    return [json.loads(files[-1].read_text()) for files in found if files]
