"""The life of two models of different problem types, with a real MLflow server and real commands.

`make test-long` plays it: challengers that are promoted, kept and asked about, a repaired
calibration, a rollback, evidence that was tampered with, aliases that were moved, and a training
that is repeated in an environment made anew. `make test` has each part of it by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_airflow.stack.environment import tool
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.registry.model_page import model_description
from mlops_tasks.sources import Connection
from mlops_tasks.specs import GateSpec
from tests.system.legibility import CHROMIUM, SCREENS, browser, faults_of
from tests.system.registries import serving
from tests.system.stories import Judged, Story, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_airflow.testing.dag_runs import FinishedRun, LocalAirflow
    from mlops_tasks.specs import ModelSpec
    from tests.system.registries import Environment

PERSON = "eve"


@dataclass(frozen=True)
class Plot:
    """A model, and which challengers it gets: fields of the spec that make them what they are."""

    model: str
    source: str
    first: str
    train: str
    gate: GateSpec
    write: Callable[[Path], None]
    weak: dict[str, Any]
    worse: dict[str, Any]
    shifted: dict[str, Any]
    repaired_metric: str
    row_key: tuple[str, ...]

    @property
    def spec(self) -> ModelSpec:
        found: ModelSpec = import_module(f"{self.model}.spec").MODEL
        return changed(found, train=self.train, gate=self.gate)


def _flights(file: Path) -> None:
    from demo.source import SourceDatabase

    SourceDatabase(file).advance(date(2013, 2, 5))


def _demand(file: Path) -> None:
    from demo.worlds.demand import write

    write(file)


PLOTS = {
    "demand": Plot(
        model="demand",
        source="demand_source",
        first="2024-06-10",
        train="182d",
        gate=GateSpec(
            superiority=("bias",), non_inferiority={"mae": "5%"}, ask_on=("non_inferiority",)
        ),
        write=_demand,
        weak={"histgradientboostingregressor__max_iter": 8},
        worse={"histgradientboostingregressor__max_iter": 4},
        # Better than a weak model, but of what is sold in six of ten weeks: too much on average.
        shifted={
            "histgradientboostingregressor__loss": "quantile",
            "histgradientboostingregressor__quantile": 0.6,
        },
        repaired_metric="bias",
        row_key=("store_id", "product_id"),
    ),
    "flight_delays": Plot(
        model="flight_delays",
        source="flights_source",
        first="2013-02-01",
        train="21d",
        gate=GateSpec(min_value=0.55, ask_on=("non_inferiority",)),
        write=_flights,
        weak={"trees__max_iter": 5},
        worse={"trees__max_iter": 1, "trees__max_leaf_nodes": 2},
        # Ranks as the repaired one does, and calls twice as many flights late as are.
        shifted={"trees__class_weight": "balanced"},
        repaired_metric="log_loss",
        row_key=("flight_id",),
    ),
}


@dataclass
class Told:
    """What has happened, in order, and when."""

    plot: Plot
    story: Story
    environment: Environment
    dags: LocalAirflow
    chapters: dict[str, Judged] = field(default_factory=dict)
    moments: dict[str, datetime] = field(default_factory=dict)
    released: FinishedRun | None = None

    @property
    def champion(self) -> str | None:
        found = self.story.ledger.champion(self.plot.model)
        return None if found is None else found.version

    def mark(self, what: str) -> None:
        """Remember when something was done; the next things happen later."""
        self.moments[what] = datetime.now(UTC)
        time.sleep(0.01)

    def alias(self, name: str) -> str | None:
        page = self.story.tracking.client.get_registered_model(self.plot.model)
        return page.aliases.get(name) and str(page.aliases[name])


def mlops(*words: str, code: int = 0) -> str:
    """Run a command as a person does, and return what it says."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done.stdout


def said(*words: str, code: int = 0) -> Any:
    return json.loads(mlops(*words, "--json", code=code))


@pytest.fixture(scope="module", params=list(PLOTS))
def told(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    local_airflow: LocalAirflow,
) -> Iterator[Told]:
    """Play the whole life of a model, up to a promoted repair and the rows that it has scored."""
    plot, home = PLOTS[request.param], tmp_path_factory.mktemp("story")
    with serving(home / "there") as environment, _connected(environment, home, local_airflow):
        database = home / "source.db"
        plot.write(database)
        story = Story(
            plot.spec,
            plot.first,
            tracking=environment.tracking,
            ledger=environment.ledger,
            lake=environment.lake,
            connect=lambda name: Connection(name, "sqlite", host=str(database)),
        )
        story.take_in()
        yield _played(Told(plot, story, environment, local_airflow))


def _played(told: Told) -> Told:
    story, plot = told.story, told.plot
    told.chapters["first"] = first = story.challenge(estimator_params=plot.weak)
    story.release(first)
    told.mark("first")
    told.chapters["rejected"] = story.challenge(estimator_params=plot.worse)
    told.chapters["asked"] = asked = story.challenge(estimator_params=plot.shifted)
    told.mark("asked")
    story.answer(asked, PERSON, approved=True, comment="ranks better; calibrate it next")
    story.release(asked)
    told.mark("approved")
    told.chapters["repaired"] = repaired = story.challenge()
    told.mark("judged")
    told.released = told.dags.run(f"{plot.model}.release", repaired.number)
    told.mark("repaired")
    story.score(story.first)
    told.mark("scored")
    return told


@contextmanager
def _connected(environment: Environment, home: Path, dags: LocalAirflow) -> Iterator[None]:
    """Let commands and Dags work on these stores, and on no stack of this machine."""
    fields = {f"{name}_default": value for name, value in environment.fields().items()}
    names = {"MLOPS_HOME": str(home / "no-stack"), "XDG_CACHE_HOME": str(home / "cache")}
    with patch.dict(os.environ, names), dags.started(home / "airflow", fields):
        yield


# --- the gate


def test_each_verdict_is_what_the_challenger_deserves(told: Told) -> None:
    said = {name: one.verdict.verdict for name, one in told.chapters.items()}
    assert said == {"first": "promote", "rejected": "keep", "asked": "ask", "repaired": "promote"}
    assert [one.number for one in told.chapters.values()] == ["1", "2", "3", "4"]
    assert told.chapters["rejected"].request is None
    asked = told.chapters["asked"].verdict
    assert asked.reason.startswith("a person must decide: ")
    broken = {(c.kind, c.name) for c in asked.criteria if (c.failing, c.answer) == ("ask", "alarm")}
    assert broken == {("non_inferiority", told.plot.repaired_metric)}


def test_a_repair_at_equal_ranking_is_promoted(told: Told) -> None:
    verdict, metric = told.chapters["repaired"].verdict, told.plot.repaired_metric
    assert verdict.champion_version == told.chapters["asked"].number
    by_kind = {(one.kind, one.name): one for one in verdict.criteria}
    repaired = by_kind["superiority", metric]
    assert repaired.answer == "fine"
    assert repaired.lower is not None
    assert repaired.lower > 0
    # By the primary metric alone it would have been kept.
    assert by_kind["superiority", verdict.metric].answer == "alarm"
    assert by_kind["non_inferiority", verdict.metric].answer == "fine"


@pytest.mark.parametrize("chapter", ["first", "rejected", "asked", "repaired"])
def test_a_person_can_decide_from_the_page(told: Told, chapter: str) -> None:
    judged = told.chapters[chapter]
    text = told.story.page(judged).read_text()
    words = {"promote": "Promote", "keep": "Keep the champion", "ask": "A person decides"}
    assert f'<p class="word">{words[judged.verdict.verdict]}</p>' in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    stored = told.story.tracking.read_bytes(judged.version.run_id, "gate.html").decode()
    assert stored == text
    report = told.story.tracking.read_json(judged.version.run_id, "gate.json")
    assert report["verdict"]["verdict"] == judged.verdict.verdict


@pytest.mark.skipif(CHROMIUM is None, reason="no browser: install chromium")
def test_the_pages_can_be_read_on_a_desk_and_a_phone(told: Told, tmp_path: Path) -> None:
    with browser() as found:
        for name, judged in told.chapters.items():
            for width, scheme in SCREENS:
                picture = tmp_path / f"{name}-{scheme}-{width}.png"
                faults = faults_of(found, told.story.page(judged), width, scheme, picture)
                assert faults == [], (name, width, scheme)


def test_mlflow_says_what_the_aliases_mean(told: Told) -> None:
    page = told.story.tracking.client.get_registered_model(told.plot.model)
    assert page.description == model_description(told.plot.model)


# --- who decided


def test_served_names_the_champion_of_each_moment(told: Told) -> None:
    def at(moment: str, *words: str, code: int = 0) -> Any:
        time = told.moments[moment].isoformat()
        return said("served", told.plot.model, "--at", time, *words, code=code)

    numbers = [at(name)["version"] for name in ("first", "asked", "approved", "judged", "repaired")]
    assert numbers == ["1", "1", "3", "3", "4"]
    assert at("approved")["by"] == PERSON
    table = told.story.lake.table(told.story.spec.predictions_table)
    row = table.read(first=told.story.first, last=told.story.first).slice(7, 1).to_pylist()[0]
    key = [part for name in told.plot.row_key for part in ("--key", f"{name}={row[name]}")]
    (found,) = at("scored", *key)["predictions"]
    assert (found["model_version"], found["replaced"]) == ("4", None)
    score = found["values"].get("score", found["values"].get("prediction"))
    assert score == row.get("score", row.get("prediction"))
    assert at("repaired", *key, code=3)["predictions"] == []


def test_history_tells_who_and_why(told: Told) -> None:
    moves = said("history", told.plot.model)["moves"][:3]
    assert [(one["before"], one["after"], one["by"]) for one in moves] == [
        (None, "1", "schedule"),
        ("1", "3", PERSON),
        ("3", "4", "schedule"),
    ]
    assert moves[1]["reason"] == f"approved by {PERSON}: ranks better; calibrate it next"
    judged = said("history", told.plot.model, "--verdicts")["moves"]
    assert len([one for one in judged if one["kind"] == "verdict"]) == 4


# --- evidence


@pytest.fixture(scope="module")
def pack(told: Told) -> tuple[Path, str]:
    """Return the pack that the release has made, and the fingerprint of its key."""
    assert told.released is not None
    assert told.released.tasks == {"approve": "skipped", "promote": "success", "pack": "success"}
    made = told.released.outputs["pack"]
    return told.story.lake.root / made["file"], made["fingerprint"]


def test_a_pack_is_verified(told: Told, pack: tuple[Path, str], tmp_path: Path) -> None:
    """As an auditor does: elsewhere, with the fingerprint of the key, and no stores at hand."""
    shutil.copy(pack[0], tmp_path / "pack.zip")
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [tool("mlops"), "pack", "verify", "pack.zip", "--key", pack[1], "--json"],
        env=known | {"AIRFLOW_HOME": str(tmp_path / "airflow")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["answer"], found["version"]) == ("verified", "4")
    again = said("pack", "make", told.plot.model)
    assert said("pack", "verify", again["file"], "--key", pack[1])["answer"] == "verified"


@pytest.mark.parametrize(
    ("member", "before", "after"),
    [
        ("gate.json", b'"promote"', b'"keep"'),
        ("approvals.json", b'"schedule"', b'"somebody"'),
        ("pins.json", b'"n_rows": ', b'"n_rows": 1'),
        ("ledger.json", b'"eve"', b'"eva"'),
    ],
)
def test_a_pack_that_was_tampered_with_is_refused_by_name(
    pack: tuple[Path, str], tmp_path: Path, member: str, before: bytes, after: bytes
) -> None:
    forged = tmp_path / "pack.zip"
    with zipfile.ZipFile(pack[0]) as old, zipfile.ZipFile(forged, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == member:
                assert before in content
                content = content.replace(before, after)
            new.writestr(info, content)
    found = said("pack", "verify", str(forged), "--key", pack[1], code=1)
    assert found["answer"] == "changed"
    named = [one for one in found["problems"] if member in str(one)]
    assert named, found["problems"]


# --- what a person does


def test_an_alias_moved_in_mlflow_is_found_and_undone(told: Told) -> None:
    name, client = told.plot.model, told.story.tracking.client
    before = told.champion
    client.set_registered_model_alias(name, "champion", "2")
    write_anchor(told.story.lake, told.story.ledger.head())
    wrong = mlops("ledger", "verify", code=1)
    assert "alias champion points at version 2" in " ".join(wrong.split())
    assert "version 2" in mlops("ledger", "aliases", code=1)
    assert told.champion == before, "nothing is decided by it"
    mlops("ledger", "aliases", name, "--undo", "--because", "moved by mistake")
    assert told.alias("champion") == before
    mlops("ledger", "aliases")
    mlops("ledger", "verify")


def test_an_alias_moved_in_mlflow_is_adopted_by_a_persons_word(told: Told) -> None:
    name, client, before = told.plot.model, told.story.tracking.client, told.champion
    client.set_registered_model_alias(name, "champion", "3")
    mlops("ledger", "aliases", name, "--adopt", "--because", "version 3 was right")
    assert (told.champion, told.alias("champion"), told.alias("previous")) == ("3", "3", before)
    newest = said("history", name)["moves"][-1]
    assert (newest["before"], newest["after"]) == (before, "3")
    assert "version 3 was right" in newest["reason"]
    mlops("ledger", "verify")


def test_a_rollback_takes_seconds_and_is_written_down(told: Told) -> None:
    """Whoever is champion by now: back to the one before."""
    name, before, to = told.plot.model, told.champion, told.alias("previous")
    assert before is not None
    started = time.monotonic()
    done = said("rollback", name, "--reason", "scores too high")
    took_s = time.monotonic() - started
    assert (done["before"], done["champion"]) == (before, to)
    assert done["golden_rows"] > 0
    assert took_s < 10
    assert (told.champion, told.alias("champion"), told.alias("previous")) == (to, to, before)
    history = said("history", name)
    newest = history["moves"][-1]
    assert (newest["kind"], newest["after"]) == ("rollback", to)
    assert "scores too high" in newest["reason"]
    assert history["delivery"]["n_rollbacks"] >= 1
    refused = CliRunner().invoke(app, ["rollback", name, "--to", "2", "--reason", "no champion"])
    assert refused.exit_code == 1
    assert "was never" in refused.stderr


def test_a_rollback_to_files_that_were_changed_is_refused(told: Told) -> None:
    name, before = told.plot.model, told.champion
    one = told.chapters["first"].version
    folder = told.environment.home / "artifacts"
    (weights,) = (path for path in folder.rglob("model.skops") if one.model_uri[8:] in str(path))
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + b"x")
    refused = CliRunner().invoke(app, ["rollback", name, "--to", "1", "--reason", "try"])
    weights.write_bytes(kept)
    assert refused.exit_code == 1
    assert "digest" in refused.stderr
    assert told.champion == before == told.alias("champion")


# --- the same by Dags, and in an environment made anew


def test_the_form_rolls_back_and_asks_to_score_again(told: Told) -> None:
    name, before = told.plot.model, told.champion
    since = told.story.first
    conf = {"version": "1", "reason": "the first was right", "score_again_since": since}
    run = told.dags.run(f"{name}.rollback", conf=conf)
    assert (run.state, run.tasks) == ("success", {"rollback": "success", "score_again": "success"})
    assert run.outputs["rollback"]["before"] == before
    assert (told.champion, told.alias("champion")) == ("1", "1")
    assert run.outputs["score_again"] == {"partitions": [since]}
    told.mark("back to 1")
    again = told.dags.run(f"{name}.score", since)
    assert again.tasks["score"] == "success"
    told.mark("scored again")
    table = told.story.lake.table(told.story.spec.predictions_table)
    row = table.read(first=since, last=since).slice(0, 1).to_pylist()[0]
    key = [part for column in told.plot.row_key for part in ("--key", f"{column}={row[column]}")]
    then = told.moments["scored"].isoformat()
    (found,) = said("served", name, "--at", then, *key)["predictions"]
    assert (found["model_version"], found["replaced"]["model_version"]) == ("4", "1")


def test_a_version_is_reproduced_exactly_in_a_fresh_environment(told: Told) -> None:
    """Nothing of this environment is imported: all is installed anew, from recorded pins."""
    number = told.chapters["repaired"].number
    done = subprocess.run(
        [tool("mlops"), "reproduce", f"{told.plot.model}@{number}", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["differs"]) == ("exact", "")
    assert found["content"] == found["found_content"]
    assert found["answers"]["n_different"] == 0


def test_the_form_reproduces_it_again(told: Told) -> None:
    """The environment is there from the command, and is used again."""
    number = told.chapters["asked"].number
    run = told.dags.run(f"{told.plot.model}.reproduce", conf={"version": number})
    assert run.state == "success", run.tasks
    entries = told.story.ledger.entries(model=told.plot.model, kind="reproduction", key=number)
    assert [entry.evidence["verdict"] for entry in entries] == ["exact"]
    assert entries[0].evidence["reused"] is True
