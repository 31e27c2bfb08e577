"""What each type becomes on the way to the estimator, and that no other row changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features import build_features, feature_frame, model_frame
from mlops_tasks.features.categories import known_categories
from mlops_tasks.features.feature_types import remember_forms, spec_forms
from mlops_tasks.specs import InputSpec, LabelSpec, ModelSpec
from tests.unit.orders import deliveries_dataset, orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

BIG = 2**63 - 1
SHOP = 7_100_000_000_000_000_001  # neighbours are one double


def typed(folder: Path, sql: str, *, text: bool, name: str = "x") -> ModelSpec:
    """Return a model of one feature, given by SQL over a column ``n`` of integers."""
    query = folder / "features.sql"
    query.write_text(f"SELECT order_id, ordered_at AS asked_at,\n  {sql} AS {name}\nFROM orders")
    columns = {"order_id": "string", "ordered_at": "timestamp", "n": "int64?"}
    return ModelSpec(
        name="one",
        description="One feature.",
        inputs=(InputSpec(dataset=orders_dataset(folder, columns=columns)),),
        label=LabelSpec(dataset=deliveries_dataset(folder), target="minutes_late > 10"),
        features_sql=query,
        as_of="asked_at",
        **{"categorical" if text else "numeric": (name,)},
        estimator="tests.unit.orders:build",
    )


def numbered(values: list[int | None]) -> dict[str, pa.Table]:
    rows = {
        "order_id": pa.array([f"{i:04}" for i in range(len(values))], pa.string()),
        "ordered_at": pa.array(range(len(values)), pa.timestamp("us", tz="UTC")),
        "n": pa.array(values, pa.int64()),
    }
    return {"orders": pa.table(rows)}


def seen(spec: ModelSpec, values: list[int | None]) -> pd.Series:
    frame = feature_frame(spec, build_features(spec, numbered(values)))
    return frame["x"]


# The SQL of a value, what a categorical feature and what a numeric one makes of it; None: refused.
TYPES: dict[str, tuple[str, str | None, float | None]] = {
    "BIGINT": ("n", "1", 1.0),
    "TINYINT": ("n::TINYINT", "1", 1.0),
    "SMALLINT": ("n::SMALLINT", "1", 1.0),
    "INTEGER": ("n::INTEGER", "1", 1.0),
    "UTINYINT": ("n::UTINYINT", "1", 1.0),
    "UINTEGER": ("n::UINTEGER", "1", 1.0),
    "UBIGINT": ("n::UBIGINT", "1", 1.0),
    "HUGEINT": ("n::HUGEINT * 100000000000000000000000000000000000000", "1" + "0" * 38, None),
    "FLOAT": ("(n / 10)::FLOAT", "0.1", float(np.float32(0.1))),
    "DOUBLE": ("n / 10", "0.1", 0.1),
    "BOOLEAN": ("n = 1", "true", 1.0),
    "DECIMAL(9,2)": ("n::DECIMAL(9, 2)", "1.00", None),
    "VARCHAR": ("'é' || n", "é1", None),
    "ENUM": ("n::VARCHAR::ENUM('1', '2')", "1", None),
    "UUID": ("('00000000-0000-0000-0000-00000000000' || n)::UUID", "0" * 8 + "-0000-0000-0000-" + "0" * 11 + "1", None),  # noqa: E501
    "JSON": ("to_json(n)", "1", None),
    "DATE": ("DATE '0001-01-01' + (n - 1)::INTEGER", "0001-01-01", None),
    "last DATE": ("DATE '9999-12-30' + n::INTEGER", "9999-12-31", None),
    "TIMESTAMP": ("TIMESTAMP '9999-12-31 23:59:59' + to_seconds(n - 1)", None, None),
    "TIMESTAMPTZ": ("TIMESTAMPTZ '0001-01-01 00:00:00+00' + to_seconds(n - 1)", None, None),
    "TIME": ("TIME '10:00' + to_seconds(n)", None, None),
    "INTERVAL": ("to_days(n::INTEGER)", None, None),
    "INTEGER[]": ("[n]", None, None),
    "INTEGER[1]": ("[n]::BIGINT[1]", None, None),
    "STRUCT": ("{'n': n}", None, None),
    "MAP": ("MAP {'n': n}", None, None),
    "UNION": ("union_value(n := n)", None, None),
    "BLOB": ("n::VARCHAR::BLOB", None, None),
    "BIT": ("n::BIT", None, None),
    "UHUGEINT": ("n::UHUGEINT", None, None),
    "BIGNUM": ("n::BIGNUM", None, None),
    "NULL": ("NULL", None, None),
}  # fmt: skip


@pytest.mark.parametrize("text", [True, False], ids=["categorical", "numeric"])
@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_exact_or_refused_with_the_cast(tmp_path: Path, kind: str, text: bool) -> None:
    sql, as_text, as_number = TYPES[kind]
    wanted = as_text if text else as_number
    spec = typed(tmp_path, sql, text=text)
    if wanted is None:
        with pytest.raises(FeatureError, match=r"feature 'x' is .*; write \w+\(.+\) AS x in"):
            build_features(spec, numbered([1, 1]))
        with pytest.raises(FeatureError, match="feature 'x' is"):
            build_features(spec, numbered([]))
        return
    found = seen(spec, [1, 1])
    assert found.tolist() == [wanted, wanted]
    assert found.dtype == ("str" if text else "float64")
    for values in ([], [None], [None, 1]):
        others = seen(spec, values)
        assert others.dtype == found.dtype, "whatever rows there are"
        assert others.isna().tolist() == [value is None for value in values]
    assert seen(spec, [None, 1])[1] == wanted


@pytest.mark.parametrize("value", [-BIG - 1, -(2**53) - 1, -1, 0, 2**53 + 1, SHOP, BIG])
def test_an_integer_category_is_its_digits(tmp_path: Path, value: int) -> None:
    spec = typed(tmp_path, "n", text=True)
    assert seen(spec, [value, None, 5]).tolist()[0] == str(value)


def test_a_double_category_has_one_text_for_equal_values(tmp_path: Path) -> None:
    zeros = typed(tmp_path, "n / 1.0::DOUBLE * -1", text=True)
    assert seen(zeros, [0]).tolist() == seen(typed(tmp_path, "n::DOUBLE", text=True), [0]).tolist()
    missing = typed(tmp_path, "CASE n WHEN 1 THEN 'nan'::DOUBLE ELSE n END", text=True)
    assert seen(missing, [1, 2]).isna().tolist() == [True, False]


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, SHOP, BIG, -BIG - 1])
def test_a_number_that_no_double_holds_is_refused(tmp_path: Path, value: int) -> None:
    spec = typed(tmp_path, "n", text=False)
    with pytest.raises(FeatureError, match=r"'x' has integers beyond 2\*\*53.*declare it categor"):
        build_features(spec, numbered([1, value]))
    assert seen(spec, [2**53, -(2**53)]).tolist() == [2.0**53, -(2.0**53)]


def test_a_key_of_another_type_than_its_contract_is_refused(tmp_path: Path) -> None:
    spec = typed(tmp_path, "n", text=True)
    sql = spec.features_sql.read_text().replace("order_id", "order_id::BIGINT AS order_id")
    spec.features_sql.write_text(sql)
    with pytest.raises(FeatureError, match="makes BIGINT of the key 'order_id', which is string"):
        build_features(spec, numbered([1]))


@pytest.mark.parametrize("moment", ["CASE WHEN n < 9 THEN ordered_at END", "NULL::TIMESTAMPTZ"])
def test_a_row_without_a_moment_is_named(tmp_path: Path, moment: str) -> None:
    spec = typed(tmp_path, "n", text=False)
    sql = spec.features_sql.read_text().replace("ordered_at AS", f"{moment} AS")
    spec.features_sql.write_text(sql)
    with pytest.raises(
        FeatureError, match=r"as_of 'asked_at' is null in \d of 3 rows, first .*'000"
    ):
        build_features(spec, numbered([1, 9, 10]))


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("nothing", "line 2, 'nothing AS x': Binder Error.*nothing"),
        ("n +", "line 2, .*syntax error"),
        ("('shop' || n)::INTEGER", "line 2, .*Could not convert string 'shop1' to INT32"),
        ("n::TINYINT * 100::TINYINT", "Out of Range Error"),
        ("error('boom')", "boom"),
    ],
)
def test_an_error_of_the_query_has_its_line(tmp_path: Path, sql: str, line: str) -> None:
    spec = typed(tmp_path, sql, text=True)
    with pytest.raises(FeatureError, match=rf"(?s)'one', features\.sql does not run: .*{line}"):
        build_features(spec, numbered([1, 2]))


@pytest.mark.parametrize("date", ["infinity", "-infinity"])
def test_an_infinite_date_is_no_category(tmp_path: Path, date: str) -> None:
    spec = typed(tmp_path, f"DATE '{date}'", text=True)
    with pytest.raises(FeatureError, match="categorical feature 'x' has infinite dates"):
        seen(spec, [1])


def test_a_column_that_no_table_holds_is_named(tmp_path: Path) -> None:
    spec = typed(tmp_path, "union_value(a := n) AS either, n", text=True)
    with pytest.raises(FeatureError, match=r"\['either'\] are unions, which no table can hold"):
        build_features(spec, numbered([1]))


@pytest.mark.parametrize("content", [None, b"SELECT \xff"])
def test_a_query_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    spec = typed(tmp_path, "n", text=True)
    spec.features_sql.unlink()
    if content:
        spec.features_sql.write_bytes(content)
    with pytest.raises(FeatureError, match=r"'one', features\.sql cannot be read as text"):
        build_features(spec, numbered([1]))


# --- what the model was fitted on decides


def encoded(encoder: Any) -> Pipeline:
    pipeline = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), encoder)
    columns = ColumnTransformer([("c", pipeline, ["x"])])
    return Pipeline([("encode", columns), ("fit", LogisticRegression())])


def test_categories_behind_an_imputer_are_known(tmp_path: Path) -> None:
    frame = seen(typed(tmp_path, "n", text=True), [1, 2, None]).to_frame()
    model = encoded(OneHotEncoder(handle_unknown="ignore")).fit(frame, [0, 1, 0])
    assert known_categories(model)["x"].tolist() == ["1", "2", "none"]


def test_a_feature_declared_otherwise_since_stays_what_it_was(tmp_path: Path) -> None:
    number, text = (typed(tmp_path, "n", text=text) for text in (False, True))
    rows = build_features(number, numbered([1, 2, 3, None]))
    model = HistGradientBoostingClassifier().fit(feature_frame(number, rows), [0, 1, 0, 1])
    remember_forms(model, spec_forms(number.categorical, number.features))
    assert model_frame(text, model, rows)["x"].dtype == "float64"
    assert feature_frame(text, rows)["x"].dtype == "str"


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        TargetEncoder(cv=StratifiedKFold(2)),
    ],
    ids=lambda encoder: type(encoder).__name__,
)
def test_a_model_fitted_on_whole_numbers_is_still_asked_with_them(
    tmp_path: Path, encoder: Any
) -> None:
    """Before categories were texts, integers without nulls reached the encoder as int64."""
    import pandas as pd

    spec = typed(tmp_path, "n", text=True)
    shops = [SHOP + i % 4 for i in range(40)]
    columns = ColumnTransformer([("c", encoder, ["x"])])
    model = Pipeline([("encode", columns), ("fit", LogisticRegression())])
    old = pd.DataFrame({"x": pd.Series(shops, dtype="int64")})
    model.fit(old, [int(i % 4 == 1) for i in range(40)])
    rows = build_features(spec, numbered([*shops, None]))
    asked = model_frame(spec, model, rows)
    scores = model.predict_proba(asked)[:, 1]
    assert np.array_equal(scores[:40], model.predict_proba(old)[:, 1])


# --- a row's score depends on that row only

MODELS = {
    "trees": HistGradientBoostingClassifier(min_samples_leaf=2),
    "linear": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
}


def mixed(folder: Path) -> ModelSpec:
    spec = typed(folder, "n", text=True)
    spec.features_sql.write_text(
        "SELECT order_id, ordered_at AS asked_at, CASE WHEN n % 4 > 0 THEN n + 7100000000000000000"
        " END AS x, n % 3 = 0 AS flag, CASE WHEN n % 5 > 0 THEN n END AS whole,"
        " CASE WHEN n % 7 > 0 THEN n / 3 END AS part, (n % 2)::VARCHAR::ENUM('0', '1') AS side"
        " FROM orders"
    )
    features = {"categorical": ("x", "side"), "numeric": ("flag", "whole", "part")}
    return ModelSpec(**dict(spec) | features)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelSpec, dict[str, Pipeline]]:
    spec = mixed(tmp_path_factory.mktemp("mixed"))
    frame = feature_frame(spec, build_features(spec, numbered([*range(60)])))
    target = [int(i % 4 == 1 or i % 6 == 0) for i in range(60)]
    models = {}
    for name, last in MODELS.items():
        encode = ColumnTransformer(
            [
                ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["x", "side"]),
                ("n", "passthrough", list(spec.numeric)),
            ]
        )
        models[name] = Pipeline([("encode", encode), ("fit", last)]).fit(frame, target)
        remember_forms(models[name], spec_forms(spec.categorical, spec.features))
    return spec, models


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=20, deadline=None)
@given(batch=st.lists(st.integers(0, 99), min_size=1, max_size=30), data=st.data())
def test_a_row_has_the_same_score_alone_and_in_any_batch(
    fitted: tuple[ModelSpec, dict[str, Pipeline]], name: str, batch: list[int], data: st.DataObject
) -> None:
    spec, models = fitted
    place = data.draw(st.integers(0, len(batch) - 1))

    def scores(values: list[int]) -> np.ndarray:
        frame = model_frame(spec, models[name], build_features(spec, numbered(values)))
        return models[name].predict_proba(frame)[:, 1]

    alone, among = scores([batch[place]])[0], scores(batch)[place]
    # A linear model sums in the order that the number of rows suggests to the processor.
    assert alone == (among if name == "trees" else pytest.approx(among, rel=0, abs=1e-12))
