"""What a pack says: bill of materials, model card, lineage, mapping to regulations."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.registry.pack import pack_files
from mlops_tasks.registry.pack.card import NOT_STATED
from mlops_tasks.registry.pack.lineage import draw, lineage, picture
from mlops_tasks.registry.pack.regulations import ANNEX_IV, ARTICLE_30, regulations
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import IntendedUseSpec
from tests.unit.packs import MODEL, USE, sample_contents

if TYPE_CHECKING:
    from mlops_tasks.registry.pack import Contents


def table_pin(name: str, letter: str) -> Pin:
    return Pin(name, "2024-03-01", "2024-03-02", (4, 7), ("a",), 160, letter * 64)


PIN = TrainingPin(
    as_of="2024-03-16",
    train=("2024-03-01", "2024-03-10"),
    evaluation=("2024-03-11", "2024-03-14"),
    inputs={"orders": table_pin("orders", "c"), "traffic": table_pin("traffic", "d")},
    labels=table_pin("deliveries", "e"),
    missing={"train": ("2024-03-05",)},
)
GATE = {
    "verdict": "promote",
    "reason": "better by 0.1",
    "n_rows": 320,
    "metric": "roc_auc",
    "challenger": {
        "roc_auc": 0.8,
        "roc_auc_lower": 0.7,
        "roc_auc_upper": 0.9,
        "log_loss": 0.5,
    },
    "champion": {"roc_auc": 0.7},
    "champion_version": "2",
    "suspects": [{"text": "<b>distance</b> nearly gives the label"}],
}
DATASETS = [{"name": "orders", "owner": "shop", "personal": ["email"]}]


@pytest.fixture
def whole() -> Contents:
    """Contents with everything that there can be."""
    version = RegisteredVersion(MODEL, "3", "a" * 32, "models:/m-1", "b" * 64)
    about = {"problem_type": "binary", "estimator": "m:build", "description": "Late <or> not?"}
    return sample_contents(
        pins=to_json(PIN),
        gate=GATE,
        lineage=lineage(version, PIN, table=f"{MODEL}__predictions", n_monitored=4),
        specification=about | {"datasets": DATASETS, "target": "minutes > 10", "owner": "shop"},
    )


# --- the bill of materials


def bill(contents: Contents) -> Any:
    text = pack_files(contents)["bom.cdx.json"].decode()
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert wrong is None, wrong
    return json.loads(text)


def test_the_bill_is_a_valid_one_of_a_model_its_data_and_its_libraries(whole: Contents) -> None:
    made = bill(whole)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    model = made["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", MODEL)
    found = {(one["type"], one["name"], one["version"]) for one in made["components"]}
    data = {("data", name, "7") for name in ("orders", "traffic", "deliveries")}
    assert found == data | {("library", "skops", "1")}
    (depends,) = [one for one in made["dependencies"] if one["ref"] == model["bom-ref"]]
    refs = {f"data:{name}" for _, name, _ in data} | {"pkg:pypi/skops@1"}
    assert set(depends["dependsOn"]) == refs


def test_the_bill_has_the_card_of_the_model(whole: Contents) -> None:
    card = bill(whole)["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    assert len(card["modelParameters"]["datasets"]) == 3
    measured = {one["type"]: one for one in card["quantitativeAnalysis"]["performanceMetrics"]}
    interval = {"lowerBound": "0.7", "upperBound": "0.9"}
    assert measured["roc_auc"] == {
        "type": "roc_auc",
        "value": "0.8",
        "confidenceInterval": interval,
    }
    assert measured.keys() == {"roc_auc", "log_loss"}
    assert card["considerations"] == {
        "useCases": [USE["purpose"]],
        "technicalLimitations": [USE["limitations"]],
    }


def test_personal_columns_are_named_as_sensitive(whole: Contents) -> None:
    described = {one["name"]: one["data"] for one in bill(whole)["components"] if "data" in one}
    assert described["orders"][0]["sensitiveData"] == ["column email"]
    assert "sensitiveData" not in described["traffic"][0]


@pytest.mark.parametrize(("kind", "task"), [("multiclass", "classification"), ("regression",) * 2])
def test_the_task_is_that_of_the_problem_type(kind: str, task: str) -> None:
    made = bill(sample_contents(specification={"problem_type": kind}))
    assert made["metadata"]["component"]["modelCard"]["modelParameters"]["task"] == task


def test_a_bill_of_what_nobody_knows_is_valid_too() -> None:
    empty = sample_contents(specification={"why_not": "no spec"}, environment={}, intended_use={})
    assert "components" not in bill(empty)


def test_the_same_contents_give_the_same_bytes_and_others_another_number(whole: Contents) -> None:
    assert pack_files(whole) == pack_files(whole)
    other = sample_contents(identity=whole.identity | {"version": "4"})
    assert bill(other)["serialNumber"] != bill(whole)["serialNumber"]


# --- the model card


def page(contents: Contents) -> str:
    return pack_files(contents)["model_card.html"].decode()


def test_the_card_loads_nothing_and_shows_no_markup_of_others(whole: Contents) -> None:
    text = page(whole)
    assert not re.search(r"(src|href|url|@import)\s*[=(]", text)
    assert "http" not in text
    assert "<script" not in text
    assert "style=" not in text, "only the style sheet that the report's headers allow"
    assert "Late &lt;or&gt; not?" in text
    assert "&lt;b&gt;distance" in text


def test_the_card_says_what_is_known(whole: Contents) -> None:
    text = page(whole)
    for said in (
        *("late_orders, version 3", "in place of version 2", "2024-03-16 03:00 UTC"),
        *("trained on 2024-03-01 to 2024-03-10, without 1 partitions", "0.7 to 0.9"),
        *("deliveries", "Never tried in December.", "skops 1", "3 entries of the ledger"),
    ):
        assert said in text, said


def test_what_is_not_stated_or_recorded_is_said_so() -> None:
    bare = sample_contents(intended_use={}, explanation={"why_not": "its run has no importance"})
    text = page(bare)
    assert text.count(NOT_STATED) >= 9
    for said in ("No pin.", "No gate has judged it.", "Its run has no importance."):
        assert said in text


def test_a_partition_that_was_not_checked_is_never_shown_as_fine() -> None:
    table = {
        "table": "orders",
        "n_partitions": 14,
        "n_checked": 0,
        "n_rows_in": 0,
        "n_quarantined": 0,
        "quarantined_by_reason": {},
        "n_warned": 0,
        "why_not": "the ledger has no validation of the content of 14 partitions",
        "partitions": [],
    }
    text = page(sample_contents(contract={"tables": [table]}))
    assert '<td class="odd">0 of 14</td>' in text
    assert "orders: the ledger has no validation" in text


def test_the_card_as_json_has_what_the_page_shows(whole: Contents) -> None:
    card = json.loads(pack_files(whole)["model_card.json"])
    assert card["gate"]["metrics"][0]["champion"] == 0.7
    assert [one["name"] for one in card["data"]["windows"]] == ["trained on", "judged on"]
    assert card["importance"]["features"][1] == {"name": "items", "value": 0.0, "share": 0.0}


def test_who_was_asked_and_what_they_said_is_shown() -> None:
    word = {"kind": "approval", "at": "2024-03-16T03:00:00+00:00", "by": "ann", "dag_run": "x/1"}
    said = {"approved": True, "reason": "approved", "comment": "<looks> good"}
    asked = [word | {"said": said}, word | {"kind": "release_request", "said": {}}]
    text = page(sample_contents(approvals={"promoted": {"by": "ann"}, "asked": asked}))
    assert "2024-03-16 03:00 UTC, approval by ann: approved “&lt;looks&gt; good”" in text
    assert "2024-03-16 03:00 UTC, release request by ann" in text


def test_what_the_gate_asked_is_shown_with_its_answers() -> None:
    names = ("name", "kind", "answer", "text")
    asked = [
        dict(zip(names, one, strict=True))
        for one in (
            ("roc_auc", "superiority", "fine", "better by 0.1"),
            ("roc_auc in shop=florist", "slice", "fine", "as good"),
            ("roc_auc in shop=grocer", "slice", "alarm", "worse by 0.2"),
            ("equalized_odds_difference", "fairness", "cannot tell", "too few rows"),
        )
    ]
    found = {"fairness": [asked[3]], "slice": asked[1:3]}
    gate = GATE | {"report": {"verdict": {"criteria": asked}}}
    text = page(sample_contents(gate=gate, fairness=found))
    assert '<span class="good">fine</span> roc auc: better by 0.1' in text
    assert '<span class="bad">alarm</span> roc auc in shop=grocer: worse by 0.2' in text
    assert '<span class="odd">cannot tell</span> equalized odds difference: too few' in text
    assert "florist" not in text
    assert "2 slices of the rows were judged" in text


# --- lineage


def test_lineage_goes_from_datasets_to_predictions(whole: Contents) -> None:
    graph = whole.lineage
    kinds = [node["kind"] for node in graph["nodes"]]
    assert kinds == ["dataset"] * 3 + ["pin"] * 3 + ["run", "version", "predictions"]
    edges = {(edge["from"], edge["to"]) for edge in graph["edges"]}
    path = ["dataset:orders", f"pin:{'c' * 64}", f"run:{'a' * 32}", f"version:{MODEL}/3"]
    assert set(zip(path, [*path[1:], f"table:{MODEL}__predictions"], strict=True)) <= edges


def test_one_table_as_input_and_labels_is_one_box() -> None:
    version = RegisteredVersion(MODEL, "3", "a" * 32, "models:/m-1", "b" * 64)
    one = table_pin("orders", "c")
    pin = TrainingPin("2024-03-16", PIN.train, ("", ""), {"orders": one}, one)
    graph = lineage(version, pin, table="t", n_monitored=0)
    assert [node["kind"] for node in graph["nodes"]].count("dataset") == 1


def test_boxes_of_the_picture_do_not_overlap(whole: Contents) -> None:
    drawing = draw(whole.lineage)
    width, height = drawing["box"]
    places = [(box["x"], box["y"]) for box in drawing["boxes"]]
    assert len(set(places)) == len(places) == 9
    for x, y in places:
        assert 0 <= x <= drawing["width"] - width
        assert 0 <= y <= drawing["height"] - height
    columns: dict[float, list[float]] = {}
    for x, y in places:
        columns.setdefault(x, []).append(y)
    for ys in columns.values():
        assert all(b - a >= height for a, b in zip(sorted(ys), sorted(ys)[1:], strict=False))


def test_the_picture_alone_is_a_whole_file(whole: Contents) -> None:
    from xml.etree import ElementTree as ET

    root = ET.fromstring(picture(whole.lineage))  # noqa: S314 (our own)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


# --- regulations


def answers(use: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the answers to the points of Annex IV and of Article 30, by their numbers."""
    mapped = regulations(sample_contents(intended_use=use))
    annex, article = (
        {point["point"]: point["answer"] for point in mapped[part]["points"]}
        for part in ("ai_act_annex_iv", "gdpr_article_30")
    )
    return annex, article


def not_covered(found: dict[str, str]) -> set[str]:
    return {number for number, answer in found.items() if answer == "not covered"}


def test_all_points_are_there() -> None:
    assert [point.number for point in ANNEX_IV] == [str(n) for n in range(1, 10)]
    letters = [f"1({letter})" for letter in "abcdefg"]
    assert [point.number for point in ARTICLE_30] == [*letters, "2"]


def test_what_only_people_can_say_is_never_covered() -> None:
    annex, article = answers(dict.fromkeys(IntendedUseSpec.model_fields, "stated"))
    assert not_covered(annex) == {"5", "7", "8"}
    assert not_covered(article) == {"1(d)", "1(e)", "2"}
    assert annex["4"] == article["1(b)"] == article["1(f)"] == "covered"
    assert "covered" not in {annex[number] for number in "123569"}


def test_what_is_not_stated_is_not_covered() -> None:
    annex, article = answers({})
    assert not_covered(annex) == {"4", "5", "7", "8"}
    assert not_covered(article) == {"1(a)", "1(b)", "1(d)", "1(e)", "1(f)", "2"}
    assert annex["1"] == annex["3"] == article["1(c)"] == "in part"


def test_each_answer_says_where_and_each_gap_says_why() -> None:
    files = pack_files(sample_contents())
    for part in ("ai_act_annex_iv", "gdpr_article_30"):
        for point in json.loads(files["regulations.json"])[part]["points"]:
            assert set(point["where"]) <= files.keys()
            assert bool(point["where"]) == (point["answer"] != "not covered")
            assert bool(point["missing"]) == (point["answer"] != "covered")


def test_the_fields_that_points_ask_for_exist() -> None:
    for point in (*ANNEX_IV, *ARTICLE_30):
        assert set(point.stated) <= IntendedUseSpec.model_fields.keys()
