"""Reports over HTTP: only to people who are logged in, only reports, and nothing in them runs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_airflow.ui import fastapi_apps
from mlops_tasks.reports import REPORTS

ROOT = Path(__file__).resolve().parents[3]
DAY = "2024-03-01"
PAGE = "<!doctype html><style>p { color: red; }</style><p>a report</p>"

# In a process of its own: Airflow reads its settings when it is imported.
SCRIPT = """
import json, sys
from airflow import settings
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.revoked_token import RevokedToken
from fastapi import FastAPI
from starlette.testclient import TestClient
from mlops_airflow.ui import fastapi_apps

paths = json.loads(sys.argv[1])
sys.argv = ["airflow", "api-server", "--port", "8080"]
(page,) = fastapi_apps()
RevokedToken.__table__.create(settings.engine, checkfirst=True)
manager = airflow_app.create_auth_manager()
user = SimpleAuthManagerUser(username="ann", role="viewer")
token = manager.generate_jwt(user)
site = FastAPI()
site.mount(page["url_prefix"], page["app"])
client = TestClient(site)
answers = {}
for path in paths:
    open_, known = client.get(path), client.get(path, headers={"Authorization": f"Bearer {token}"})
    answers[path] = [open_.status_code, known.status_code, known.text, dict(known.headers)]
print("ANSWERS", json.dumps(answers))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "lake" / REPORTS / "orders" / DAY
    folder.mkdir(parents=True)
    (folder / "7.html").write_text(PAGE)
    (folder / "refused-3.html").write_text(PAGE)
    (folder / "secret.html").write_text("secret")
    (tmp_path / "lake" / "9.html").write_text("secret")
    (folder / "8.html").symlink_to(tmp_path / "lake" / "9.html")
    return tmp_path / "lake"


def asked(root: Path, *paths: str) -> dict[str, tuple[int, int, str, dict[str, str]]]:
    connection = {"conn_type": "file", "extra": {"path": str(root)}}
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    env |= {
        "AIRFLOW_HOME": str(root.parent / "airflow"),
        "AIRFLOW_CONN_LAKE_DEFAULT": json.dumps(connection),
        "AIRFLOW__API_AUTH__JWT_SECRET": "only for this test, and long enough for its algorithm",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(paths)],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    assert lines, done.stderr[-3000:]
    answers: dict[str, tuple[int, int, str, dict[str, str]]] = json.loads(lines[0][8:])
    return answers


@pytest.mark.slow
def test_only_people_who_are_logged_in_read_them(root: Path) -> None:
    report = f"/mlops/reports/orders/{DAY}/7"
    hidden = ("/mlops/docs", "/mlops/redoc", "/mlops/openapi.json", f"{report}0")
    answers = asked(root, report, *hidden)
    before, after, text, headers = answers[report]
    assert (before, after, text) == (401, 200, PAGE)
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    for path in hidden:
        assert answers[path][0] in (401, 404)
        assert answers[path][1] == 404


def test_a_report_is_found_by_its_exact_name(root: Path) -> None:
    from mlops_airflow.ui.reports import read_report

    assert read_report(root, "orders", DAY, "7") == PAGE
    assert read_report(root, "orders", DAY, "refused-3") == PAGE


@pytest.mark.parametrize(
    ("dataset", "partition", "name"),
    [
        ("orders", DAY, "70"),
        ("orders", DAY, "secret"),
        ("orders", DAY, "8"),  # a link that leads out
        ("orders", DAY, "../../../9"),
        ("orders", DAY, "7.html"),
        ("orders", DAY, "7\n"),
        ("orders", "..", "7"),
        ("..", DAY, "7"),
        ("../_reports/orders", DAY, "7"),
        ("orders", "2024-3-1", "7"),
        ("ORDERS", DAY, "7"),
        ("", "", ""),
    ],
)
def test_nothing_else_is_served(root: Path, dataset: str, partition: str, name: str) -> None:
    from mlops_airflow.ui.reports import read_report

    assert read_report(root, dataset, partition, name) is None


def test_only_the_style_of_the_page_applies() -> None:
    from mlops_airflow.ui.reports import report_headers

    digest = hashlib.sha256(b"p { color: red; }").digest()
    policy = report_headers(PAGE)["Content-Security-Policy"].split("; ")
    assert f"style-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "sandbox"} <= set(policy)
    assert not [part for part in policy if "unsafe" in part or "*" in part]


def test_other_processes_than_the_api_server_do_not_import_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])
    assert fastapi_apps() == []
    # Airflow's own modules may import what they like: what this package adds is looked at.
    script = (
        "import sys; sys.argv = ['airflow', 'scheduler'];"
        "import airflow.plugins_manager; before = set(sys.modules);"
        "from mlops_airflow.plugin import MlopsPlugin; assert MlopsPlugin.fastapi_apps == [];"
        "ours = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "assert not ours & {'fastapi', 'starlette', 'pandas', 'deltalake', 'jinja2'}, ours"
    )
    path = os.pathsep.join(sys.path)
    env = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
