"""Leaks that are put into rows are found, of every kind, and honest features are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.features.leaks import leak_suspects
from tests.unit.features.leaks.rows import measured, noise, spec_of, suspects, table_of

if TYPE_CHECKING:
    from pathlib import Path

N = 2000


def classes(n: int = N, share: float = 0.5, seed: int = 0) -> Any:
    return (np.random.default_rng(seed).random(n) < share).astype(int)


def kinds(found: list[Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.columns) for one in found]


def flipped(y: Any, share: float, seed: int = 9) -> Any:
    return y ^ (np.random.default_rng(seed).random(len(y)) < share)


# --- a feature alone


@pytest.mark.parametrize("share", [0.5, 0.1, 0.03], ids=["half", "a tenth", "rare"])
@pytest.mark.parametrize("n", [4000, 60_000])
def test_a_number_that_is_the_label_before_its_threshold(
    tmp_path: Path, n: int, share: float
) -> None:
    hidden = np.random.default_rng(0).normal(size=n)
    y = (hidden > np.quantile(hidden, 1 - share)).astype(int)
    (found,) = suspects(tmp_path, {**noise(n), "delay": hidden}, y)
    assert (found.kind, found.columns) == ("alone", ("delay",))
    assert 0.9 <= found.lower <= found.value <= found.upper <= 1
    assert found.text.startswith("'delay' alone nearly gives the label: informedness ")
    assert found.n_rows <= 20_000


def test_a_number_that_is_the_label_at_both_ends(tmp_path: Path) -> None:
    """No ROC AUC shows it: 0.5."""
    hidden = np.random.default_rng(0).normal(size=N)
    found = suspects(tmp_path, {**noise(N), "gap": hidden}, (np.abs(hidden) > 1).astype(int))
    assert kinds(found) == [("alone", ("gap",))]


def test_a_flag_with_some_errors(tmp_path: Path) -> None:
    """Of both classes 2 in 100 are wrong: about 0.98 + 0.98 - 1."""
    y = classes(10_000)
    paid = flipped(y, 0.02)
    (found,) = suspects(tmp_path, {**noise(len(y)), "paid": paid}, y)
    youden = paid[y == 1].mean() - paid[y == 0].mean()
    assert found.value == pytest.approx(youden, abs=1e-6)
    assert 0.95 < found.lower < youden < found.upper < 0.98


def test_a_rare_class_whose_flag_is_also_set_for_a_few_others(tmp_path: Path) -> None:
    """Most rows with the flag are no frauds, and yet it gives the label."""
    y = classes(60_000, share=0.002)
    flag = np.where(y == 1, 1, np.random.default_rng(2).random(len(y)) < 0.005).astype(int)
    assert y[flag == 1].mean() < 0.5
    assert kinds(suspects(tmp_path, {"flag": flag}, y)) == [("alone", ("flag",))]


@pytest.mark.parametrize("distance", [1.81, 2.77, 3.2], ids=["auc 0.9", "auc 0.975", "auc 0.988"])
def test_a_strong_feature_is_honest(tmp_path: Path, distance: float) -> None:
    for seed in range(5):
        y = classes(20_000, seed=seed)
        assert not suspects(tmp_path, {"strong": measured(distance, y, seed)}, y)


@pytest.mark.parametrize("n", [20, 40, 80])
def test_few_rows_cry_no_wolf(tmp_path: Path, n: int) -> None:
    """A copy of the label: of so few rows an honest feature may be right in each by luck."""
    y = np.arange(n) % 2
    assert not suspects(tmp_path, {"copy": y, "name": [f"c{one}" for one in y]}, y)


def test_a_few_more_do(tmp_path: Path) -> None:
    y = np.arange(200) % 2
    assert kinds(suspects(tmp_path, {"copy": y}, y)) == [("alone", ("copy",))]


def test_one_class_or_a_handful_of_the_other_tells_nothing(tmp_path: Path) -> None:
    assert not suspects(tmp_path, {"copy": np.zeros(500)}, np.zeros(500, int))
    few = (np.arange(500) < 9).astype(int)
    assert not suspects(tmp_path, {"copy": few}, few)


def test_categories_that_map_to_the_label(tmp_path: Path) -> None:
    """Many to one, in any problem type; noise in the others."""
    random = np.random.default_rng(1)
    y = random.integers(0, 3, N)
    outcome = [f"code {one}-{part}" for one, part in zip(y, random.integers(0, 9, N), strict=True)]
    shop = [f"shop {one}" for one in random.integers(0, 50, N)]
    columns = {"outcome": outcome, "shop": shop}
    names = np.array(["early", "late", "never"], dtype=object)[y]
    for target, problem in (
        (names, "multiclass"),
        ((y == 1).astype(int), "binary"),
        (10.0 * y, "regression"),
    ):
        found = suspects(tmp_path, columns, target, problem)
        assert kinds(found) == [("map", ("outcome",))], problem
        assert found[0].text.startswith("'outcome' maps to the label, value by value: ")


def test_an_identifier_gives_nothing(tmp_path: Path) -> None:
    """Each value has one label, as it is there once."""
    y = classes()
    columns = {"uuid": [f"u{i}" for i in range(N)], "number": np.arange(N)}
    assert not suspects(tmp_path, columns, y)


def test_a_number_that_is_the_number(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    y = random.exponential(40, 5000)
    for leak in (y, -2 * y + 7, y.round(), np.log(y), y + random.normal(0, 1, 5000)):
        found = suspects(tmp_path, {**noise(5000), "total": leak}, y, "regression")
        assert kinds(found) == [("alone", ("total",))]


def test_the_last_value_of_a_slow_quantity_is_honest(tmp_path: Path) -> None:
    """Temperature by the hour: the hour before correlates with 0.99."""
    random = np.random.default_rng(4)
    steps = random.normal(0, 1, 20_000)
    heat = np.zeros(20_000)
    for i in range(1, len(heat)):
        heat[i] = 0.99 * heat[i - 1] + np.sqrt(1 - 0.99**2) * steps[i]
    assert np.corrcoef(heat[1:], heat[:-1])[0, 1] == pytest.approx(0.99, abs=0.003)
    assert not suspects(tmp_path, {"before": heat[:-1]}, heat[1:], "regression")


def test_a_text_that_is_the_label(tmp_path: Path) -> None:
    y = classes()
    columns = {"note": np.array(["all fine", "was refunded"])[y].tolist()}
    assert kinds(suspects(tmp_path, columns, y, text=("note",))) == [("map", ("note",))]


# --- presence


def test_a_feature_that_is_there_only_with_the_label(tmp_path: Path) -> None:
    """Of two in five frauds, and of nothing else."""
    y, random = classes(20_000, share=0.02), np.random.default_rng(3)
    refunded = np.where(
        (y == 1) & (random.random(len(y)) < 0.4), random.normal(size=len(y)), np.nan
    )
    (found,) = suspects(tmp_path, {**noise(len(y)), "refunded_after": refunded}, y)
    assert (found.kind, found.columns) == ("presence", ("refunded_after",))
    assert "has a value only with one label: in 39.4% of its rows and 0.0%" in found.text
    assert found.value == 1
    assert 0.98 < found.lower < 1


def test_a_category_and_a_text_that_are_missing_only_with_the_label(tmp_path: Path) -> None:
    y, random = classes(10_000), np.random.default_rng(3)
    gone = (y == 1) & (random.random(len(y)) < 0.5)
    words = random.choice(["one", "two", "three"], len(y)).astype(object)
    columns = {"arrival": np.where(gone, None, words), "note": np.where(gone, "", words)}
    found = suspects(tmp_path, columns, y, text=("note",))
    assert kinds(found) == [("presence", ("arrival",)), ("presence", ("note",))]
    assert all("is missing only with one label: in 5" in one.text for one in found)


def test_a_missing_value_that_is_the_label_is_a_feature_alone(tmp_path: Path) -> None:
    y = classes()
    columns = {"ended": np.where(y == 1, np.nan, np.random.default_rng(1).normal(size=N))}
    assert kinds(suspects(tmp_path, columns, y)) == [("alone", ("ended",))]


def test_missing_values_that_only_hint_are_honest(tmp_path: Path) -> None:
    """Three times as frequent; or pure, and in a twentieth of the class."""
    y, random = classes(20_000), np.random.default_rng(3)
    more = random.random(len(y)) < np.where(y == 1, 0.6, 0.2)
    rare = (y == 1) & (random.random(len(y)) < 0.05)
    values = random.normal(size=len(y))
    columns = {"hint": np.where(more, np.nan, values), "rare": np.where(rare, values, np.nan)}
    assert not suspects(tmp_path, columns, y)


def test_presence_in_a_number_and_in_many_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    y = random.integers(0, 4, 8000)
    there = (y == 2) & (random.random(len(y)) < 0.6)
    columns = {"serial": np.where(there, random.normal(size=len(y)), np.nan)}
    names = np.array(["a", "b", "c", "d"], dtype=object)[y]
    assert kinds(suspects(tmp_path, columns, names, "multiclass")) == [("presence", ("serial",))]
    amount = np.where(y == 2, 0.0, random.exponential(5, len(y)))  # nothing was bought
    assert kinds(suspects(tmp_path, columns, amount, "regression")) == [("presence", ("serial",))]


# --- the newest rows


def test_a_feature_that_the_newest_rows_do_not_have_yet(tmp_path: Path) -> None:
    y, random = classes(), np.random.default_rng(3)
    filled = np.where(random.random(N) < 0.1, np.nan, random.normal(size=N))
    columns = {"settled": filled, "steady": filled, "kind": ["a"] * N}
    newest = {"settled": np.full(400, np.nan), "steady": filled[:400], "kind": ["b"] * 400}
    (found,) = suspects(tmp_path, columns, y, newest=newest)
    assert (found.kind, found.columns, found.n_rows) == ("newest", ("settled",), 400)
    assert found.text == (
        f"'settled' has a value in {1 - np.isnan(filled).mean():.1%} of the rows of the training "
        "and in 0.0% of the 400 newest ones: it is filled in after the row's moment, or the source "
        "has lost it"
    )


def test_the_evidence_of_the_newest_rows(tmp_path: Path) -> None:
    """All of the training's rows have a value, none of 100 newest ones (Clopper, Pearson)."""
    columns = {"settled": np.random.default_rng(1).normal(size=N)}
    late = {"settled": pa.array(np.full(100, np.nan))}  # NaN is missing as null is
    (found,) = suspects(tmp_path, columns, classes(), newest=late)
    others, share = 1 - 0.025 ** (1 / 100), 0.025 ** (1 / N)
    assert (found.value, found.upper) == (1, 1)
    assert found.lower == pytest.approx(share / (share + others), abs=1e-6)


def test_many_newest_rows_are_drawn_by_their_keys(tmp_path: Path) -> None:
    columns = {"settled": np.random.default_rng(1).normal(size=N)}
    spec, rows = spec_of(tmp_path, columns, "binary"), table_of(columns, classes())
    late = {"settled": np.where(np.arange(30_000) % 50 == 0, 1.0, np.nan)}
    newest = table_of(late)
    (found,) = leak_suspects(spec, rows, newest=newest)
    assert found.n_rows == 20_000
    shuffled = newest.take(np.random.default_rng(1).permutation(30_000))
    assert leak_suspects(spec, rows, newest=shuffled) == (found,)


@pytest.mark.parametrize("newest", [0, 20], ids=["no rows", "few rows"])
def test_few_newest_rows_tell_nothing(tmp_path: Path, newest: int) -> None:
    columns = {"settled": np.random.default_rng(1).normal(size=N)}
    late = {"settled": np.full(newest, np.nan)}
    assert not suspects(tmp_path, columns, classes(), newest=late)


def test_a_feature_that_is_rare_anyway_may_lack_in_the_newest_rows(tmp_path: Path) -> None:
    values = np.where(np.arange(N) % 3 == 0, np.arange(N) * 1.0, np.nan)
    late = {"bonus": np.full(500, np.nan)}
    assert not suspects(tmp_path, {"bonus": values}, classes(), newest=late)


def test_a_text_counts_as_missing_when_it_is_empty(tmp_path: Path) -> None:
    columns = {"note": [f"note {i % 7}" for i in range(N)]}
    late = {"note": ["", None] * 200}
    found = suspects(tmp_path, columns, classes(), newest=late, text=("note",))
    assert kinds(found) == [("newest", ("note",))]


def test_what_leaks_the_label_is_said_so_first(tmp_path: Path) -> None:
    y = classes()
    found = suspects(tmp_path, {"paid": y}, y, newest={"paid": np.full(400, np.nan)})
    assert kinds(found) == [("alone", ("paid",))]


# --- the whole


def test_suspects_are_the_same_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    y = classes(50_000, share=0.2)
    columns: dict[str, Any] = {**noise(len(y)), "paid": flipped(y, 0.01)}
    spec, rows = spec_of(tmp_path, columns, "binary"), table_of(columns, y)
    shuffled = rows.take(np.random.default_rng(1).permutation(len(y)))
    assert leak_suspects(spec, rows) == leak_suspects(spec, shuffled)


def test_other_labels_of_unused_rows_change_nothing(tmp_path: Path) -> None:
    """20,000 rows are looked at, as many of each class."""
    y = classes(100_000)
    (found,) = suspects(tmp_path, {"paid": y}, y)
    assert found.n_rows == 20_000
    assert found.value == 1


def test_features_that_the_spec_allows_are_found_too(tmp_path: Path) -> None:
    y = classes()
    found = suspects(tmp_path, {"paid": y, "due": y}, y, allow_leak_suspects=("paid",))
    assert kinds(found) == [("alone", ("paid",)), ("alone", ("due",))]


def test_suspects_come_in_the_order_of_the_features_and_sums_last(tmp_path: Path) -> None:
    y, random = classes(4000), np.random.default_rng(2)
    part = random.normal(0, 5, len(y))
    columns = {
        "name": np.array(["no", "yes"])[y].tolist(),
        "rest": y - part,
        "copy": y,
        "part": part,
    }
    found = suspects(tmp_path, columns, y)
    assert kinds(found) == [("map", ("name",)), ("alone", ("copy",)), ("sum", ("rest", "part"))]
