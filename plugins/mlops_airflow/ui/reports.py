"""Reports out of the lake, for people who may read the Dags that wrote them."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import HTMLResponse

from mlops_airflow.hooks.lake import LakeHook
from mlops_airflow.ui.access import require_readable_dags
from mlops_tasks.exceptions import SpecError
from mlops_tasks.names import check_name
from mlops_tasks.partitions import check_partition
from mlops_tasks.reports import REPORTS, STANDING, standing_report

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_report", "read_standing", "report_headers", "router"]

router = APIRouter()

_NAME = re.compile(r"(refused-)?\d{1,12}")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@router.get("/reports/{table}/{partition}/{name}", dependencies=[Depends(require_readable_dags)])
def _report(table: str, partition: str, name: str) -> HTMLResponse:
    """Serve one report; what is not exactly the name of one does not exist."""
    text = read_report(LakeHook().get_conn().root, table, partition, name)
    if text is None:
        raise HTTPException(404, f"there is no report {name!r} of {table!r} {partition!r}")
    return HTMLResponse(text, headers=report_headers(text))


@router.get(f"/reports/{{table}}/{STANDING}", dependencies=[Depends(require_readable_dags)])
def _standing(table: str) -> HTMLResponse:
    """Serve the one page of a table that is always replaced."""
    text = read_standing(LakeHook().get_conn().root, table)
    if text is None:
        raise HTTPException(404, f"there is no page of {table!r} yet")
    return HTMLResponse(text, headers=report_headers(text))


def read_report(root: Path, dataset: str, partition: str, name: str) -> str | None:
    """Read a report; None if there is none of that name.

    Parameters
    ----------
    root : Path
        Root folder of the lake.
    dataset, partition, name : str
        From the address; nothing in them leads out of the folder of reports.

    Returns
    -------
    str or None
        The page as it was written.
    """
    try:
        folder = root / REPORTS / check_name(dataset) / check_partition(partition)
    except SpecError:
        return None
    if not _NAME.fullmatch(name):
        return None
    return _text(root, folder / f"{name}.html")


def read_standing(root: Path, table: str) -> str | None:
    """Read the one page of a table; None if there is none.

    Parameters
    ----------
    root : Path
        Root folder of the lake.
    table : str
        From the address; nothing in it leads out of the folder of reports.

    Returns
    -------
    str or None
        The page as it was written.
    """
    try:
        return _text(root, root / standing_report(check_name(table)))
    except SpecError:
        return None


def _text(root: Path, path: Path) -> str | None:
    path = path.resolve()
    if not path.is_relative_to((root / REPORTS).resolve()) or not path.is_file():
        return None
    return path.read_text(encoding="utf-8")


def report_headers(text: str) -> dict[str, str]:
    """Return headers that let the page do nothing but be read.

    Parameters
    ----------
    text : str
        The report; only its own style sheet, named by hash, is applied.
    """
    style = _STYLE.search(text)
    digest = hashlib.sha256((style.group(1) if style else "").encode()).digest()
    source = f"'sha256-{base64.b64encode(digest).decode()}'"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src {source}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'self'; sandbox"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
