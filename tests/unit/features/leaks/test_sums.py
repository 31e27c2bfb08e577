"""Columns that sum to the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.features.leaks.informedness import Classes
from mlops_tasks.features.leaks.sums import find_sum
from tests.unit.features.leaks.rows import measured, noise, suspects

if TYPE_CHECKING:
    from pathlib import Path

N = 5000


def delays(n: int = N, seed: int = 1) -> dict[str, Any]:
    """Make what a flight loses before its departure and in the air, skewed as delays are."""
    random = np.random.default_rng(seed)
    return {"dep_delay": random.exponential(30, n) - 10, "in_the_air": random.normal(0, 20, n)}


@pytest.mark.parametrize("n", [600, 5000, 40_000])
def test_two_columns_whose_sum_is_the_label(tmp_path: Path, n: int) -> None:
    """Each of them is honest alone."""
    parts = delays(n)
    y = (parts["dep_delay"] + parts["in_the_air"] > 15).astype(int)
    assert not suspects(tmp_path, {**noise(n), "dep_delay": parts["dep_delay"]}, y)
    (found,) = suspects(tmp_path, {**noise(n), **parts}, y)
    assert (found.kind, found.columns) == ("sum", ("dep_delay", "in_the_air"))
    assert found.text.startswith("dep_delay + in_the_air gives the label: informedness ")
    assert found.value >= 0.97
    assert found.lower >= 0.9


def test_minutes_that_are_rounded(tmp_path: Path) -> None:
    parts = delays(20_000)
    y = (parts["dep_delay"] + parts["in_the_air"] > 15).astype(int)
    rounded = {name: values.round() for name, values in parts.items()}
    (found,) = suspects(tmp_path, {**noise(len(y)), **rounded}, y)
    assert found.columns == ("dep_delay", "in_the_air")


def test_a_rare_class(tmp_path: Path) -> None:
    parts = delays(60_000)
    y = (parts["dep_delay"] + 3 * parts["in_the_air"] > 170).astype(int)
    assert y.mean() < 0.03
    (found,) = suspects(tmp_path, {**noise(len(y)), **parts}, y)
    assert found.columns == ("dep_delay", "in_the_air")


def test_a_difference_of_two_clocks(tmp_path: Path) -> None:
    """Neither knows anything of the label: it is in what lies between them."""
    random = np.random.default_rng(1)
    planned = random.uniform(0, 1440, N)
    late = random.normal(0, 30, N)
    columns = {**noise(N), "planned": planned, "arrived": planned + late}
    (found,) = suspects(tmp_path, columns, (late > 15).astype(int))
    assert found.text.startswith("- planned + arrived gives the label: ")


def test_three_columns_with_factors(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    columns = {name: random.normal(0, 10, 20_000) for name in ("a", "b", "c")}
    y = (2 * columns["a"] - columns["b"] + 3 * columns["c"] > 0).astype(int)
    (found,) = suspects(tmp_path, {**noise(len(y), 40), **columns}, y)
    assert found.text.startswith("2 · a - b + 3 · c gives the label: ")
    assert found.columns == ("a", "b", "c")


def test_four_columns_of_a_number(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    columns = {name: random.exponential(10, N) for name in ("fare", "tip", "tolls", "fee")}
    y = sum(columns.values())
    (found,) = suspects(tmp_path, {**noise(N, 100), **columns}, y, "regression")
    assert set(found.columns) == set(columns)
    assert found.text.startswith("fare + tip + tolls + fee gives the label: ")


@pytest.mark.parametrize("n", [120, 5000])
def test_any_factors_if_the_number_is_exact(tmp_path: Path, n: int) -> None:
    random = np.random.default_rng(1)
    columns = {"net": random.exponential(10, n), "postage": random.exponential(5, n)}
    y = 1.19 * columns["net"] + 1.07 * columns["postage"] + 2.5
    (found,) = suspects(tmp_path, {**noise(n), **columns}, y, "regression")
    assert found.text.startswith("1.19 · net + 1.07 · postage gives the label: ")
    assert found.columns == ("net", "postage")


def test_one_of_several_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    columns = {"a": random.normal(size=N), "b": random.normal(size=N)}
    total = columns["a"] + columns["b"]
    y = np.array(["low", "middle", "high"], dtype=object)[np.searchsorted([-1, 1], total)]
    (found,) = suspects(tmp_path, {**noise(N), **columns}, y, "multiclass")
    assert found.columns == ("a", "b")


def test_nulls_in_the_parts_and_in_columns_beside_them(tmp_path: Path) -> None:
    """Rows without a null in what is tried count; columns that are mostly null take no part."""
    random = np.random.default_rng(1)
    parts = delays()
    y = (parts["dep_delay"] + parts["in_the_air"] > 15).astype(int)
    for name in parts:
        parts[name] = np.where(random.random(N) < 0.1, np.nan, parts[name])
    empty = np.where(random.random(N) < 0.8, np.nan, random.normal(size=N))
    (found,) = suspects(tmp_path, {**noise(N), **parts, "empty": empty}, y)
    assert found.columns == ("dep_delay", "in_the_air")
    assert found.n_rows == pytest.approx(0.81 * N, rel=0.1)


def test_several_sums_are_each_named(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    y = random.normal(0, 10, N)
    first, second = random.normal(0, 7, N), random.normal(0, 5, N)
    columns = {"a": first, "b": y - first, "c": second, "d": y - second}
    found = suspects(tmp_path, columns, y, "regression")
    assert {one.columns for one in found} == {("a", "b"), ("c", "d")}


def test_a_suspect_alone_takes_no_part(tmp_path: Path) -> None:
    """Else every other column would make a sum with it."""
    y = np.random.default_rng(1).normal(size=N)
    found = suspects(tmp_path, {**noise(N), "total": y}, y, "regression")
    assert [one.columns for one in found] == [("total",)]


@pytest.mark.parametrize("distance", [1.0, 1.5, 1.8, 2.0], ids="{} apart".format)
def test_honest_features_that_add_up_are_honest(tmp_path: Path, distance: float) -> None:
    """Four measurements of one class, independent of each other; the last of AUC 0.92 each."""
    y = (np.random.default_rng(0).random(20_000) < 0.5).astype(int)
    columns = {f"sensor_{i}": measured(distance, y, seed=i) for i in range(4)}
    assert not suspects(tmp_path, columns, y)


def test_a_strong_linear_model_of_a_number_is_honest(tmp_path: Path) -> None:
    """Whole factors, and R² 0.99: a twentieth of the spread is luck, which no sum leaves."""
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=20_000) for name in ("rooms", "area")}
    y = 2 * columns["rooms"] + columns["area"] + random.normal(0, 0.22, 20_000)
    assert not suspects(tmp_path, columns, y, "regression")


def test_many_features_that_give_the_label_together_are_no_sum(tmp_path: Path) -> None:
    columns = noise(N, 10)
    y = (sum(columns.values()) > 0).astype(int)
    assert not suspects(tmp_path, columns, y)


def test_columns_that_are_constant_doubled_or_few(tmp_path: Path) -> None:
    y = (np.random.default_rng(0).random(N) < 0.5).astype(int)
    same = noise(N, 1)["noise_0"]
    assert not suspects(tmp_path, {"one": np.ones(N), "a": same, "b": same}, y)
    assert not suspects(tmp_path, {"one": np.ones(N), "two": np.ones(N)}, y)
    assert not suspects(tmp_path, {"name": ["a"] * N}, y)


# --- the search itself


def of_classes(total: Any) -> Classes:
    codes = (total > 0).astype(int)
    second = np.zeros(len(codes), bool)
    for code in (0, 1):
        second[np.nonzero(codes == code)[0][1::2]] = True
    return Classes(codes, second)


@pytest.mark.parametrize(("n", "exact"), [(100, True), (99, False)])
def test_a_hundred_rows_make_it_exact(n: int, exact: bool) -> None:
    random = np.random.default_rng(1)
    numbers = random.normal(size=(n, 3))
    target = 1.31 * numbers[:, 0] - 0.47 * numbers[:, 2] + 5
    found = find_sum(numbers, [target], of_classes(target - target.mean()))
    assert bool(found and found.exact) == exact
    if found is not None and exact:
        assert (found.columns, found.n_rows) == ([0, 2], n)
        assert found.factors == pytest.approx([1.31, -0.47])


@pytest.mark.parametrize(("factors", "there"), [([3, 5], True), ([4, 7], False)])
def test_factors_are_small(factors: list[int], there: bool) -> None:
    """Of at most 8 together; a threshold of a sum is never exact."""
    numbers = np.random.default_rng(1).normal(size=(20_000, 4))
    total = numbers[:, :2] @ factors
    found = find_sum(numbers, [(total > 0).astype(float)], of_classes(total))
    assert (found is not None and found.factors == factors) == there
    assert found is None or not found.exact


def test_a_column_that_half_of_the_rows_lack_takes_part() -> None:
    random = np.random.default_rng(1)
    numbers = random.normal(size=(4000, 3))
    total = numbers[:, 0] - numbers[:, 2]
    target, classes = (total > 0).astype(float), of_classes(total)
    numbers[::2, 2] = np.nan
    found = find_sum(numbers, [target], classes)
    assert found is not None
    assert (found.columns, found.factors, found.n_rows) == ([0, 2], [1, -1], 2000)
    numbers[:3, 2] = np.nan
    assert find_sum(numbers, [target], classes) is None
