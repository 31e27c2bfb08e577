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

#: Airflow's simple login with rights by Dag, as other auth managers have them.
AUTH_MANAGER = """
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

RIGHTS = {"eve": set(), "bob": {"orders.ingest"}, "ann": {"orders.ingest", "orders.refresh"}}

class ByDag(SimpleAuthManager):
    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.username == "root":
            return True
        return method == "GET" and details is not None and details.id in RIGHTS[user.username]
"""

# In a process of its own: Airflow reads its settings when it is imported.
SCRIPT = """
import json, sys
from airflow import settings
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import DagModel, import_all_models
from airflow.models.dagbundle import DagBundleModel
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient
from mlops_airflow.ui import fastapi_apps

asked = json.loads(sys.argv[1])
sys.argv = ["airflow", "api-server", "--port", "8080"]
(page,) = fastapi_apps()
import_all_models()
DagModel.metadata.create_all(settings.engine)
with settings.Session() as session:
    session.add(DagBundleModel(name="b"))
    session.flush()
    for dag_id in ("orders.ingest", "orders.refresh", "orders2.ingest", "churn.score", "etl"):
        session.add(DagModel(dag_id=dag_id, bundle_name="b"))
    session.commit()
manager = airflow_app.create_auth_manager()
site = FastAPI()
site.mount(page["url_prefix"], page["app"])
# Stands for whatever will write: what it is protected by must be the app's, not the route's.
router = APIRouter()
for method in ("POST", "PUT", "PATCH", "DELETE"):
    router.add_api_route("/write", lambda: "written", methods=[method])
page["app"].include_router(router)

def headers_of(user, how):
    if user is None:
        return {}
    token = manager.generate_jwt(SimpleAuthManagerUser(username=user, role="viewer"))
    return {"Authorization": f"Bearer {token}"} if how == "token" else {"Cookie": f"_token={token}"}

answers = []
for user, how, method, path, headers in asked:
    with TestClient(site, base_url="http://127.0.0.1:8080") as client:
        answer = client.request(method, path, headers={**headers_of(user, how), **headers})
    answers.append([answer.status_code, answer.text, dict(answer.headers)])
routes = [(sorted(route.methods), route.path) for route in page["app"].routes]
print("ANSWERS", json.dumps([answers, routes]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "lake" / REPORTS / "orders" / DAY
    folder.mkdir(parents=True)
    (folder / "7.html").write_text(PAGE)
    (folder / "refused-3.html").write_text(PAGE)
    (folder / "secret.html").write_text("secret")
    for name in ("orders__timeline", "churn__timeline"):
        (folder.parents[1] / name).mkdir()
        (folder.parents[1] / name / "newest.html").write_text(PAGE)
    (tmp_path / "lake" / "9.html").write_text("secret")
    (folder / "8.html").symlink_to(tmp_path / "lake" / "9.html")
    return tmp_path / "lake"


Answer = tuple[int, str, dict[str, str]]


def ask(root: Path, *requests: tuple[str | None, str, str, str, dict[str, str]]) -> list[Answer]:
    """Send requests (user, token or cookie, method, path, headers) to our app."""
    (root.parent / "by_dag.py").write_text(AUTH_MANAGER)
    connection = {"conn_type": "file", "extra": {"path": str(root)}}
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    env |= {
        "AIRFLOW_HOME": str(root.parent / "airflow"),
        "AIRFLOW_CONN_LAKE_DEFAULT": json.dumps(connection),
        "AIRFLOW__API_AUTH__JWT_SECRET": "only for this test, and long enough for its algorithm",
        "AIRFLOW__API__BASE_URL": "https://airflow.example",
        "AIRFLOW__CORE__AUTH_MANAGER": "by_dag.ByDag",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join([*sys.path, str(root.parent)]),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(requests)],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    assert lines, done.stderr[-3000:]
    answers, routes = json.loads(lines[0][8:])
    assert [["GET"], "/reports/{table}/{partition}/{name}"] in routes
    assert [["GET"], "/reports/{table}/newest"] in routes
    return [tuple(answer) for answer in answers]


def read(user: str | None, path: str) -> tuple[str | None, str, str, str, dict[str, str]]:
    return user, "token", "GET", path, {}


REPORT = f"/mlops/reports/orders/{DAY}/7"
UNKNOWN = f"{REPORT}0"
TIMELINE = "/mlops/reports/orders__timeline/newest"
TRICKS = (
    f"/mlops/reports/..%2forders/{DAY}/7",
    f"/mlops/reports/orders/..%2f..%2forders%2f{DAY}/7",
    f"/mlops/reports/orders/{DAY}/..%2f..%2f..%2f9",
    f"/mlops/reports/%2e%2e/{DAY}/7",
    f"/mlops/reports/orders/{DAY}/7%00",
)


@pytest.mark.slow
def test_reports_are_for_those_who_may_read_the_dags(root: Path) -> None:
    hidden = ("/mlops/docs", "/mlops/redoc", "/mlops/openapi.json")
    asked = {
        # Nobody learns what exists, before the login and without the right.
        **{(None, path): 401 for path in (REPORT, UNKNOWN)},
        **{("eve", path): 403 for path in (REPORT, UNKNOWN)},
        # bob may read one of the two Dags of orders.
        **{("bob", path): 403 for path in (REPORT, UNKNOWN)},
        ("ann", REPORT): 200,
        ("ann", UNKNOWN): 404,
        ("ann", f"/mlops/reports/orders__predictions/{DAY}/7"): 404,
        # Not her Dags, though the name begins alike; and tables that no Dag is named after.
        ("ann", f"/mlops/reports/orders2/{DAY}/7"): 403,
        ("ann", f"/mlops/reports/churn__predictions/{DAY}/7"): 403,
        ("ann", f"/mlops/reports/nobodys/{DAY}/7"): 403,
        ("ann", f"/mlops/reports/order/{DAY}/7"): 403,
        ("ann", f"/mlops/reports/__orders/{DAY}/7"): 403,
        ("root", f"/mlops/reports/nobodys/{DAY}/7"): 404,
        # The page of a model, which always lies at the same address.
        **{(None, path): 401 for path in (TIMELINE, "/mlops/reports/nobodys/newest")},
        ("eve", TIMELINE): 403,
        ("ann", TIMELINE): 200,
        ("ann", "/mlops/reports/churn__timeline/newest"): 403,
        ("root", "/mlops/reports/churn__timeline/newest"): 200,
        ("root", "/mlops/reports/orders/newest"): 404,
        ("root", "/mlops/reports/..%2forders__timeline/newest"): 404,
        **{(user, path): 404 for user in ("ann", "root") for path in hidden},
    }
    tricks = [(user, path) for user in ("eve", "ann", "root") for path in TRICKS]
    answers = ask(root, *[read(*who) for who in [*asked, *tricks]])
    found = dict(zip([*asked, *tricks], answers, strict=True))

    assert {who: found[who][0] for who in asked} == asked
    for who in tricks:
        assert found[who][0] in ((403, 404) if who[0] != "root" else (404,)), who
    _, text, headers = found["ann", REPORT]
    assert text == PAGE
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    shown = {who for who in found if "a report" in found[who][1]}
    assert shown == {who for who, status in asked.items() if status == 200}
    assert (
        found["ann", TIMELINE][2]["content-security-policy"] == headers["content-security-policy"]
    )


@pytest.mark.slow
def test_writes_come_from_airflows_own_pages(root: Path) -> None:
    own = ("http://127.0.0.1:8080", "https://airflow.example", "HTTP://127.0.0.1:8080")
    foreign = (
        *("http://evil.example", "null", "http://127.0.0.1:5000", "http://127.0.0.1"),
        *("https://127.0.0.1:8080", "http://127.0.0.1:8080.evil.example", "", "file://"),
    )
    expected: dict[tuple[str | None, str, str, str, str | None], int] = {}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for how in ("token", "cookie"):
            for origin in own:
                expected["ann", how, method, "/mlops/write", origin] = 200
            for origin in foreign:
                expected["ann", how, method, "/mlops/write", origin] = 403
        expected["ann", "token", method, "/mlops/write", None] = 200
        expected["ann", "cookie", method, "/mlops/write", None] = 403
        expected[None, "token", method, "/mlops/write", own[0]] = 401
    asked = [
        (*request, {} if origin is None else {"Origin": origin}) for *request, origin in expected
    ]
    answers = ask(root, *asked)  # type: ignore[arg-type]
    assert dict(zip(expected, [status for status, *_ in answers], strict=True)) == expected


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


@pytest.mark.parametrize("table", ["orders", "..", "../_reports/orders__timeline", "", "led__out"])
def test_no_other_standing_page_is_served(root: Path, table: str) -> None:
    from mlops_airflow.ui.reports import read_standing

    (root / REPORTS / "led__out").mkdir()
    (root / REPORTS / "led__out" / "newest.html").symlink_to(root / "9.html")
    assert read_standing(root, "orders__timeline") == PAGE
    assert read_standing(root, table) is None


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
