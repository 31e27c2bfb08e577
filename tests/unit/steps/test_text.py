"""A model of free texts through the loop: fitted, scored, and watched by length and new words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import FeatureError, SpecError
from mlops_tasks.features import feature_frame, labelled_rows
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.registry.artifacts import VOCABULARIES
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.specs import DriftSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.monitor import measure_drift
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from tests.unit.orders import FEATURES_SQL, day, project, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

KNOWN = [f"word{i}" for i in range(300)]
NEW = [f"zettel{i}" for i in range(300)]
SQL = FEATURES_SQL.replace("o.shop,", "o.shop AS note,")


def build(
    *, categorical: Sequence[str], numeric: Sequence[str], text: Sequence[str], random_state: int
) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    columns = [(name, TfidfVectorizer(min_df=2), name) for name in text]
    encode = ColumnTransformer([*columns, ("numbers", "passthrough", ["items", "express"])])
    return Pipeline([("encode", encode), ("model", LogisticRegression(max_iter=500))])


def text_project(folder: Path, **changes: Any) -> ModelSpec:
    fields = {
        "features_sql": SQL,
        "categorical": (),
        "numeric": ("items", "express"),
        "text": ("note",),
        "estimator": "tests.unit.steps.test_text:build",
        "drift": DriftSpec(window="2d", min_rows=50),
    }
    return project(folder, **fields | changes)


def publish(lake: Lake, spec: ModelSpec, number: int, *, new: float = 0.0, n: int = 6) -> None:
    """Publish a day of orders whose shops are notes of `n` words, some of them new."""
    rows, random = rows_of(number), np.random.default_rng([7, number])
    late = np.array(rows["deliveries"]["minutes_late"]) > 10
    notes: list[str | None] = []
    for row in range(len(late)):
        words = random.choice(KNOWN, n)
        words[random.random(n) < new] = random.choice(NEW)
        if late[row] and random.random() < 0.8:
            words[0] = "delay"
        notes.append(" ".join(words) if random.random() > 0.05 else None)
    orders = rows["orders"]
    at = orders.column_names.index("shop")
    rows["orders"] = orders.set_column(at, "shop", pa.array(notes, pa.string()))
    for dataset in spec.datasets:
        table = rows[dataset.name].cast(arrow_schema(dataset))
        overwrite_partition(
            lake.table(dataset.name), day(number), table, token=1, known_at=day(number)
        )


def test_words_are_learnt_scored_and_watched(
    tmp_path: Path, lake: Lake, tracking: Tracking, ledger: Ledger
) -> None:
    spec = text_project(tmp_path / "text")
    for number in range(16):
        publish(lake, spec, number)
    publish(lake, spec, 16, new=0.5)
    publish(lake, spec, 17, n=30)
    pin = pin_training_data(spec, day(15), lake=lake)
    trained = train(spec, pin, lake=lake, tracking=tracking)
    assert VOCABULARIES in trained.artifacts
    verdict = evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)
    assert verdict.challenger["roc_auc"] > 0.75  # by the word that tells
    version = register(spec.name, trained, verdict, tracking=tracking, ledger=ledger)
    assert promote(version, verdict, as_of=day(15), tracking=tracking, ledger=ledger)
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    assert champion is not None
    for number in range(14, 18):
        score(spec, day(number), champion, lake=lake, tracking=tracking, token=1)

    def drift(number: int) -> dict[str, tuple[bool, str]]:
        found = measure_drift(spec, day(number), champion, lake=lake, tracking=tracking)
        page = (lake.root / found.report).read_text()
        assert "note.unseen_tokens" in page
        for said in (page, *(check.text for check in found.checks)):
            assert not {"word1", "word2", "delay", "zettel"} & set(said.split())
        return {check.name: (check.alarm, check.text) for check in found.checks}

    quiet, words, long = drift(15), drift(16), drift(17)
    assert {"note.length", "note.unseen_tokens"} <= set(quiet)
    assert "note" not in quiet
    assert not quiet["note.length"][0]
    assert not quiet["note.unseen_tokens"][0]
    assert words["note.unseen_tokens"][0]
    assert words["note.unseen_tokens"][1].startswith("note.unseen_tokens: ")
    assert long["note.length"][0]
    profile = ProfileStore(lake).read(spec.predictions_table, first=day(16), last=day(16))[day(16)]
    unseen = profile.columns["note.unseen_tokens"]
    assert 0.3 < unseen.mean < 0.6  # type: ignore[union-attr]
    missing = [profile.columns[f"note.{what}"] for what in ("length", "unseen_tokens")]
    assert [one.n - one.n_finite for one in missing] == [7, 7]  # type: ignore[union-attr]

    # Days that an older version scored were measured against other words.
    older = replace(champion, version="0")
    score(spec, day(15), older, lake=lake, tracking=tracking, token=2)
    assert drift(16)["note.unseen_tokens"][0]
    score(spec, day(16), older, lake=lake, tracking=tracking, token=2)
    mixed = drift(16)
    assert "note.length" in mixed
    assert not {"note.unseen_tokens", "schema"} & set(mixed)


def test_missing_texts_are_empty_and_others_as_they_are(tmp_path: Path, lake: Lake) -> None:
    spec = text_project(tmp_path / "text")
    for number in range(16):
        publish(lake, spec, number)
    pin = pin_training_data(spec, day(15), lake=lake)
    rows = labelled_rows(spec, pin, pin.train, lake=lake)
    frame = feature_frame(spec, rows)
    assert list(frame.columns) == ["items", "express", "note"]
    assert frame["note"].dtype == "str"
    wanted = [text or "" for text in rows["note"].to_pylist()]
    assert "" in wanted
    assert frame["note"].tolist() == wanted


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("o.items", "text feature 'note' is BIGINT; write CAST(note AS VARCHAR) AS note"),
        ("NULL::VARCHAR", "['note'] have no value in any of the"),
    ],
)
def test_what_is_no_text_is_refused(
    tmp_path: Path, lake: Lake, tracking: Tracking, column: str, said: str
) -> None:
    sql = FEATURES_SQL.replace("o.shop,", f"{column} AS note,")
    spec = text_project(tmp_path / "text", features_sql=sql)
    for number in range(16):
        publish(lake, spec, number)
    pin = pin_training_data(spec, day(15), lake=lake)
    with pytest.raises(FeatureError) as error:
        train(spec, pin, lake=lake, tracking=tracking)
    assert said in str(error.value)


def test_a_feature_is_not_named_like_a_measure(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"\['note.length'\] are measures of text features"):
        text_project(tmp_path, numeric=("note.length",))
    with pytest.raises(SpecError, match="a feature is named twice"):
        text_project(tmp_path, categorical=("note",))
