"""An estimator that suits problem type, columns and number of rows, as text of a module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.scaffold.roles import Roles

__all__ = ["Estimator", "choose_estimator"]

# Below, trees of 20 rows a leaf find little; a linear model does.
_FOR_TREES = 1_000


@dataclass(frozen=True, slots=True)
class Estimator:
    """The text of a `model.py`.

    Attributes
    ----------
    described : str
        What it is, for people.
    why : str
        Why that one.
    text : str
        The module.
    """

    described: str
    why: str
    text: str


def choose_estimator(
    model: str, problem_type: str, roles: Roles, n_train: int, *, is_count: bool
) -> Estimator:
    """Choose an estimator.

    Parameters
    ----------
    model : str
        The model.
    problem_type : str
        ``binary``, ``multiclass`` or ``regression``.
    roles : Roles
        The features.
    n_train : int
        Rows that a training has, about.
    is_count : bool
        Whether the target counts something.
    """
    is_regression = problem_type == "regression"
    if roles.texts or n_train < _FOR_TREES:
        why = (
            "texts give many sparse columns"
            if roles.texts
            else f"only {n_train:,} rows to learn from"
        )
        return _linear(model, roles, why, is_regression=is_regression)
    return _trees(model, roles, is_regression=is_regression, is_count=is_count, n_train=n_train)


def _trees(
    model: str, roles: Roles, *, is_regression: bool, is_count: bool, n_train: int
) -> Estimator:
    kind = "Regressor" if is_regression else "Classifier"
    loss = 'loss="poisson", ' if is_count else ""
    described = "boosted trees" + (" with the loss of counts" if is_count else "")
    imports = [f"from sklearn.ensemble import HistGradientBoosting{kind}"]
    lines = [f"trees = HistGradientBoosting{kind}({loss}random_state=random_state)"]
    if roles.categorical:
        folds = "KFold" if is_regression else "StratifiedKFold"
        target = 'target_type="continuous", ' if is_regression else ""
        imports = [
            "from sklearn.compose import make_column_transformer",
            *imports,
            f"from sklearn.model_selection import {folds}",
            "from sklearn.pipeline import make_pipeline",
            "from sklearn.preprocessing import TargetEncoder",
        ]
        lines = [
            "# A category is encoded by rows of other folds, or its own target would leak.",
            f"folds = {folds}(5, shuffle=True, random_state=random_state)",
            "encode = make_column_transformer(",
            f"    (TargetEncoder({target}cv=folds), list(categorical)),",
            *(['    ("passthrough", list(numeric)),'] if roles.numeric else []),
            ")",
            *lines,
            "return make_pipeline(encode, trees)",
        ]
        summary = f"Return {described}; a category becomes the mean of its targets."
    else:
        lines = [lines[0].replace("trees = ", "return ")]
        summary = f"Return {described}."
    why = f"{n_train:,} rows; missing numbers and unknown categories need no care"
    return Estimator(described, why, _module(model, summary, imports, lines, has_text=False))


def _linear(model: str, roles: Roles, why: str, *, is_regression: bool) -> Estimator:
    name = "Ridge" if is_regression else "LogisticRegression"
    described = "a ridge regression" if is_regression else "a logistic regression"
    imports = ["from sklearn.compose import make_column_transformer"]
    steps: list[str] = []
    before: list[str] = []
    parts: list[str] = []
    if roles.texts:
        imports.append("from sklearn.feature_extraction.text import TfidfVectorizer")
        before = ["words = [(TfidfVectorizer(min_df=2), name) for name in text]"]
        steps.append("    *words,")
        parts.append("word weights")
    if roles.numeric:
        imports.append("from sklearn.impute import SimpleImputer")
    imports += [
        f"from sklearn.linear_model import {name}",
        "from sklearn.pipeline import make_pipeline",
    ]
    encoders = ["OneHotEncoder"] if roles.categorical else []
    encoders += ["StandardScaler"] if roles.numeric else []
    if encoders:
        imports.append(f"from sklearn.preprocessing import {', '.join(encoders)}")
    if roles.categorical:
        steps.append('    (OneHotEncoder(handle_unknown="ignore"), list(categorical)),')
        parts.append("one-hot categories")
    if roles.numeric:
        before.append("scale = make_pipeline(SimpleImputer(), StandardScaler())")
        steps.append("    (scale, list(numeric)),")
        parts.append("scaled numbers")
    arguments = (
        "random_state=random_state" if is_regression else "max_iter=1000, random_state=random_state"
    )
    lines = [
        *before,
        "encode = make_column_transformer(",
        *steps,
        ")",
        f"model = {name}({arguments})",
        "return make_pipeline(encode, model)",
    ]
    summary = f"Return {_and(parts)}, then {described}."
    text = _module(model, summary, imports, lines, has_text=bool(roles.texts))
    return Estimator(described, why, text)


def _and(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _module(
    model: str, summary: str, imports: list[str], lines: list[str], *, has_text: bool
) -> str:
    text = ["    text: Sequence[str],"] if has_text else []
    return "\n".join(
        [
            f'"""The estimator of the {model} model."""',
            "",
            "from collections.abc import Sequence",
            "from typing import Any",
            "",
            "",
            "def build(",
            "    *,",
            "    categorical: Sequence[str],",
            "    numeric: Sequence[str],",
            *text,
            "    random_state: int,",
            ") -> Any:",
            f'    """{summary}"""',
            *(f"    {line}" for line in imports),
            "",
            *(f"    {line}" for line in lines),
            "",
        ]
    )
