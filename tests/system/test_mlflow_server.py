"""The tracking server under attack: by another user of the machine, by a web page, by a client."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import httpx
import psutil
import pytest

from mlops_airflow.stack.components import component_commands
from mlops_airflow.stack.credentials import MLFLOW_USER, load_credentials
from mlops_airflow.stack.environment import tool
from mlops_airflow.stack.preparation import make_home
from mlops_airflow.stack.secret_holders import component_environments
from mlops_tasks.registry.tracking import Tracking
from tests.system.conftest import HERE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_airflow.stack.settings import StackSettings

CODE = "open('/tmp/owned', 'w')"

#: What a local user can do without knowing a password. It becomes one only after its imports, for
#: this Python may lie in a folder that is closed to others.
ATTACK = """
import encodings.idna, json, os, pathlib, pwd, sys, urllib.error, urllib.request

url, dags, pids = json.loads(sys.argv[1])
answers = {}
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)

def ask(name, path, body, kind="application/json"):
    request = urllib.request.Request(url + path, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            answers[name], text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        answers[name], text = error.code, b"{}"
    return json.loads(text or b"{}")

def post(step, path, **body):
    return ask(step, "/api/2.0/mlflow/" + path, json.dumps(body).encode())

made = post("experiment", "experiments/create", name="mine", artifact_location=dags)
run = post("run", "runs/create", experiment_id=made.get("experiment_id", "0"))
run_id = run.get("run", {}).get("info", {}).get("run_id", "0")
for name, prefix in (("upload", "ajax-api"), ("upload by api", "api")):
    ask(name, f"/{prefix}/2.0/mlflow/upload-artifact?run_uuid={run_id}&path=owned.py", b"CODE")
ask("artifact", "/api/2.0/mlflow-artifacts/artifacts/0/owned.py", b"CODE", "text/plain")
for pid in pids:
    for name in ("environ", "mem", "cwd/mlflow.db", "fd/1"):
        try:
            pathlib.Path(f"/proc/{pid}/{name}").open("rb").close()
            answers[f"{name} of {pid}"] = "read"
        except OSError:
            pass
lines = pathlib.Path("/proc").glob("[0-9]*/cmdline")
answers["process list"] = [p.read_bytes().decode(errors="replace") for p in lines if p.exists()]
print(json.dumps(answers))
"""

ROUTES = """
import json
from mlflow.server import app as flask_app
from mlflow.server.fastapi_app import app
found = [(method, route.path) for route in app.routes for method in getattr(route, "methods", ())]
for rule in flask_app.url_map.iter_rules():
    found += [(method, rule.rule) for method in rule.methods]
print("ROUTES", json.dumps(sorted(set(found))))
"""


class Server(NamedTuple):
    settings: StackSettings
    password: str
    process: psutil.Process
    client: httpx.Client  # logged in

    @property
    def url(self) -> str:
        return self.settings.mlflow_url

    def post(self, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return self.client.post(f"/api/2.0/mlflow/{path}", json=body, headers=headers)

    def new_run(self) -> tuple[str, str]:
        """Return the ids of a new experiment and of a run in it."""
        name = os.urandom(8).hex()
        experiment = self.post("experiments/create", {"name": name}).json()["experiment_id"]
        made = self.post("runs/create", {"experiment_id": experiment}).json()
        return experiment, made["run"]["info"]["run_id"]


@pytest.fixture(scope="module")
def server(
    new_settings: Callable[..., StackSettings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = new_settings(HERE / "stack_dags")
    make_home(settings)
    credentials = load_credentials(settings.secrets_file)
    env = component_environments(settings, credentials)["mlflow"]
    database = f"sqlite:///{settings.mlflow_home / 'mlflow.db'}"
    subprocess.run([tool("mlflow"), "db", "upgrade", database], env=env, check=True)
    command = component_commands(settings)["mlflow"]
    with settings.component_log("mlflow").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=settings.home)
    try:
        wait_for(lambda: is_healthy(settings.mlflow_url), "MLflow is healthy")
        login = (MLFLOW_USER, credentials.mlflow_password)
        with httpx.Client(base_url=settings.mlflow_url, auth=login, trust_env=False) as client:
            yield Server(settings, login[1], psutil.Process(process.pid), client)
    finally:
        process.terminate()
        process.wait(30)


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_gets_nowhere(server: Server) -> None:
    # Open to the attacker on purpose: only the server stands between this folder and the upload.
    dags = Path("/tmp") / f"mlops-attacked-{os.getpid()}"
    dags.mkdir()
    dags.chmod(0o777)
    pids = [p.pid for p in (server.process, *server.process.children(recursive=True))]
    try:
        done = subprocess.run(
            [sys.executable, "-c", ATTACK, json.dumps([server.url, dags.as_uri(), pids])],
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout)
        shown = answers.pop("process list")
        # It saw the server's command line, so that not seeing the password in it means something.
        assert any("--app-name=mlops" in line for line in shown)
        assert not [line for line in shown if server.password in line]
        assert set(answers) == {"experiment", "run", "upload", "upload by api", "artifact"}
        assert set(answers.values()) == {401}
        assert list(dags.iterdir()) == []
    finally:
        dags.rmdir()


def test_every_route_but_health_asks_for_a_login(server: Server) -> None:
    env = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", ROUTES], env=env, capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ROUTES ")]
    routes = json.loads(line.removeprefix("ROUTES "))
    kinds = ("/api/2.0/", "/ajax-api/2.0/", "/api/3.0/", "/graphql", "/v1/traces", "/static-files/")
    kinds += ("/jobs", "mlflow-artifacts/mpu", "/gateway", "assistant", "/version", "server-info")
    for kind in kinds:
        assert any(kind in path for _, path in routes), f"no route {kind} was found to be tried"

    answers = {}
    with httpx.Client(base_url=server.url, trust_env=False) as nobody:
        for method, path in routes:
            filled = re.sub(r"<[^>]*>|\{[^}]*\}", "x", path)
            answers[method, path] = nobody.request(method, filled).status_code

    open_routes = {route for route, status in answers.items() if status != 401}
    assert open_routes == {("GET", "/health"), ("HEAD", "/health")}
    assert len(answers) > 300


@pytest.mark.parametrize(
    "path",
    ["//health", "/health/", "/./health", "/health/../version", "/HEALTH", "/health%2f", "/"],
)
def test_nothing_else_passes_for_a_health_check(server: Server, path: str) -> None:
    with httpx.Client(trust_env=False) as nobody:
        assert raw(nobody, server, "GET", path).status_code == 401


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic  x",
        "Basic !!!",
        "Basic é",
        "Bearer {password}",
        "{password}",
        basic(":"),
        basic("mlops:"),
        basic("mlops:password1234"),
        basic("admin:password1234"),
    ],
)
def test_wrong_logins_are_refused(server: Server, header: str) -> None:
    value = header.format(password=server.password).encode()
    answer = httpx.get(f"{server.url}/version", headers={"Authorization": value}, trust_env=False)
    assert answer.status_code == 401
    # So that a browser asks the person for it.
    assert answer.headers["www-authenticate"].startswith('Basic realm="MLflow"')


@pytest.mark.parametrize("user", ["", "admin", "mlops ", "MLOPS"])
def test_the_password_belongs_to_its_user(server: Server, user: str) -> None:
    login = (user, server.password)
    assert httpx.get(f"{server.url}/version", auth=login, trust_env=False).status_code == 401


def test_two_logins_in_one_request_are_refused(server: Server) -> None:
    right = basic(f"{MLFLOW_USER}:{server.password}")
    headers = [("Authorization", right), ("Authorization", right)]
    answer = httpx.get(f"{server.url}/version", headers=headers, trust_env=False)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:{port}", "localhost", "localhost:{port}", "127.0.0.1"),
        *(
            "127.0.0.1:1",
            "127.0.0.1:{port}0",
            "127.0.0.2:{port}",
            "10.0.0.1:{port}",
            "[::1]:{port}",
        ),
        *("127.0.0.1:{port}.evil.example", "evil@127.0.0.1:{port}", ""),
    ],
)
@pytest.mark.parametrize("path", ["/health", "/version", "/api/2.0/mlflow/experiments/search"])
def test_only_its_own_host_and_port_is_its_name(server: Server, host: str, path: str) -> None:
    named = host.format(port=server.settings.mlflow_port)
    assert server.client.get(path, headers={"Host": named}).status_code in {400, 403}


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "http://localhost:{port}", "http://127.0.0.1:1"),
        *(
            "http://127.0.0.1",
            "http://127.0.0.1:{port}.evil.example",
            "file://",
            "127.0.0.1:{port}",
        ),
    ],
)
def test_pages_of_other_servers_change_nothing(server: Server, origin: str) -> None:
    foreign = origin.format(port=server.settings.mlflow_port)
    body = {"name": f"from {foreign}"}
    answer = server.post("experiments/create", body, Origin=foreign)
    assert answer.status_code == 403
    found = server.client.get(
        "/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": body["name"]}
    )
    assert found.status_code == 404


def test_its_own_pages_work(server: Server) -> None:
    own = {"Origin": server.url}
    assert server.post("experiments/create", {"name": "by its page"}, **own).status_code == 200
    page = server.client.get("/")
    assert "text/html" in page.headers["content-type"]
    assert page.headers["x-frame-options"] == "SAMEORIGIN"


LOCATIONS = [
    *("file:///tmp/x", "file:/tmp/x", "file://localhost/tmp/x", "FILE:///tmp/x", "/tmp/x", "x"),
    *("../../x", "./x", "~/x", "s3://bucket/x", "gs://bucket/x", "dbfs:/x", "hdfs://h/x"),
    *("http://127.0.0.1:1/x", "https://evil.example", "ftp://evil.example/x", "sftp://evil/x"),
    *("mlflow-artifacts:/../x", "mlflow-artifacts:/1", "mlflow-artifacts://evil.example/x"),
    *("runs:/x", "models:/x/1", "wasbs://c@evil/x", "abfss://c@evil/x", "viewfs://evil/x", " "),
]


@pytest.mark.parametrize("location", LOCATIONS)
def test_no_client_chooses_where_artifacts_lie(server: Server, location: str) -> None:
    name = f"chosen {location}"
    for prefix in ("api", "ajax-api"):
        for field in ("artifact_location", "artifactLocation"):
            answer = server.client.post(
                f"/{prefix}/2.0/mlflow/experiments/create", json={"name": name, field: location}
            )
            assert answer.status_code == 400, (prefix, field)
    found = server.client.get(
        "/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": name}
    )
    assert found.status_code == 404


@pytest.mark.parametrize(
    "source", [s for s in LOCATIONS if s != "models:/x/1"] + ["runs:/{run}/../../x", "runs:/0/x"]
)
def test_no_client_chooses_what_becomes_a_version(server: Server, source: str) -> None:
    _, run = server.new_run()
    server.post("registered-models/create", {"name": "chosen"})
    body = {"name": "chosen", "source": source.format(run=run), "run_id": run}
    assert server.post("model-versions/create", body).status_code == 400
    found = server.client.get("/api/2.0/mlflow/model-versions/search")
    assert "model_versions" not in found.json()


UPS = [
    *(
        "../x",
        "a/../../x",
        "..%2fx",
        "%2e%2e/x",
        "%2e%2e%2fx",
        "..%252fx",
        "/tmp/x",
        "..\\x",
        "%00",
    ),
    *("../../../../mlflow.db", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/mlflow.db", ".."),
]


@pytest.mark.parametrize("path", UPS)
@pytest.mark.parametrize("how", ["upload", "put", "get", "list"])
def test_no_path_leads_out_of_the_artifacts(server: Server, path: str, how: str) -> None:
    before = files_outside(server)
    experiment, run = server.new_run()
    artifacts = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts"
    if how == "upload":
        target = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={quote(path)}"
        answer = raw(server.client, server, "POST", target, CODE.encode())
    elif how == "put":
        target = f"{artifacts}/{quote(path, safe='%')}"
        answer = raw(server.client, server, "PUT", target, CODE.encode())
    elif how == "get":
        answer = raw(server.client, server, "GET", f"{artifacts}/{quote(path, safe='%')}")
    else:
        target = f"/api/2.0/mlflow-artifacts/artifacts?path={quote(path, safe='%')}"
        answer = raw(server.client, server, "GET", target)
    if ".." in path and "\\" not in path:  # a backslash is a letter like others
        assert answer.status_code in {400, 404}
    assert b"SQLite" not in answer.content
    assert b"mlflow.db" not in answer.content.replace(path.encode(), b"")
    assert files_outside(server) == before


def raw(
    client: httpx.Client, server: Server, method: str, target: str, content: bytes = b""
) -> httpx.Response:
    """Send a target as it is: httpx would resolve its dots."""
    request = client.build_request(method, server.url, content=content)
    request.extensions["target"] = target.encode()
    return client.send(request)


def files_outside(server: Server) -> set[Path]:
    """Return every file that is no artifact, where an upload might land."""
    settings = server.settings
    found = {
        p for p in settings.home.rglob("*") if settings.mlflow_home / "artifacts" not in p.parents
    }
    return {p for p in found if "mlflow.db-" not in p.name} | set(Path("/tmp").glob("x"))


@pytest.mark.parametrize("how", ["upload", "get", "list"])
def test_a_location_chosen_long_ago_is_not_opened(server: Server, tmp_path: Path, how: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    _, run = server.new_run()
    database = server.settings.mlflow_home / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (tmp_path.as_uri(), run)
        )
    connection.close()
    if how == "upload":
        target = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=owned.py"
        answer = server.client.post(target, content=CODE.encode())
    elif how == "get":
        answer = server.client.get(f"/get-artifact?run_uuid={run}&path=secret.txt")
    else:
        answer = server.client.get(f"/api/2.0/mlflow/artifacts/list?run_id={run}")
    assert answer.status_code == 400
    assert "not kept by this server" in answer.text
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]


def test_a_trace_leads_to_no_other_place(server: Server, tmp_path: Path) -> None:
    (tmp_path / "traces.json").write_text('{"spans": ["secret"]}')
    experiment, _ = server.new_run()
    tag = {"key": "mlflow.artifactLocation", "value": tmp_path.as_uri()}
    body = {"experiment_id": experiment, "timestamp_ms": 1}
    trace = server.post("traces", body).json()["trace_info"]["request_id"]
    tags = f"/api/2.0/mlflow/traces/{trace}/tags"
    server.client.patch(tags, json=tag).raise_for_status()
    for version in ("2.0", "3.0"):
        answer = server.client.get(
            f"/ajax-api/{version}/mlflow/get-trace-artifact", params={"request_id": trace}
        )
        assert answer.status_code >= 400
        assert "secret" not in answer.text
        assert "not kept by this server" in answer.text


def test_our_client_logs_in(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    known = Tracking(server.url, login=(MLFLOW_USER, server.password))
    assert server.password not in repr(known)

    with known.run("logged in", "run") as run:
        known.log_batch(run, metrics={"m": 1.0}, params={"p": "1"}, tags={"t": "1"})
        known.log_bytes(run, "folder/x.bin", b"content")
    assert known.read_bytes(run, "folder/x.bin") == b"content"
    assert server.password not in str(known.client.get_run(run).to_dictionary())

    # Neither by the environment nor by what another client left in it.
    with pytest.raises(MlflowException, match="mlflow_default"):
        Tracking(server.url, login=None).client.get_run(run)


# The last one: everything above had its chance to leave a trace.
def test_the_password_is_in_no_file(server: Server) -> None:
    settings = server.settings
    log = settings.component_log("mlflow").read_text()
    assert "401 Unauthorized" in log
    token = base64.b64encode(f"{MLFLOW_USER}:{server.password}".encode())
    for file in settings.home.rglob("*"):
        if file.is_file() and file != settings.secrets_file:
            content = file.read_bytes()
            assert server.password.encode() not in content, file
            assert token not in content, file
