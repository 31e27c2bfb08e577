from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import ALLOWED_TYPES, check_types, files_digest, load_model
from tests.unit import orders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World

X = np.random.default_rng(1).normal(size=(200, 2))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    """A copy of the files of a model as MLflow stores it."""
    import mlflow

    _ = world.tracking.client  # selects its server: a model's URI names none
    found = mlflow.artifacts.download_artifacts(world.champion.model_uri, dst_path=str(tmp_path))
    copy = tmp_path / "model"
    if str(copy) != found.rstrip("/"):
        shutil.copytree(found, copy)
    return copy


@pytest.fixture
def fired(tmp_path: Path) -> Path:
    """A file that appears when code out of a model file has run."""
    return tmp_path / "code-has-run"


def describe(folder: Path, **flavors: Any) -> str:
    """Change the model's own description and return the digest of the crafted whole."""
    path = folder / "MLmodel"
    description = yaml.safe_load(path.read_text())
    for flavor, changes in flavors.items():
        if changes is None:
            del description["flavors"][flavor]
        else:
            description["flavors"].setdefault(flavor, {}).update(changes)
    path.write_text(yaml.safe_dump(description))
    return files_digest(folder)


def refused(folder: Path, digest: str, match: str, fired: Path) -> None:
    """Refused by name, and nothing of the model has run."""
    with pytest.raises(UnsafeModelError, match=match):
        load_model(folder, digest=digest)
    assert not fired.exists()


def test_an_honest_model_is_loaded_and_predicts_the_same(world: World, folder: Path) -> None:
    from mlops_tasks.features import feature_frame, labelled_rows

    model = load_model(folder, digest=world.champion.digest)
    rows = labelled_rows(world.spec, world.pin, world.pin.train, lake=world.lake)
    frame = feature_frame(world.spec, rows)
    fresh = orders.build(
        categorical=world.spec.categorical,
        numeric=world.spec.numeric,
        random_state=world.spec.random_state,
    ).fit(frame, rows.column("y").to_numpy())
    assert np.array_equal(model.predict_proba(frame), fresh.predict_proba(frame))


# --- the digest


def test_every_file_and_name_counts(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "a" / "deep" / "y").write_text("2")
    before = files_digest(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert files_digest(tmp_path / "b") == before
    changes = {
        "changed": lambda root: (root / "x").write_text("1 "),
        "added": lambda root: (root / "z").write_text(""),
        "renamed": lambda root: (root / "x").rename(root / "X"),
        "moved": lambda root: (root / "x").rename(root / "deep" / "x"),
        "removed": lambda root: (root / "deep" / "y").unlink(),
        "swapped": lambda root: ((root / "x").write_text("2"), (root / "deep/y").write_text("1")),
    }
    digests = {before}
    for name, change in changes.items():
        shutil.copytree(tmp_path / "a", tmp_path / name)
        change(tmp_path / name)
        digests.add(files_digest(tmp_path / name))
    assert len(digests) == len(changes) + 1


def test_what_the_download_adds_does_not_count(folder: Path, world: World) -> None:
    (folder / "registered_model_meta").write_text("model_name: x\n")
    assert files_digest(folder) == world.champion.digest


@pytest.mark.parametrize("name", ["MLmodel", "model.skops", "requirements.txt"])
def test_a_tampered_file_is_refused(world: World, folder: Path, fired: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    refused(folder, world.champion.digest, "changed after registration. Do not use", fired)


def test_a_file_that_was_added_is_refused(world: World, folder: Path, fired: Path) -> None:
    (folder / "sitecustomize.py").write_text(f"open({str(fired)!r}, 'w')")
    refused(folder, world.champion.digest, "changed after registration", fired)


def test_another_valid_model_in_its_place_is_refused(
    world: World, folder: Path, fired: Path
) -> None:
    skops.io.dump(LogisticRegression().fit(X, Y), folder / "model.skops")
    refused(folder, world.champion.digest, "changed after registration", fired)


def test_a_model_without_a_registered_digest_is_refused(folder: Path, fired: Path) -> None:
    refused(folder, "", "digest", fired)


# --- crafted models: whoever made them also made the digest


def test_a_pickled_model_is_refused(folder: Path, fired: Path) -> None:
    (folder / "model.pkl").write_bytes(_pickle_that_runs(fired))
    digest = describe(
        folder, sklearn={"serialization_format": "cloudpickle", "pickled_model": "model.pkl"}
    )
    refused(folder, digest, "serialization_format, pickled_model", fired)


def test_a_pickle_under_the_name_of_weights_is_refused(folder: Path, fired: Path) -> None:
    (folder / "model.skops").write_bytes(_pickle_that_runs(fired))
    refused(folder, files_digest(folder), "model.skops", fired)


@pytest.mark.parametrize(
    ("flavors", "match"),
    [
        ({"sklearn": {"code": "code"}}, "code"),
        ({"python_function": {"code": "code"}}, "code"),
        ({"python_function": {"loader_module": "evil"}}, "loader_module"),
        ({"python_function": {"loader_module": "mlflow.pyfunc.model"}}, "loader_module"),
        ({"python_function": None}, "loader_module"),
        ({"sklearn": None}, "serialization_format"),
        ({"onnx": {"data": "model.onnx"}}, "flavors"),
        ({"sklearn": {"pickled_model": "../../elsewhere.skops"}}, "pickled_model"),
        ({"sklearn": {"serialization_format": "pickle"}}, "serialization_format"),
    ],
)
def test_a_description_that_asks_for_more_is_refused(
    folder: Path, fired: Path, flavors: dict[str, Any], match: str
) -> None:
    (folder / "code").mkdir()
    for module in ("evil", "sklearn", "skops"):
        (folder / "code" / f"{module}.py").write_text(f"open({str(fired)!r}, 'w')")
    refused(folder, describe(folder, **flavors), f"MLmodel asks for .*{match}", fired)


def test_a_list_of_trusted_types_of_its_own_is_not_believed(folder: Path, fired: Path) -> None:
    (folder / "model.skops").write_bytes(_weights_that_run())
    types = skops.io.get_untrusted_types(file=folder / "model.skops")
    assert types, "the attack is a real one"
    digest = describe(folder, sklearn={"skops_trusted_types": types})
    refused(
        folder, digest, r"model\.skops holds types outside the allow-list: \['posix.system'", fired
    )


def test_the_attacks_above_do_run_where_nobody_checks(fired: Path) -> None:
    """Otherwise the tests above would prove nothing."""
    import pickle

    pickle.loads(_pickle_that_runs(fired)).close()  # noqa: S301
    assert fired.exists()
    fired.unlink()
    weights = _weights_that_run()
    model = skops.io.loads(weights, trusted=skops.io.get_untrusted_types(data=weights))
    model.transform(f"touch {fired}")
    assert fired.exists()


@pytest.mark.parametrize(
    "text", ["", "flavors: [sklearn]", "- a", "!!python/object/apply:os.abort []"]
)
def test_a_broken_description_is_refused(folder: Path, fired: Path, text: str) -> None:
    (folder / "MLmodel").write_text(text)
    refused(folder, files_digest(folder), "MLmodel", fired)


@pytest.mark.parametrize("name", ["MLmodel", "model.skops"])
def test_a_model_that_lacks_a_file_is_refused(folder: Path, fired: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, files_digest(folder), name, fired)


# --- what may be saved


def test_a_model_that_could_not_be_loaded_again_is_not_saved() -> None:
    good = HistGradientBoostingClassifier(max_iter=2).fit(X, Y)
    check_types(good)
    bad = make_pipeline(FunctionTransformer(orders.day), LogisticRegression())
    with pytest.raises(
        UnsafeModelError, match=r"FunctionTransformer\.func holds 'tests\.unit\.orders"
    ):
        check_types(bad)


def test_the_allow_list_names_only_parts_of_known_libraries() -> None:
    assert {name.split(".")[0] for name in ALLOWED_TYPES} == {
        "collections",
        "functools",
        "lightgbm",
        "numpy",
        "scipy",
        "sklearn",
        "xgboost",
    }


def _pickle_that_runs(fired: Path) -> bytes:
    return b"cbuiltins\nopen\n(V" + str(fired).encode() + b"\nVw\ntR."


def _weights_that_run() -> bytes:
    """Return skops weights of a transformer whose function is a system call."""
    return skops.io.dumps(FunctionTransformer(os.system))
