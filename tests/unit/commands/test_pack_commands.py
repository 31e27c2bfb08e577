"""`mlops pack`: what it says, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_tasks.registry.pack import SigningKey
from mlops_tasks.registry.pack.signing import public_file
from tests.unit.packs import sample_pack, write_pack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World

SPEC = """
from pathlib import Path
from tests.unit.orders import project
MODEL = project(Path(__file__).parent / "files")
"""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.at(tmp_path_factory.mktemp("keys") / "evidence_key.pem")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Path:
    return write_pack(tmp_path_factory.mktemp("packs") / "3.zip", sample_pack(key))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ask(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["pack", *map(str, words)])
    return done.exit_code, " ".join(done.output.split())


# --- verify


def test_a_pack_is_verified_by_a_key_or_its_fingerprint(pack: Path, key: SigningKey) -> None:
    for trusted in (public_file(key.path), key.public.fingerprint, key.public.fingerprint.upper()):
        code, said = ask("verify", pack, "--key", trusted)
        assert code == 0
        assert said.startswith("verified late_orders version 3")
        assert "3 entries of the ledger are what was signed" in said


def test_without_a_key_nobody_can_tell(pack: Path) -> None:
    code, said = ask("verify", pack)
    assert code == 3
    assert said.startswith("cannot tell late_orders version 3")
    assert "by --key" in said


def test_the_key_of_this_machines_stack_is_trusted(tmp_path: Path, home: Path) -> None:
    own = SigningKey.at(home / "keys" / "evidence_key.pem")
    mine = write_pack(tmp_path / "mine.zip", sample_pack(own))
    assert ask("verify", mine)[0] == 0


def test_a_pack_of_another_installation_is_refused_here(pack: Path, home: Path) -> None:
    SigningKey.at(home / "keys" / "evidence_key.pem")
    code, said = ask("verify", pack)
    assert code == 1
    assert "from another installation" in said


def test_what_was_changed_is_named(tmp_path: Path, key: SigningKey) -> None:
    files = sample_pack(key)
    files["gate.json"] = b"{}"
    del files["approvals.json"]
    changed = write_pack(tmp_path / "changed.zip", files)
    code, said = ask("verify", changed, "--key", key.public.fingerprint)
    assert code == 1
    assert "approvals.json is missing gate.json was changed" in said
    code, said = ask("verify", changed, "--key", key.public.fingerprint, "--json")
    assert code == 1
    found = json.loads(said)
    assert found["answer"] == "changed"
    assert {one["name"] for one in found["problems"]} == {"gate.json", "approvals.json"}


def test_a_file_that_is_no_pack_has_a_code_of_its_own(tmp_path: Path) -> None:
    assert ask("verify", tmp_path / "none.zip")[0] == 4
    (tmp_path / "text.zip").write_text("hello")
    code, said = ask("verify", tmp_path / "text.zip")
    assert code == 4
    assert said.startswith("mlops: ")
    assert "is no evidence pack" in said


def test_a_key_that_is_none_is_a_wrong_use(pack: Path, tmp_path: Path, key: SigningKey) -> None:
    code, said = ask("verify", pack, "--key", tmp_path / "none.pem")
    assert code == 2
    assert "cannot be read" in said
    code, said = ask("verify", pack, "--key", key.path)
    assert code == 2
    assert "holds no public key" in said
    assert "PRIVATE" not in said


def test_a_newer_format_cannot_be_told(tmp_path: Path, key: SigningKey) -> None:
    files = sample_pack(key)
    files["pack.json"] = files["pack.json"].replace(b'"1.0"', b'"2.0"')
    code, said = ask("verify", write_pack(tmp_path / "new.zip", files))
    assert code == 3
    assert "has format 2.0" in said


def test_verifying_needs_no_airflow_and_nothing_heavy(pack: Path, key: SigningKey) -> None:
    script = (
        "import sys; from mlops_airflow.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'airflow', 'mlflow', 'pandas', 'sklearn', 'deltalake', 'duckdb', 'jinja2',"
        " 'cyclonedx', 'sqlalchemy', 'pyarrow'} & set(sys.modules)\n"
        "print(code, sorted(heavy))"
    )
    words = ["pack", "verify", str(pack), "--key", key.public.fingerprint]
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "0 []"


# --- show


def test_a_pack_is_shown_with_what_it_does_not_cover(pack: Path) -> None:
    code, said = ask("show", pack)
    assert code == 0
    assert "late_orders version 3" in said
    assert "not stated Users, Not made for, Why this metric, Retention" in said
    assert "A copy of the EU declaration" in said
    assert said.count("not covered") >= 6
    assert "Unverified: mlops pack verify" in said
    code, said = ask("show", pack, "--json")
    assert json.loads(said)["model"] == "late_orders"


def test_what_cannot_be_shown_says_why(tmp_path: Path, key: SigningKey) -> None:
    files: dict[str, Any] = sample_pack(key)
    files["model_card.json"] = b"[]"
    code, said = ask("show", write_pack(tmp_path / "odd.zip", files))
    assert code == 4
    assert "model_card.json is missing or damaged" in said
    assert ask("show", tmp_path / "none.zip")[0] == 4


# --- make


@pytest.fixture
def installation(own_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Connections to the world, a project of its model, and where the key will be."""
    database = own_world.tracking.uri.removeprefix("sqlite:///")
    connections: dict[str, Any] = {
        "lake_default": {"conn_type": "file", "extra": {"path": str(own_world.lake.root)}},
        "ledger_default": {"conn_type": "sqlite", "host": f"{tmp_path}/ledger.db"},
        "mlflow_default": {"conn_type": "sqlite", "host": database},
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    project = tmp_path / "dags" / "packed_orders"
    (project / "files").mkdir(parents=True)
    (project / "spec.py").write_text(SPEC)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    monkeypatch.syspath_prepend(str(tmp_path / "dags"))
    key = tmp_path / "keys" / "evidence_key.pem"
    monkeypatch.setenv("AIRFLOW__MLOPS__EVIDENCE_KEY", str(key))
    return key


def test_a_pack_is_made_anew_of_the_champion_or_a_version(
    installation: Path, own_world: World
) -> None:
    code, said = ask("make", "late_orders")
    assert code == 0, said
    assert "Evidence of late_orders version 1" in said
    assert "Not covered: AI Act, Annex IV 4" in said
    path = said.split(" Evidence")[0].replace(" ", "")
    code, said = ask("verify", path, "--key", public_file(installation))
    assert code == 0, said
    (entry,) = own_world.ledger.entries(kind="pack")
    assert entry.dag_run == "mlops pack make"
    code, said = ask("make", "late_orders@1", "--json")
    assert code == 0
    assert json.loads(said)["file"] != path, "the ledger knows more by now"


@pytest.mark.usefixtures("installation")
def test_what_cannot_be_made_says_why() -> None:
    code, said = ask("make", "late_orders@7")
    assert code == 1
    assert "version 7 of 'late_orders' is not in the ledger" in said
    code, said = ask("make", "nobodys")
    assert code == 1
    assert "model 'nobodys' has no champion" in said
