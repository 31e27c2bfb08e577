"""Each limit of model files reached and passed by one, each condition broken alone."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import warnings
import zipfile
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
import yaml
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mlops_tasks.exceptions import UnavailableError, UnsafeModelError
from mlops_tasks.registry.modelfiles import (
    ALLOWED_TYPES,
    archive,
    description,
    examination,
    examine_model,
    examiner,
    files,
    files_digest,
    inspection,
    load_model,
    loading,
)
from mlops_tasks.registry.modelfiles.allowed import refuse_types
from mlops_tasks.registry.modelfiles.archive import check_archive
from mlops_tasks.registry.modelfiles.description import check_description
from mlops_tasks.registry.modelfiles.files import model_bytes, plain_files
from mlops_tasks.registry.modelfiles.inspection import inspect_model
from mlops_tasks.registry.modelfiles.structure import check_structure

if TYPE_CHECKING:
    from collections.abc import Callable

LOG_IT = "log the model with mlops_tasks.registry.tracking, which saves plain skops files"
INPUTS = [{"name": "a", "type": "double"}, {"name": "b", "type": "string"}]


def refusal(check: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(UnsafeModelError) as error:
        check(*arguments, **named)
    return str(error.value)


# --- files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    (path / "deep").mkdir(parents=True)
    (path / "b").write_text("12345")
    (path / "deep" / "a").write_text("123456")
    return path


def test_files_are_listed_in_order_and_measured(folder: Path) -> None:
    assert plain_files(folder) == [folder / "b", folder / "deep" / "a"]
    assert model_bytes(folder) == 11


def test_the_digest_is_that_of_the_sorted_lines(folder: Path) -> None:
    (folder / "deep" / "registered_model_meta").write_text("x")
    lines = sorted(
        f"{hashlib.sha256(content).hexdigest()} {name}"
        for content, name in ((b"12345", "b"), (b"123456", "deep/a"))
    )
    assert files_digest(folder) == hashlib.sha256("\n".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(("limit", "value"), [("_MOST_FILES", 2), ("_MOST_BYTES", 11)])
def test_so_many_files_and_bytes_and_not_one_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(files, limit, value)
    assert len(plain_files(folder)) == 2
    monkeypatch.setattr(files, limit, value - 1)
    many = 1 if limit == "_MOST_FILES" else 1000
    size = 4 if limit == "_MOST_FILES" else 0
    assert refusal(plain_files, folder) == (
        f"the model has more than {many} files or {size} GiB: models of that size are not loaded"
    )


@pytest.mark.parametrize("name", ["a\nb", "link", "folder"])
def test_what_is_no_plain_file_is_named(folder: Path, name: str) -> None:
    if name == "a\nb":
        (folder / name).write_text("")
    else:
        (folder / name).symlink_to(folder / {"link": "b", "folder": "deep"}[name])
    told = f"the model holds {name!r}, which is no plain file with a name"
    assert refusal(plain_files, folder) == told


# --- the digest that is meant


def test_both_digests_are_named(folder: Path) -> None:
    found = files_digest(folder)[:12]
    for said, shown in (("", "none"), ("0123456789abcdef", "0123456789ab")):
        assert refusal(load_model, folder, digest=said, examined=True) == (
            f"model files have digest {found}, registered was {shown}: they were changed after "
            "registration. Do not use this version; roll back or train again"
        )


# --- types


@pytest.mark.parametrize(("n_extra", "more"), [(1, ""), (10, ""), (11, " and more")])
def test_types_outside_of_the_list_are_named(n_extra: int, more: str) -> None:
    refuse_types(ALLOWED_TYPES, "it")
    extra = [f"evil.T{number:02}" for number in range(n_extra)]
    assert refusal(refuse_types, [*reversed(extra), *ALLOWED_TYPES], "it") == (
        f"it holds types outside the allow-list: {extra[:10]}{more}. Use estimators whose types "
        "are in mlops_tasks.registry.modelfiles.ALLOWED_TYPES"
    )


def test_a_long_list_of_types_is_cut() -> None:
    told = refusal(refuse_types, ["x" * 2000], "it")
    assert "['" + "x" * 998 + ". Use" in told


# --- the archive


def pack(path: Path, contents: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return pack(tmp_path / "w.skops", {"schema.json": b"{}", "a.npy": bytes(98)})


def test_an_archive_within_its_limits_and_past_each(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = weights.stat().st_size
    for limit, value, smaller, told in (
        ("_MOST_MEMBERS", 2, 1, "it has 2 members"),
        ("_MOST_UNPACKED", 100, 99, f"its {size} bytes would become 100"),
        ("_MOST_RATIO", Fraction(100, size), Fraction(99, size), f"its {size} bytes would"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(archive, limit, value)
            check_archive(weights)
            patch.setattr(archive, limit, smaller)
            assert refusal(check_archive, weights).startswith(
                f"w.skops is no plain skops file: {told}"
            )


def test_a_packing_that_skops_may_use(tmp_path: Path) -> None:
    check_archive(pack(tmp_path / "x", {"schema.json": b"{}" * 20}, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    ("names", "more", "told"),
    [
        (["schema.json", "a.npy"], 0, ""),
        (["schema.json", "a.npy"], 1, "its members overlap"),
        (["schema.json", "schema.json"], 0, "it has two members of the same name"),
    ],
)
def test_members_that_are_written_twice(
    weights: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], more: int, told: str
) -> None:
    members = [zipfile.ZipInfo(name) for name in names]
    members[0].compress_size = weights.stat().st_size - 1 + more
    members[1].compress_size = 1
    listed = SimpleNamespace(infolist=lambda: members)
    monkeypatch.setattr(archive, "ZipFile", lambda _: nullcontext(listed))
    if told:
        assert refusal(check_archive, weights) == f"w.skops is no plain skops file: {told}"
    else:
        check_archive(weights)


def test_an_archive_without_a_schema(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.skops", {"a.npy": b"x"})
    assert refusal(check_archive, path) == "x.skops is no plain skops file: it has no schema.json"


def test_a_member_that_is_encrypted_and_one_of_a_strange_name(weights: Path) -> None:
    whole = bytearray(weights.read_bytes())
    whole[whole.rfind(b"PK\x01\x02") + 8] |= 1
    weights.write_bytes(whole)
    assert refusal(check_archive, weights) == (
        "w.skops is no plain skops file: member 'a.npy' is packed in a way that skops never uses"
    )
    pack(weights, {"schema.json": b"{}", "x" * 400: b""})
    cut = f"member '{'x' * 400}' has a name"[:300]
    assert refusal(check_archive, weights) == f"w.skops is no plain skops file: {cut}"


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "x.skops").write_bytes(b"x")
    assert refusal(check_archive, tmp_path / "x.skops") == (
        f"x.skops is no skops file: BadZipFile('File is not a zip file'); {LOG_IT}"
    )


# --- the description


def described(path: Path, signature: Any = None, **flavors: Any) -> Path:
    """Write the description of an honest model, with changes to its flavors."""
    honest: dict[str, Any] = {
        "python_function": {"loader_module": "mlflow.sklearn"},
        "sklearn": {"serialization_format": "skops", "pickled_model": "model.skops"},
    }
    for name, changes in flavors.items():
        honest[name] = honest.get(name, {}) | changes
    path.mkdir(exist_ok=True)
    content = {"flavors": honest, "signature": signature}
    (path / "MLmodel").write_text(yaml.safe_dump(content))
    return path / "MLmodel"


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        (None, []),
        ({}, []),
        ({"inputs": None}, []),
        ({"inputs": json.dumps(INPUTS)}, INPUTS),
        ({"inputs": json.dumps([*INPUTS, 7, "x"])}, INPUTS),
        ({"inputs": '{"name": "a"}'}, []),
        ({"inputs": "7"}, []),
        ({"outputs": json.dumps(INPUTS)}, []),
    ],
)
def test_the_columns_that_a_signature_names(tmp_path: Path, signature: Any, inputs: Any) -> None:
    assert check_description(described(tmp_path, signature)) == inputs


@pytest.mark.parametrize(
    ("flavors", "wrong"),
    [
        ({"onnx": {}}, "flavors"),
        ({"python_function": {"loader_module": "evil"}}, "loader_module"),
        ({"sklearn": {"loader_module": "mlflow.sklearn"}}, ""),
        ({"python_function": {"code": "x"}}, "code"),
        ({"sklearn": {"code": "x"}}, "code"),
        ({"sklearn": {"code": None}}, ""),
        ({"sklearn": {"serialization_format": "pickle"}}, "serialization_format"),
        ({"sklearn": {"pickled_model": "x"}}, "pickled_model"),
        ({"sklearn": {"pickled_model": "x"}, "x": {}}, "flavors, pickled_model"),
    ],
)
def test_each_thing_that_is_never_loaded(
    tmp_path: Path, flavors: dict[str, Any], wrong: str
) -> None:
    path = described(tmp_path, **flavors)
    if not wrong:
        assert check_description(path) == []
        return
    assert refusal(check_description, path) == (
        f"MLmodel asks for something that is never loaded: {wrong}; {LOG_IT}"
    )


@pytest.mark.parametrize("name", ["sklearn", "python_function"])
def test_a_flavor_that_is_not_there(tmp_path: Path, name: str) -> None:
    path = described(tmp_path)
    content = yaml.safe_load(path.read_text())
    del content["flavors"][name]
    path.write_text(yaml.safe_dump(content))
    wrong = {
        "sklearn": "serialization_format, pickled_model",
        "python_function": "loader_module",
    }
    assert refusal(check_description, path) == (
        f"MLmodel asks for something that is never loaded: {wrong[name]}; {LOG_IT}"
    )


def test_a_description_of_a_length_and_one_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = described(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(description, "_MOST_BYTES", path.stat().st_size)
        assert check_description(path) == []
    path.write_text(" " * (4 * 2**20 + 1))
    assert refusal(check_description, path) == (
        f"MLmodel describes no model: ValueError('larger than 4 MiB'); {LOG_IT}"
    )


def test_a_description_with_an_alias(tmp_path: Path) -> None:
    path = described(tmp_path)
    path.write_text(path.read_text() + "x: &x [1]\n")
    assert check_description(path) == [], "an anchor alone stands for nothing more"
    path.write_text(path.read_text() + "y: *x\n")
    assert refusal(check_description, path) == (
        f"MLmodel describes no model: ValueError('it has an alias'); {LOG_IT}"
    )


# --- the inspection


class Asked:
    """A model that keeps the rows it is asked for, and then fails or not."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.fails = fails
        self.rows: list[Any] = []

    def predict(self, rows: Any) -> None:
        warnings.warn("odd values", stacklevel=1)
        self.rows.append(rows)
        if self.fails:
            raise self.fails


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    kinds = [*INPUTS, {"name": "c", "type": "boolean"}]
    described(tmp_path / "m", {"inputs": json.dumps(kinds)})
    pack(tmp_path / "m" / "model.skops", {"schema.json": b"{}"})
    return tmp_path / "m"


@pytest.mark.parametrize("fails", [None, ValueError("x")])
def test_a_model_is_asked_for_rows_of_each_type(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, fails: Exception | None
) -> None:
    model = Asked(fails)
    monkeypatch.setattr(inspection, "_load", lambda path, _: {"model.skops": model}[path.name])
    inspect_model(model_folder)
    (rows,) = model.rows
    assert list(rows) == ["a", "b", "c"]
    assert rows["a"].tolist() == [0.0, -1e300, 1e300]
    assert [*rows["b"][:2], *rows["c"][:2]] == ["", "x", True, False]
    assert rows["b"].isna().sum() == rows["c"].isna().sum() == 1


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (MemoryError(), "model.skops needs more memory than a model of its size"),
        (KeyError("x" * 400), f"model.skops is no skops file: KeyError('{'x' * 290}"),
        (UnsafeModelError("as it was said"), "as it was said"),
    ],
)
def test_weights_that_cannot_be_loaded(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, told: str
) -> None:
    def fail(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(inspection, "_load", fail)
    assert refusal(inspect_model, model_folder) == told


def test_a_prediction_that_needs_too_much(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_load", lambda *_: Asked(MemoryError()))
    told = refusal(inspect_model, model_folder)
    assert told == "model.skops needs more memory than a model may"


def test_only_estimators_that_predict_are_models(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skops.io.dump(StandardScaler(), model_folder / "model.skops")
    told = "model.skops holds a {}, which is no model"
    assert refusal(inspect_model, model_folder) == told.format("StandardScaler")
    monkeypatch.setattr("skops.io.load", lambda *_, **__: Asked())
    assert refusal(inspect_model, model_folder) == told.format("Asked")


def test_an_honest_model_is_loaded_with_the_allowed_types_and_looked_through(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = LogisticRegression(), list[Any]()

    def load(path: Path, **how: Any) -> LogisticRegression:
        asked.append((path.name, how))
        return model

    skops.io.dump(model, model_folder / "model.skops")
    monkeypatch.setattr("skops.io.load", load)
    monkeypatch.setattr(inspection, "check_structure", asked.append)
    inspect_model(model_folder)
    assert asked == [("model.skops", {"trusted": sorted(ALLOWED_TYPES)}), model]


def test_types_that_are_not_allowed_are_never_loaded(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skops.io.load", lambda *_, **__: pytest.fail("loaded"))
    monkeypatch.setattr("skops.io.get_untrusted_types", lambda *, file: [f"x.{file.name}"])
    told = "model.skops holds types outside the allow-list: ['x.model.skops']. Use"
    assert refusal(inspect_model, model_folder).startswith(told)


@pytest.mark.parametrize("place", ["plain_files", "check_description", "check_archive"])
def test_nothing_is_loaded_before_all_is_looked_at(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def refuse(path: Path) -> None:
        names = {"plain_files": "m", "check_description": "MLmodel", "check_archive": "model.skops"}
        assert path.name == names[place]
        raise UnsafeModelError("by " + place)

    monkeypatch.setattr(inspection, "_load", lambda *_: pytest.fail("loaded"))
    monkeypatch.setattr(inspection, place, refuse)
    assert refusal(inspect_model, model_folder) == f"by {place}"


# --- compiled parts


class Thing:
    """Anything with attributes."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Tree(Thing):
    """As scikit-learn's."""


class TreePredictor(Thing):
    """As scikit-learn's."""


class KDTree(Thing):
    """As scikit-learn's."""

    def get_arrays(self) -> Any:
        return self.data, self.index, self.nodes, self.bounds  # type: ignore[attr-defined]

    def __getstate__(self) -> Any:
        n_nodes = self.n_nodes  # type: ignore[attr-defined]
        return *self.get_arrays(), 40, 2, n_nodes, 0, 0, 0, 0, self.metric, None  # type: ignore[attr-defined]


class BallTree(KDTree):
    """As scikit-learn's."""


class EuclideanDistance64(Thing):
    """As scikit-learn's: power, weights, matrix."""

    def __getstate__(self) -> Any:
        return 2.0, np.zeros(getattr(self, "n_weights", 1)), np.zeros((1, 1))


class SEuclideanDistance64(EuclideanDistance64):
    """As scikit-learn's."""


class MinkowskiDistance64(EuclideanDistance64):
    """As scikit-learn's."""


class HaversineDistance64(EuclideanDistance64):
    """As scikit-learn's."""


def tree(**changes: Any) -> Tree:
    """Return a root with two leaves."""
    parts = {"children_left": [1, -1, -1], "children_right": [2, -1, -1], "feature": [1, -2, -2]}
    made = {name: np.array(changes.get(name, part)) for name, part in parts.items()}
    return Tree(**made, value=np.zeros((changes.get("n_values", 3), 1, 1)))


NODE = [(name, "int64") for name in ("left", "right", "feature_idx", "is_leaf")]
NODE += [("is_categorical", "uint8"), ("bitset_idx", "uint32")]


def predictor(*nodes: tuple[int, ...], raw: int = 2, binned: int = 2) -> TreePredictor:
    return TreePredictor(
        nodes=np.array(list(nodes), dtype=NODE),
        raw_left_cat_bitsets=np.zeros((raw, 8)),
        binned_left_cat_bitsets=np.zeros((binned, 8)),
    )


LEAF = (0, 0, 0, 1, 0, 0)


class BSpline(Thing):
    """As SciPy's."""


def spline(**changes: Any) -> BSpline:
    """Return one of degree two with three weights."""
    made = {"_t": [0.0, 0, 0, 1, 1, 1], "_c": np.zeros((3, 2)), "k": 2, "axis": 0} | changes
    return BSpline(**made | {"_t": np.array(made["_t"], dtype=float)})


def outside() -> csr_array:
    """Return a sparse matrix with a column that it does not have."""
    made = csr_array(np.eye(3))
    made.indices[1] = 7
    return made


def neighbours(
    *spans: tuple[int, int],
    index: tuple[int, ...] = (2, 0, 1),
    kind: type[KDTree] = KDTree,
    divided: tuple[int, ...] = (),
    **more: Any,
) -> KDTree:
    fields = [(name, "int64") for name in ("idx_start", "idx_end", "is_leaf")]
    nodes = [(*span, int(at not in divided)) for at, span in enumerate(spans)]
    n_features = more.pop("n_features", 2)
    made = {
        "data": np.zeros((3, n_features)),
        "index": np.array(index),
        "nodes": np.array(nodes, dtype=fields),
        "bounds": np.zeros((1 if kind is BallTree else 2, len(spans), n_features)),
        "n_nodes": len(spans),
        "metric": EuclideanDistance64(),
    }
    return kind(**made | more)


@pytest.mark.parametrize(
    "part",
    [
        tree(),
        tree(feature=[0, 9, 9]),
        tree(children_left=[2, -1, -1], children_right=[1, -1, -1]),
        tree(children_left=[-1], children_right=[-1], feature=[-2], n_values=1),
        predictor((1, 2, 1, 0, 0, 9), LEAF, LEAF),
        predictor((1, 2, 0, 0, 1, 1), LEAF, LEAF),
        predictor((1, 2, 0, 0, 1, 0), (0, 0, 9, 1, 1, 9), LEAF),
        predictor(LEAF, raw=0, binned=0),
        neighbours((0, 3), (1, 2)),
        neighbours((3, 3)),
        neighbours((0, 3), (0, 1), (1, 3), divided=(0,)),
        neighbours((0, 3), kind=BallTree),
        neighbours((0, 3), metric=SEuclideanDistance64(n_weights=2)),
        neighbours((0, 3), metric=MinkowskiDistance64(n_weights=0)),
        neighbours((0, 3), metric=MinkowskiDistance64(n_weights=2)),
        neighbours((0, 3), metric=HaversineDistance64()),
        spline(),
        csr_array(np.eye(3)),
    ],
)
def test_sound_parts(part: Any) -> None:
    check_structure(Thing(n_features_in_=2, part=part))


@pytest.mark.parametrize(
    "part",
    [
        tree(children_left=[0, -1, -1]),
        tree(children_right=[0, -1, -1]),
        tree(children_left=[3, -1, -1]),
        tree(children_right=[3, -1, -1]),
        tree(children_left=[-1, -1, -1]),
        tree(children_right=[-1, -1, -1]),
        tree(children_left=[1, 1, -1], children_right=[2, 2, -1], feature=[0, 0, -2]),
        tree(children_left=[1, 2, -1], children_right=[2, 1, -1], feature=[0, 0, -2]),
        tree(feature=[2, -2, -2]),
        tree(feature=[-1, -2, -2]),
        tree(feature=[1, -2]),
        tree(n_values=2),
        tree(n_values=4),
        tree(children_left=[], children_right=[], feature=[], n_values=0),
        predictor((0, 2, 1, 0, 0, 0), LEAF, LEAF),
        predictor((1, 3, 1, 0, 0, 0), LEAF, LEAF),
        predictor((1, 2, 2, 0, 0, 0), LEAF, LEAF),
        predictor((1, 2, 0, 0, 1, 2), LEAF, LEAF),
        predictor((1, 2, 0, 0, 1, 1), LEAF, LEAF, raw=1),
        predictor((1, 2, 0, 0, 1, 1), LEAF, LEAF, binned=1),
        predictor((1, 2, 0, 0, 1, 0), LEAF, LEAF, raw=0, binned=0),
        predictor(),
        neighbours((0, 4)),
        neighbours((4, 3)),
        neighbours((-1, 3)),
        neighbours((0, -1)),
        neighbours((0, 3), (0, 4)),
        neighbours((0, 3), index=(0, 1)),
        neighbours((0, 3), index=(0, 1, 1)),
        neighbours((0, 3), index=(1, 2, 3)),
        neighbours((0, 3), index=(0, 1, 2, 3)),
        neighbours((0, 3), (0, 1), divided=(0,)),
        neighbours((0, 3), (0, 1), (1, 3), divided=(1,)),
        neighbours((0, 3), n_nodes=3),
        neighbours((0, 3), bounds=np.zeros((2, 1, 1))),
        neighbours((0, 3), bounds=np.zeros((1, 1, 2))),
        neighbours((0, 3), bounds=np.zeros((2, 1, 2)), kind=BallTree),
        neighbours((0, 3), metric=SEuclideanDistance64(n_weights=1)),
        neighbours((0, 3), metric=MinkowskiDistance64(n_weights=1)),
        neighbours((0, 3), metric=HaversineDistance64(), n_features=1),
        spline(_t=[0.0, 0, 2, 1, 3, 3]),
        spline(_t=[0.0, 1.0]),
        spline(_c=np.zeros((2, 2))),
        spline(_c=[1.0, 2.0, 3.0]),
        spline(k=3),
        spline(k=-1),
        spline(k="2"),
        spline(axis=1),
        spline(_t=[0, 0, 0, 1, 1, float("nan")]),
        outside(),
    ],
)
def test_parts_that_point_outside_of_themselves(part: Any) -> None:
    told = refusal(check_structure, Thing(n_features_in_=2, part=part))
    assert told == f"a {type(part).__name__} of the model points outside of itself"


def held(*parts: Any) -> Any:
    array = np.empty((1, len(parts)), dtype=object)
    array[0, :] = parts
    return array


@pytest.mark.parametrize(
    "hold",
    [
        lambda part: part,
        lambda part: [np.zeros(3), part],
        lambda part: (1, part),
        lambda part: {part},
        lambda part: frozenset({part}),
        lambda part: {"a": 1, "b": part},
        lambda part: held(None, part),
        lambda part: Thing(a=Thing(b=[part]), c=int, d=None, e=3),
        lambda part: [Thing(n_features_in_=1), part],
        lambda part: Thing(n_features_in_=2, part=part),
    ],
    ids=range(10),
)
def test_every_part_is_found_with_the_features_of_its_owner(hold: Callable[[Any], Any]) -> None:
    model = Thing(n_features_in_=2, first=tree(), steps=hold(tree()))
    model.again = model  # type: ignore[attr-defined]
    check_structure(model)
    told = "a Tree of the model points outside of itself"
    bad = Thing(n_features_in_=2, steps=hold(tree(feature=[2, -2, -2])), last=tree())
    assert refusal(check_structure, bad) == told


def test_an_inner_owner_has_features_of_its_own() -> None:
    wide = Thing(n_features_in_=3, part=tree(feature=[2, -2, -2]))
    check_structure(Thing(n_features_in_=1, inner=[wide]))
    assert refusal(
        check_structure, Thing(n_features_in_=3, inner=Thing(n_features_in_=1, p=tree()))
    )
    orphan = tree(feature=[0, -2, -2])
    assert refusal(check_structure, orphan), "nobody owns it: it has no feature"


def test_a_part_that_is_there_twice_hides_no_other() -> None:
    shared, bad = Thing(), tree(feature=[2, -2, -2])
    assert refusal(check_structure, Thing(n_features_in_=2, steps=[bad, shared, shared]))


def test_what_a_class_holds_is_no_part_of_a_model() -> None:
    kind = type("Kind", (), {"part": tree(feature=[2, -2, -2])})
    check_structure(Thing(n_features_in_=2, kind=kind))


# --- the process


def answer(
    returncode: int, out: bytes = b"", err: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """What a process answers that has ended."""
    return subprocess.CompletedProcess((), returncode, out, err)


def examined(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    answered: subprocess.CompletedProcess[bytes] | subprocess.TimeoutExpired,
) -> tuple[Any, dict[str, Any]]:
    """Examine a model by a process that answers so; return what was started and how."""
    started: list[Any] = []

    def start(*command: Any, **settings: Any) -> subprocess.CompletedProcess[bytes]:
        started.append((command, settings))
        if isinstance(answered, subprocess.TimeoutExpired):
            raise answered
        return answered

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", start)
        examine_model(folder)
    return started[0]


def test_the_process_is_told_its_limits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 3 * 2**20 + 1
    monkeypatch.setattr(examination, "model_bytes", lambda _: size)
    monkeypatch.setattr("os.environ", {"PATH": "p", "SECRET": "s", "LANG": "C"})
    monkeypatch.setattr("sys.executable", "python")
    command, settings = examined(monkeypatch, folder, answer(0))
    assert command == (("python", "-s", "-P", "-m", "mlops_tasks.registry.modelfiles.examiner"),)
    assert json.loads(settings.pop("input")) == [str(folder), 3 * 2**30 + 8 * size, 66, [], []]
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    assert settings == {
        "env": {"PATH": "p", "LANG": "C"} | dict.fromkeys(threads, "1"),
        "capture_output": True,
        "timeout": 330,
        "check": False,
    }


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (answer(3, b"no \xff" + b"x" * 3000), "no \ufffd" + "x" * 1996),
        (
            answer(-11),
            "the model ended the process that examined it (SIGSEGV); it is not what training saved",
        ),
        (
            answer(-1),
            "the model ended the process that examined it (SIGHUP); it is not what training saved",
        ),
        (
            answer(1, b"", b"first\nmiddle\nlast \xff" + b"x" * 3000 + b"\n\n"),
            "the model could not be examined: last \ufffd" + "x" * 1994,
        ),
        (answer(9), "the model could not be examined: "),
        (
            subprocess.TimeoutExpired("x", 1),
            "the model keeps a process busy for more than 300 s instead of being loaded; it is not "
            "what training saved",
        ),
    ],
)
def test_what_the_process_answers(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    answered: subprocess.CompletedProcess[bytes] | subprocess.TimeoutExpired,
    told: str,
) -> None:
    assert refusal(examined, monkeypatch, folder, answered) == told


def test_a_process_that_cannot_be_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(UnavailableError) as error:
        examine_model(folder)
    monkeypatch.undo()
    assert str(error.value) == ("no process can be started to examine a model: no more processes")


def test_the_process_limits_itself_before_it_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(examiner, "time", SimpleNamespace(process_time=lambda: 1.2))
    monkeypatch.setattr("resource.setrlimit", lambda *limit: done.append(limit))
    monkeypatch.setattr(examiner, "inspect_model", lambda *asked: done.extend(asked))
    assert examiner.main("folder", 1000, 60) == 0
    assert done == [
        (resource.RLIMIT_AS, (1000, 1000)),
        (resource.RLIMIT_CPU, (62, 62)),
        (resource.RLIMIT_FSIZE, (0, 0)),
        Path("folder"),
        frozenset(),
    ]
    assert capsys.readouterr().out == ""
    for error, told in (
        (UnsafeModelError("as it was said"), "as it was said"),
        (MemoryError(), "the model is nested too deep or needs too much memory: MemoryError()"),
        (RecursionError(), "the model is nested too deep or needs too much memory: RecursionEr"),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(examiner, "inspect_model", fail)
        assert examiner.main("folder", 1000, 60) == 3
        assert capsys.readouterr().out.startswith(told)


def test_a_model_is_examined_unless_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(loading, "examine_model", looked.append)
    monkeypatch.setattr("skops.io.load", lambda *_, **__: "model")
    digest = files_digest(folder)
    assert load_model(folder, digest=digest, examined=True) == "model"
    assert looked == []
    assert load_model(folder, digest=digest) == "model"
    assert looked == [folder]


def test_only_allowed_types_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the process has looked: the loading in this one trusts no more."""
    asked: list[Any] = []
    monkeypatch.setattr("skops.io.load", lambda *path, **how: asked.append((path, how)))
    skops.io.dump(LogisticRegression(), tmp_path / "model.skops")
    assert load_model(tmp_path, digest=files_digest(tmp_path), examined=True) is None
    assert asked == [((tmp_path / "model.skops",), {"trusted": sorted(ALLOWED_TYPES)})]
    assert description.WEIGHTS == "model.skops"
