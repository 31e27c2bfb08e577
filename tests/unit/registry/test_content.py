"""The content of a model: the same for the same fit, another for another one."""

from __future__ import annotations

import json
import shutil
import warnings
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from benchmarks._authoring.estimators import ESTIMATORS, PACKAGE, Brought, rows
from mlops_tasks.registry.modelfiles import (
    check_types,
    content_digest,
    detached_boosters,
    files_digest,
    write_extra_files,
)

if TYPE_CHECKING:
    from pathlib import Path

ROWS, TARGETS = rows(300)
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(200, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
SAVED = [brought for brought in ESTIMATORS if not brought.refused]
# Each with one value of it, and how to change that.
KINDS = [
    make_pipeline(StandardScaler(), LogisticRegression(random_state=0)),
    RandomForestClassifier(5, random_state=0),
    XGBClassifier(n_estimators=5, subsample=0.7, random_state=0),
    LGBMClassifier(n_estimators=5, verbose=-1, random_state=0),
]


def save(model: Any, folder: Path) -> Path:
    (folder / "extra_files").mkdir(parents=True)
    names = check_types(model, PACKAGE)
    write_extra_files(model, folder / "extra_files", names)
    with detached_boosters(model):
        skops.io.dump(model, folder / "model.skops")
    return folder


def seeded(model: Any) -> Any:
    """Set every seed that an estimator and its parts leave open."""
    open_seeds = {
        name: 7
        for name, value in model.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return model.set_params(**open_seeds)


def fitted(brought: Brought) -> Any:
    np.random.seed(7)
    return seeded(brought.build()).fit(ROWS, TARGETS[brought.target])


@pytest.mark.parametrize("brought", SAVED, ids=lambda brought: brought.name)
def test_the_same_fit_has_the_same_content(tmp_path: Path, brought: Brought) -> None:
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        first, second = (save(fitted(brought), tmp_path / name) for name in ("first", "second"))
    assert content_digest(first) == content_digest(second)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_another_row_seed_or_parameter_is_another_content(tmp_path: Path, kind: Any) -> None:
    model = clone(kind).fit(X, Y)
    first = save(model, tmp_path / "first")
    assert content_digest(first) == content_digest(save(model, tmp_path / "again"))
    fewer = save(clone(kind).fit(X[:-40], Y[:-40]), tmp_path / "fewer")
    assert content_digest(fewer) != content_digest(first)
    name = next(one for one in kind.get_params() if one.endswith("random_state"))
    other = save(clone(kind).set_params(**{name: 1}).fit(X, Y), tmp_path / "seed")
    assert content_digest(other) != content_digest(first)


def test_the_files_of_the_same_fit_differ(tmp_path: Path) -> None:
    """Which is why there are two digests."""
    first, second = (
        save(clone(KINDS[0]).fit(X, Y), tmp_path / name) for name in ("first", "second")
    )
    assert files_digest(first) != files_digest(second)
    assert content_digest(first) == content_digest(second)


def test_the_last_bit_of_one_number_counts(tmp_path: Path) -> None:
    model = clone(KINDS[0]).fit(X, Y)
    first = save(model, tmp_path / "first")
    model[-1].coef_[0, 0] = np.nextafter(model[-1].coef_[0, 0], 1)
    assert content_digest(save(model, tmp_path / "second")) != content_digest(first)


def test_a_changed_booster_is_another_content(tmp_path: Path) -> None:
    first = save(clone(KINDS[2]).fit(X, Y), tmp_path / "first")
    second = tmp_path / "second"
    shutil.copytree(first, second)
    (file,) = (second / "extra_files").iterdir()
    text = json.loads(file.read_text())
    text["learner"]["gradient_booster"]["model"]["trees"][0]["base_weights"][0] += 1
    file.write_text(json.dumps(text))
    assert content_digest(second) != content_digest(first)


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """Write the weights of a model again, the schema changed."""
    shutil.copytree(source, target)
    with ZipFile(source / "model.skops") as old, ZipFile(target / "model.skops", "w") as new:
        for name in reversed(old.namelist()):
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    return target


def test_numbers_times_and_layout_of_the_archive_do_not_count(tmp_path: Path) -> None:
    first = save(clone(KINDS[1]).fit(X, Y), tmp_path / "first")

    def stamps(schema: dict[str, Any]) -> None:
        schema["__id__"] = 5
        schema["_skops_version"] = "0.99"

    assert content_digest(rewritten(first, tmp_path / "second", stamps)) == content_digest(first)

    def other_class(schema: dict[str, Any]) -> None:
        schema["__class__"] = "ExtraTreesClassifier"

    assert content_digest(rewritten(first, tmp_path / "third", other_class)) != content_digest(
        first
    )


def test_padding_and_bits_of_nan_do_not_count(tmp_path: Path) -> None:
    """A tree's nodes have bytes between their fields, which nobody sets."""
    model = LogisticRegression().fit(X, Y)
    padded = np.zeros(
        2, np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8]})
    )
    model.coef_ = padded
    first = save(model, tmp_path / "first")
    padded.view(np.uint8)[1::16] = 9
    assert content_digest(save(model, tmp_path / "second")) == content_digest(first)
    padded["b"][0] = 1
    assert content_digest(save(model, tmp_path / "third")) != content_digest(first)

    quiet = np.array([0x7FF8000000000000, 0], np.uint64).view(np.float64)
    other = np.array([0x7FF8000000000001, 0], np.uint64).view(np.float64)
    contents = []
    for number, values in enumerate((quiet, other, np.zeros(2))):
        model.coef_ = values
        contents.append(content_digest(save(model, tmp_path / f"nan{number}")))
    assert contents[0] == contents[1] != contents[2]


def test_a_set_has_no_order(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, Y)
    contents = []
    for number, words in enumerate((["a", "b", "c"], ["c", "a", "b"], ["a", "b", "d"])):
        model.coef_ = set(words)
        first = save(model, tmp_path / f"{number}")

        def turned(schema: dict[str, Any]) -> None:
            schema["content"]["content"]["coef_"]["content"].reverse()

        contents.append(content_digest(first))
        again = rewritten(first, tmp_path / f"turned{number}", turned)
        assert content_digest(again) == contents[-1]
    assert contents[0] == contents[1] != contents[2]
