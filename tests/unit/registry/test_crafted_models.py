"""Files made to harm whoever loads them: each ends as `UnsafeModelError`, within limits."""

from __future__ import annotations

import io
import json
import os
import re
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from mlops_tasks.exceptions import UnavailableError, UnsafeModelError
from mlops_tasks.registry.modelfiles import examination, examine_model, files_digest, load_model
from mlops_tasks.registry.modelfiles.examiner import main
from mlops_tasks.registry.modelfiles.inspection import inspect_model

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.random.default_rng(1).normal(size=(200, 2))
Y = (X[:, 0] > 0).astype(int)
DESCRIPTION = {
    "flavors": {
        "python_function": {"loader_module": "mlflow.sklearn"},
        "sklearn": {"serialization_format": "skops", "pickled_model": "model.skops"},
    },
    "signature": {
        "inputs": json.dumps([{"name": "a", "type": "double"}, {"name": "b", "type": "x"}])
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An honest model of two features."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "MLmodel").write_text(yaml.safe_dump(DESCRIPTION))
    save(path, LogisticRegression().fit(X, Y))
    return path


def save(folder: Path, model: Any) -> None:
    skops.io.dump(model, folder / "model.skops")


def members(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "model.skops") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(folder: Path, contents: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(folder / "model.skops", "w", how) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def change_schema(folder: Path, change: Callable[[Any], Any]) -> None:
    contents = members(folder)
    schema = json.loads(contents["schema.json"])
    contents["schema.json"] = json.dumps(change(schema) or schema).encode()
    pack(folder, contents)


def change_arrays(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change each structured array: the nodes of trees."""
    contents = members(folder)
    for name, content in contents.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content))
            if array.dtype.names:
                change(array)
                file = io.BytesIO()
                np.save(file, array)
                contents[name] = file.getvalue()
    pack(folder, contents)


def refused(folder: Path, match: str = "") -> None:
    """Refused in this process: nothing of it is dangerous before it is noticed."""
    with pytest.raises(UnsafeModelError, match=match):
        inspect_model(folder)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        DecisionTreeClassifier(),
        RandomForestClassifier(3),
        HistGradientBoostingClassifier(max_iter=3),
        KNeighborsClassifier(algorithm="kd_tree"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_honest_models_pass(folder: Path, model: Any) -> None:
    rows = np.column_stack([X[:, 0], np.abs(X[:, 1] * 3).astype(int)])
    save(folder, model.fit(rows, Y))
    inspect_model(folder)


# --- what lies in the folder


@pytest.mark.parametrize("name", ["model.skops", "MLmodel", "more"])
def test_links_are_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").write_bytes(b"secret")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    refused(folder, f"'{name}', which is no plain file")
    with pytest.raises(UnsafeModelError, match="no plain file"):
        files_digest(folder)


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnsafeModelError, match="'pipe', which is no plain file"):
        files_digest(folder)


def test_a_folder_that_leads_back_is_not_walked(folder: Path) -> None:
    (folder / "again").symlink_to(folder)
    with pytest.raises(UnsafeModelError, match="'again', which is no plain file"):
        files_digest(folder)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", os.fsdecode(b"\xff")])
def test_names_are_plain_text(folder: Path, name: str) -> None:
    (folder / name).write_text("")
    with pytest.raises(UnsafeModelError, match="no plain file with a name"):
        files_digest(folder)


def test_a_model_has_neither_thousands_of_files_nor_terabytes(folder: Path) -> None:
    with (folder / "hole").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(UnsafeModelError, match="more than 1000 files or 4 GiB"):
        files_digest(folder)
    (folder / "hole").unlink()
    for number in range(1001):
        (folder / f"f{number}").touch()
    refused(folder, "more than 1000 files")


# --- the description


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join([*lines, "flavors: *a11"])


@pytest.mark.parametrize(
    "content",
    [
        bomb().encode(),
        b"flavors: " + b"[" * 20_000,
        b"flavors: " + b"{a: " * 5_000,
        b"\xff\xfe\x00",
        b"flavors: !!python/object/apply:os.system ['true']",
        b"a" * (5 * 2**20),
        b"flavors: {sklearn: 7, python_function: [1]}",
        b"flavors: {}\nsignature: {inputs: '[[[['}",
        b"",
        b"\x00",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_descriptions(folder: Path, content: bytes) -> None:
    (folder / "MLmodel").write_bytes(content)
    started = time.monotonic()
    refused(folder, "MLmodel")
    assert time.monotonic() - started < 20


# --- the archive


@pytest.mark.parametrize(
    "name",
    ["/etc/x.npy", "../x.npy", "..\\x.npy", "a/b.npy", "x.pkl", "C:x.npy", "x.npy\n", ".npy"],
)
def test_names_in_the_archive(folder: Path, name: str) -> None:
    pack(folder, members(folder) | {name: b"x"})
    refused(folder, "has a name that skops never gives")


def test_a_member_that_is_there_twice(folder: Path) -> None:
    contents = members(folder)
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(folder / "model.skops", "a") as archive,
    ):
        archive.writestr("schema.json", contents["schema.json"])
    refused(folder, "two members of the same name")


def test_a_bomb(folder: Path) -> None:
    pack(folder, members(folder) | {"zeros.npy": bytes(2**28)}, zipfile.ZIP_DEFLATED)
    refused(folder, r"\d+ bytes would become 268\d+")


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings(folder: Path, how: int) -> None:
    pack(folder, members(folder), how)
    refused(folder, "packed in a way that skops never uses")


def test_members_that_share_their_bytes(folder: Path) -> None:
    """One large member, named a thousand times."""
    pack(folder, members(folder) | {f"x{n:03}.npy": bytes(4000 * (n == 0)) for n in range(100)})
    whole = bytearray((folder / "model.skops").read_bytes())
    with zipfile.ZipFile(folder / "model.skops") as archive:
        first = archive.getinfo("x000.npy")
    at = 0
    while (at := whole.find(b"PK\x01\x02", at + 1)) > 0:
        if whole[at + 46 :].startswith(b"x"):
            for offset in (16, 20, 24):  # checksum and sizes
                field = {16: first.CRC, 20: first.file_size, 24: first.file_size}[offset]
                whole[at + offset : at + offset + 4] = field.to_bytes(4, "little")
            whole[at + 42 : at + 46] = first.header_offset.to_bytes(4, "little")
    (folder / "model.skops").write_bytes(whole)
    refused(folder, "members overlap")


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"PK\x03\x04", bytes(100)])
def test_no_archive(folder: Path, content: bytes) -> None:
    (folder / "model.skops").write_bytes(content)
    refused(folder, r"model\.skops is no")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_cut_short(folder: Path, part: float) -> None:
    whole = (folder / "model.skops").read_bytes()
    (folder / "model.skops").write_bytes(whole[: int(len(whole) * part)])
    refused(folder, r"model\.skops is no")


# --- the schema


@pytest.mark.parametrize(
    "schema",
    [
        None,
        7,
        [],
        {},
        "x",
        {"__loader__": "ListNode"},
        {"__loader__": "NoSuchNode", "__class__": "list", "__module__": "builtins"},
        {"__loader__": "ListNode", "__class__": "list", "__module__": "builtins", "content": 7},
        {"__loader__": "ListNode", "__class__": "list", "__module__": "builtins", "content": [{}]},
        {
            "__loader__": "NdArrayNode",
            "__class__": "ndarray",
            "__module__": "numpy",
            "file": "gone.npy",
            "type": "numpy",
        },
        {"__loader__": 5, "__class__": {}, "__module__": []},
    ],
)
def test_schemas_that_are_none(folder: Path, schema: Any) -> None:
    contents = members(folder)
    base = json.loads(contents["schema.json"])
    if isinstance(schema, dict) and schema:
        schema = {**{key: base[key] for key in ("protocol", "_skops_version")}, **schema}
    pack(folder, contents | {"schema.json": json.dumps(schema).encode()})
    refused(folder, r"model\.skops")


def test_other_objects_than_models(folder: Path) -> None:
    for thing in ({"a": 1}, [1, 2], "text", np.zeros(3), LogisticRegression, np.sqrt):
        save(folder, thing)
        refused(folder, r"model\.skops holds|outside the allow-list")


@pytest.mark.parametrize("depth", [500, 100_000])
def test_schemas_nested_deep(folder: Path, depth: int) -> None:
    head = b'{"__loader__":"ListNode","__class__":"list","__module__":"builtins","content":['
    contents = members(folder)
    pack(folder, contents | {"schema.json": head * depth + b"]}" * depth})
    refused(folder, r"model\.skops|nested")


def test_changed_schemas_of_an_honest_model_never_raise_anything_else(folder: Path) -> None:
    """Each value of the schema replaced in turn by something that it never is."""
    save(folder, DecisionTreeClassifier(max_depth=2).fit(X, Y))
    contents = members(folder)
    whole = contents["schema.json"].decode()
    spots = [match.span(1) for match in re.finditer(r': ("[^"]*"|\d+|null|true|false)', whole)]
    outcomes = set()
    for start, end in spots[:: max(1, len(spots) // 60)]:
        for wrong in ("null", "[]", '"x"', "-1", "1e400"):
            text = whole[:start] + wrong + whole[end:]
            pack(folder, contents | {"schema.json": text.encode()})
            try:
                inspect_model(folder)
                outcomes.add("harmless")
            except UnsafeModelError:
                outcomes.add("refused")
    assert "refused" in outcomes


# --- arrays and compiled parts


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (118 - len(text) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header("(10000000000000,)"),
        header("(-1,)"),
        header("(2, 2)") + bytes(8),
        header("(1,)", "'|O'") + b"cos\nsystem\n(V true\ntR.",
        header("(1,)", "'<V9'"),
        header("__import__('os')"),
        b"\x93NUMPY\x09\x00",
        b"cos\nsystem\n(Vtrue\ntR.",
        b"",
    ],
    ids=range(9),
)
def test_arrays(folder: Path, content: bytes) -> None:
    contents = members(folder)
    name = next(name for name in contents if name.endswith(".npy"))
    pack(folder, contents | {name: content})
    refused(folder, r"model\.skops")


def set_nodes(field: str, value: int) -> Callable[[Any], None]:
    def change(nodes: Any) -> None:
        if field in nodes.dtype.names:
            nodes[field][0] = value

    return change


@pytest.mark.parametrize("value", [10**6, -5, 0], ids=["outside", "before", "circle"])
@pytest.mark.parametrize("field", ["left_child", "right_child"])
def test_trees_that_point_elsewhere(folder: Path, field: str, value: int) -> None:
    save(folder, RandomForestClassifier(2, random_state=0).fit(X, Y))
    change_arrays(folder, set_nodes(field, value))
    refused(folder, "points outside of itself|no skops file")


@pytest.mark.parametrize(
    ("field", "value"),
    [("left", 10**6), ("right", 0), ("feature_idx", 2), ("feature_idx", -1), ("is_leaf", 7)],
)
def test_boosted_trees_that_point_elsewhere(folder: Path, field: str, value: int) -> None:
    save(folder, HistGradientBoostingClassifier(max_iter=2).fit(X, Y))
    change_arrays(folder, set_nodes(field, value))
    if field == "is_leaf":  # a root that is a leaf points nowhere
        inspect_model(folder)
    else:
        refused(folder, "TreePredictor of the model points outside")


def test_a_feature_that_the_rows_do_not_have(folder: Path) -> None:
    save(folder, DecisionTreeClassifier().fit(X, Y))
    change_arrays(folder, set_nodes("feature", 4000))
    refused(folder, "Tree of the model points outside of itself")


def test_neighbours_that_point_elsewhere(folder: Path) -> None:
    model = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
    save(folder, model)
    contents = members(folder)
    index = model._tree.get_arrays()[1]
    for name, content in contents.items():
        array = np.load(io.BytesIO(content)) if name.endswith(".npy") else None
        if array is not None and np.array_equal(array, index):
            file = io.BytesIO()
            np.save(file, array + 10**9)
            contents[name] = file.getvalue()
    pack(folder, contents)
    refused(folder, "KDTree of the model points outside of itself")


# --- the process that looks


def test_a_crash_is_the_examiners_and_no_raw_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the files do, they do it there; here it is told what happened."""
    examine_model(folder)
    (tmp_path / "path" / "skops").mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    for code, match in (
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"ended the process .*SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", r"ended the process .*SIGBUS"),
        ("raise SystemExit(9)", "could not be examined"),
        ("bytearray(2**40)", "needs more memory"),
        (f"import pathlib; pathlib.Path({str(tmp_path / 'x')!r}).write_text('x')", "too large"),
    ):
        (tmp_path / "path" / "skops" / "__init__.py").write_text(code)
        with pytest.raises(UnsafeModelError, match=match):
            examine_model(folder)


def test_it_ends_when_its_time_is_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "path" / "skops").mkdir(parents=True)
    module = tmp_path / "path" / "skops" / "__init__.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setattr(examination, "_CPU_S", 1)
    module.write_text("while True: pass")
    monkeypatch.setattr(examination, "_WALL_S_PER_CPU_S", 300)
    with pytest.raises(UnsafeModelError, match=r"ended the process .*SIG(KILL|XCPU)"):
        examine_model(folder)
    module.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(examination, "_WALL_S_PER_CPU_S", 3)
    with pytest.raises(UnsafeModelError, match="busy for more than 3 s"):
        examine_model(folder)


def test_it_knows_no_secret_and_no_switch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "path" / "skops").mkdir(parents=True)
    said = "import os; raise ValueError(sorted(os.environ))"
    (tmp_path / "path" / "skops" / "__init__.py").write_text(said)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER_DEFAULT", "secret")
    monkeypatch.setenv("PYTHONSTARTUP", "x")
    with pytest.raises(UnsafeModelError) as error:
        examine_model(folder)
    for name in ("AIRFLOW", "SECRET", "PYTHONSTARTUP", "COVERAGE", "HOME"):
        assert name not in str(error.value).upper().replace("PYTHONPATH", "")


def test_a_machine_that_starts_no_process_is_no_reason_to_refuse(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(UnavailableError, match="no process can be started"):
        examine_model(folder)


def test_its_exit_code_and_its_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, without limits on it."""
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    assert main(str(folder), 1, 1) == 0
    (folder / "model.skops").write_bytes(b"")
    assert main(str(folder), 1, 1) == 3
    assert "model.skops is no skops file" in capsys.readouterr().out
    monkeypatch.setattr("mlops_tasks.registry.modelfiles.examiner.inspect_model", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(str(folder), 1, 1)


def test_files_that_nobody_examined_are_examined_before_they_are_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr("mlops_tasks.registry.modelfiles.loading.examine_model", looked.append)
    digest = files_digest(folder)
    for examined, times in ((True, 0), (False, 1)):
        model = load_model(folder, digest=digest, examined=examined)
        assert model.predict_proba(X).shape == (200, 2)
        assert len(looked) == times
    (folder / "model.skops").write_bytes(b"")
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        load_model(folder, digest=digest)
    assert len(looked) == 1, "another digest is not even looked at"
    with pytest.raises(UnsafeModelError, match="cannot be loaded by the libraries"):
        load_model(folder, digest=files_digest(folder), examined=True)
