"""The estimators that people bring, and what each must come to: saved or refused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy import stats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, FeatureAgglomeration, KMeans
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    chi2,
    mutual_info_classif,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC, NuSVR
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from benchmarks._authoring.transformers import Clipper, Forgetful, clip, make_nested

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

__all__ = ["ESTIMATORS", "PACKAGE", "Brought", "rows"]

PACKAGE = "benchmarks"
NUMBERS, CLASS, TEXT = ["length", "weight"], ["color"], "words"


@dataclass(frozen=True, slots=True)
class Brought:
    """One estimator, as a person would bring it.

    Parameters
    ----------
    name : str
        What the list calls it.
    build : callable
        Returns it unfitted.
    target : str
        A column of `targets`: yes, kind, number, count or positive.
    refused : str
        A part of the reason it must be refused with before its fit; empty: it must be saved.
    """

    name: str
    build: Callable[[], Any]
    target: str = "yes"
    refused: str = ""


def rows(n_rows: int, seed: int = 0) -> tuple[pd.DataFrame, dict[str, npt.NDArray[Any]]]:
    """Draw rows as a model sees them, and a target of each kind for them."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "length": draw.normal(size=n_rows),
            "weight": draw.gamma(2.0, size=n_rows),
            "color": pd.array(draw.choice(["red", "green", "blue"], n_rows), dtype="str"),
            "words": pd.array(
                [
                    " ".join(draw.choice(["late", "early", "lost", "bag", "gate", "ok"], 4))
                    for _ in range(n_rows)
                ],
                dtype="str",
            ),
        }
    )
    effect = (frame.length + 0.5 * frame.weight + (frame.color == "red")).to_numpy()
    noise = draw.normal(size=n_rows)
    rate = np.exp(np.clip(effect / 3, -2, 2))
    targets = {
        "yes": (effect + noise > 1.2).astype(np.int64),
        "kind": np.digitize(effect + noise, [0.5, 2.0]).astype(np.int64),
        "number": effect * 2 + noise,
        "count": draw.poisson(rate).astype(np.float64),
        "positive": draw.gamma(2.0, rate / 2) + 0.01,
    }
    return frame, targets


def _columns() -> ColumnTransformer:
    """Prepare numbers and classes as most pipelines do."""
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("classes", OneHotEncoder(handle_unknown="ignore", sparse_output=False), CLASS),
        ]
    )


def _with(*steps: Any) -> Any:
    return make_pipeline(_columns(), *steps)


def _numbers(*steps: Any) -> Any:
    return make_pipeline(make_column_transformer(("passthrough", NUMBERS)), *steps)


def _text(vectorizer: Any, *steps: Any) -> Any:
    return make_pipeline(ColumnTransformer([("words", vectorizer, TEXT)]), *steps)


def _few_categories(model: Any) -> Any:
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("color", ordinal, CLASS)], remainder="passthrough")
    columns.set_params(remainder="drop").transformers.append(("n", "passthrough", NUMBERS))
    return make_pipeline(columns, model)


def _logistic() -> LogisticRegression:
    return LogisticRegression(max_iter=300)


def _search(**more: Any) -> Any:
    return GridSearchCV(_with(_logistic()), {"logisticregression__C": [0.1, 1.0]}, cv=3, **more)


def _tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=4, random_state=0)


CLASSIFIERS = [
    Brought("LogisticRegression", lambda: _with(_logistic())),
    Brought("LogisticRegressionCV", lambda: _with(LogisticRegressionCV(scoring="neg_log_loss"))),
    Brought("SGDClassifier", lambda: _with(SGDClassifier(loss="log_loss", random_state=0))),
    Brought("LinearDiscriminantAnalysis", lambda: _with(LinearDiscriminantAnalysis())),
    Brought("GaussianNB", lambda: _with(GaussianNB())),
    Brought("BernoulliNB", lambda: _with(BernoulliNB())),
    Brought("DecisionTree", lambda: _with(_tree())),
    Brought("RandomForest", lambda: _with(RandomForestClassifier(20, random_state=0))),
    Brought(
        "ExtraTrees, three classes", lambda: _with(ExtraTreesClassifier(20, random_state=0)), "kind"
    ),
    Brought("GradientBoosting", lambda: _with(GradientBoostingClassifier(n_estimators=20))),
    Brought(
        "HistGradientBoosting", lambda: _with(HistGradientBoostingClassifier(max_iter=20)), "kind"
    ),
    Brought(
        "HistGradientBoosting, categorical_features",
        lambda: _few_categories(
            HistGradientBoostingClassifier(max_iter=20, categorical_features=[0])
        ),
    ),
    Brought(
        "HistGradientBoosting, categories from the frame",
        lambda: make_pipeline(
            make_column_transformer(
                ("passthrough", [*NUMBERS, *CLASS]), verbose_feature_names_out=False
            ).set_output(transform="pandas"),
            HistGradientBoostingClassifier(max_iter=20, categorical_features=CLASS),
        ),
    ),
    Brought("AdaBoost", lambda: _with(AdaBoostClassifier(n_estimators=10, random_state=0))),
    Brought("Bagging", lambda: _with(BaggingClassifier(_tree(), 5, random_state=0))),
    Brought(
        "KNeighbors, ball tree",
        lambda: _numbers(StandardScaler(), KNeighborsClassifier(algorithm="ball_tree")),
    ),
    Brought(
        "KNeighbors, k-d tree, manhattan",
        lambda: _numbers(KNeighborsClassifier(algorithm="kd_tree", metric="manhattan")),
    ),
    Brought(
        "KNeighbors, brute force, cosine",
        lambda: _numbers(KNeighborsClassifier(algorithm="brute", metric="cosine")),
    ),
    Brought("MLP", lambda: _with(MLPClassifier((8,), max_iter=50, random_state=0))),
    Brought(
        "MLP, sgd, early stopping",
        lambda: _with(MLPClassifier((8,), solver="sgd", early_stopping=True, random_state=0)),
    ),
    Brought(
        "SVC, one against the rest",
        lambda: _with(OneVsRestClassifier(CalibratedClassifierCV(SVC(), cv=2))),
        "kind",
    ),
    Brought(
        "GaussianProcess", lambda: _numbers(GaussianProcessClassifier(1.0 * RBF(), random_state=0))
    ),
    Brought(
        "Voting, soft",
        lambda: _with(VotingClassifier([("a", _logistic()), ("b", _tree())], voting="soft")),
    ),
    Brought(
        "Stacking", lambda: _with(StackingClassifier([("a", _logistic()), ("b", _tree())], cv=3))
    ),
    Brought("Calibrated, sigmoid", lambda: _with(CalibratedClassifierCV(LinearSVC(), cv=3))),
    Brought(
        "Calibrated, isotonic",
        lambda: _with(CalibratedClassifierCV(_tree(), method="isotonic", cv=3)),
    ),
    Brought(
        "Calibrated, temperature",
        lambda: _with(CalibratedClassifierCV(_logistic(), method="temperature", cv=3)),
        "kind",
    ),
    Brought("TunedThreshold", lambda: TunedThresholdClassifierCV(_with(_logistic()), cv=3)),
    Brought("FixedThreshold", lambda: FixedThresholdClassifier(_with(_logistic()), threshold=0.3)),
    Brought("GridSearchCV", lambda: _search(scoring="roc_auc")),
    Brought("GridSearchCV, make_scorer", lambda: _search(scoring=make_scorer(fbeta_score, beta=2))),
    Brought(
        "GridSearchCV, several scores",
        lambda: _search(scoring=["roc_auc", "neg_log_loss"], refit="roc_auc"),
    ),
    Brought(
        "RandomizedSearchCV, lists, folds in time",
        lambda: RandomizedSearchCV(
            _with(_logistic()),
            {"logisticregression__C": [0.1, 1.0, 10.0]},
            n_iter=2,
            cv=TimeSeriesSplit(3),
            random_state=0,
        ),
    ),
    Brought(
        "GridSearchCV, repeated folds",
        lambda: GridSearchCV(
            _with(_tree()),
            {"decisiontreeclassifier__max_depth": [2, 3]},
            cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
        ),
    ),
    Brought(
        "XGBClassifier, in a pipeline", lambda: _with(XGBClassifier(n_estimators=20, max_depth=3))
    ),
    Brought(
        "XGBClassifier, three classes, bare",
        lambda: _numbers(XGBClassifier(n_estimators=20, max_depth=3)),
        "kind",
    ),
    Brought(
        "LGBMClassifier, in a pipeline", lambda: _with(LGBMClassifier(n_estimators=20, verbose=-1))
    ),
    Brought(
        "LGBMClassifier, three classes, calibrated",
        lambda: _with(CalibratedClassifierCV(LGBMClassifier(n_estimators=5, verbose=-1), cv=2)),
        "kind",
    ),
    Brought(
        "Voting over XGBClassifier and LGBMClassifier",
        lambda: _with(
            VotingClassifier(
                [
                    ("x", XGBClassifier(n_estimators=5)),
                    ("l", LGBMClassifier(n_estimators=5, verbose=-1)),
                ],
                voting="soft",
            )
        ),
    ),
]

REGRESSORS = [
    Brought("Ridge", lambda: _with(Ridge()), "number"),
    Brought("Lasso", lambda: _with(Lasso(0.01)), "number"),
    Brought("ElasticNet", lambda: _with(ElasticNet(0.01)), "number"),
    Brought("HuberRegressor", lambda: _with(HuberRegressor(max_iter=500)), "number"),
    Brought("QuantileRegressor", lambda: _with(QuantileRegressor(quantile=0.9)), "number"),
    Brought("PoissonRegressor", lambda: _with(PoissonRegressor()), "count"),
    Brought("GammaRegressor", lambda: _with(GammaRegressor()), "positive"),
    Brought("TweedieRegressor", lambda: _with(TweedieRegressor(power=1.5, link="log")), "count"),
    Brought(
        "RandomForestRegressor", lambda: _with(RandomForestRegressor(20, random_state=0)), "number"
    ),
    Brought(
        "GradientBoostingRegressor, huber",
        lambda: _with(GradientBoostingRegressor(n_estimators=20, loss="huber")),
        "number",
    ),
    Brought(
        "HistGradientBoostingRegressor, poisson",
        lambda: _with(HistGradientBoostingRegressor(max_iter=20, loss="poisson")),
        "count",
    ),
    Brought(
        "HistGradientBoostingRegressor, quantile",
        lambda: _with(HistGradientBoostingRegressor(max_iter=20, loss="quantile", quantile=0.9)),
        "number",
    ),
    Brought("KNeighborsRegressor", lambda: _numbers(KNeighborsRegressor()), "number"),
    Brought(
        "MLPRegressor",
        lambda: _with(MLPRegressor(hidden_layer_sizes=(8,), random_state=0)),
        "number",
    ),
    Brought("NuSVR", lambda: _with(NuSVR()), "number"),
    Brought(
        "GaussianProcessRegressor",
        lambda: _numbers(GaussianProcessRegressor(RBF() + WhiteKernel())),
        "number",
    ),
    Brought(
        "VotingRegressor",
        lambda: _with(VotingRegressor([("a", Ridge()), ("b", Lasso(0.1))])),
        "number",
    ),
    Brought(
        "StackingRegressor",
        lambda: _with(StackingRegressor([("a", Ridge()), ("b", Lasso(0.1))])),
        "number",
    ),
    Brought(
        "TransformedTargetRegressor, log1p and expm1",
        lambda: TransformedTargetRegressor(_with(Ridge()), func=np.log1p, inverse_func=np.expm1),
        "count",
    ),
    Brought(
        "TransformedTargetRegressor, quantiles",
        lambda: TransformedTargetRegressor(
            _with(Ridge()), transformer=QuantileTransformer(n_quantiles=50)
        ),
        "number",
    ),
    Brought(
        "XGBRegressor, poisson",
        lambda: _with(XGBRegressor(n_estimators=20, objective="count:poisson")),
        "count",
    ),
    Brought(
        "XGBRegressor, linear booster",
        lambda: _with(XGBRegressor(n_estimators=5, booster="gblinear")),
        "number",
    ),
    Brought(
        "LGBMRegressor, quantile",
        lambda: _with(LGBMRegressor(n_estimators=20, objective="quantile", alpha=0.9, verbose=-1)),
        "number",
    ),
    Brought(
        "LGBMRegressor, categories",
        lambda: _few_categories(LGBMRegressor(n_estimators=20, verbose=-1)),
        "number",
    ),
]

PREPARATIONS = [
    Brought("TfidfVectorizer", lambda: _text(TfidfVectorizer(), _logistic())),
    Brought(
        "CountVectorizer, pairs of words",
        lambda: _text(CountVectorizer(ngram_range=(1, 2)), ComplementNB()),
    ),
    Brought(
        "HashingVectorizer", lambda: _text(HashingVectorizer(n_features=64), _logistic()), "kind"
    ),
    Brought(
        "TfidfVectorizer, TruncatedSVD",
        lambda: _text(TfidfVectorizer(), TruncatedSVD(3, random_state=0), _logistic()),
    ),
    Brought(
        "TfidfVectorizer, XGBClassifier",
        lambda: _text(TfidfVectorizer(), XGBClassifier(n_estimators=5)),
    ),
    Brought("SelectKBest, f_classif", lambda: _with(SelectKBest(k=3), _logistic())),
    Brought(
        "SelectKBest, chi2", lambda: _text(CountVectorizer(), SelectKBest(chi2, k=3), _logistic())
    ),
    Brought(
        "SelectPercentile, mutual information",
        lambda: _with(SelectPercentile(mutual_info_classif, percentile=60), _logistic()),
    ),
    Brought("SelectFromModel", lambda: _with(SelectFromModel(_tree()), _logistic())),
    Brought(
        "FeatureUnion",
        lambda: _with(FeatureUnion([("pca", PCA(2)), ("best", SelectKBest(k=1))]), _logistic()),
    ),
    Brought("FeatureAgglomeration", lambda: _with(FeatureAgglomeration(n_clusters=2), _logistic())),
    Brought(
        "KMeans as features",
        lambda: _with(FeatureUnion([("k", KMeans(3, n_init=2, random_state=0))]), _logistic()),
    ),
    Brought("Nystroem", lambda: _with(Nystroem(n_components=20, random_state=0), _logistic())),
    Brought(
        "TargetEncoder",
        lambda: make_pipeline(
            ColumnTransformer([("c", TargetEncoder(cv=StratifiedKFold(3, shuffle=True)), CLASS)]),
            _logistic(),
        ),
    ),
    Brought("SplineTransformer", lambda: _numbers(SplineTransformer(), _logistic())),
    Brought(
        "PolynomialFeatures, PowerTransformer, RobustScaler",
        lambda: _numbers(RobustScaler(), PowerTransformer(), PolynomialFeatures(), _logistic()),
    ),
    Brought(
        "KBinsDiscretizer",
        lambda: _numbers(KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), _logistic()),
    ),
    Brought("KNNImputer", lambda: _numbers(KNNImputer(), _logistic())),
    Brought(
        "make_column_selector",
        lambda: make_pipeline(
            make_column_transformer(
                (OneHotEncoder(), make_column_selector("color")),
                (StandardScaler(), make_column_selector(dtype_include=np.number)),
            ),
            _logistic(),
        ),
    ),
    Brought(
        "FunctionTransformer, numpy.log1p",
        lambda: make_pipeline(
            make_column_transformer((FunctionTransformer(np.log1p), ["weight"])), _logistic()
        ),
    ),
    Brought(
        "FunctionTransformer, function of the project",
        lambda: _numbers(FunctionTransformer(clip), _logistic()),
    ),
    Brought("transformer class of the project", lambda: _numbers(Clipper(0.05), _logistic())),
    Brought("make_scorer, function of the project", lambda: _search(scoring=_least_scorer())),
]

REFUSED = [
    Brought(
        "FunctionTransformer, lambda",
        lambda: _numbers(FunctionTransformer(lambda X: X), _logistic()),
        refused="FunctionTransformer.func holds .* a lambda",
    ),
    Brought(
        "FunctionTransformer, nested function",
        lambda: _numbers(FunctionTransformer(make_nested()), _logistic()),
        refused="FunctionTransformer.func holds .* a lambda, or made inside of a function",
    ),
    Brought(
        "FunctionTransformer, functools.partial",
        lambda: _numbers(FunctionTransformer(partial(np.clip, a_min=0, a_max=1)), _logistic()),
        refused="FunctionTransformer.func holds 'functools.partial'.*kw_args=",
    ),
    Brought(
        "FunctionTransformer, function of a library",
        lambda: _numbers(FunctionTransformer(os.path.join), _logistic()),
        refused="FunctionTransformer.func holds 'posixpath.join': .* not on the allow-list",
    ),
    Brought(
        "KNeighbors, distance of the project",
        lambda: _numbers(KNeighborsClassifier(metric=_distance, algorithm="ball_tree")),
        refused="PyFuncDistance64.*name a metric",
    ),
    Brought(
        "RandomizedSearchCV, scipy distribution",
        lambda: RandomizedSearchCV(
            _with(_logistic()), {"logisticregression__C": stats.loguniform(0.1, 10)}, n_iter=2
        ),
        refused="RandomizedSearchCV.param_distributions holds .*give the search lists",
    ),
    Brought(
        "Birch as features",
        lambda: _with(FeatureUnion([("b", Birch(n_clusters=3))]), _logistic()),
        refused="Birch holds .*MiniBatchKMeans",
    ),
    Brought(
        "class of the project that forgets",
        lambda: _numbers(Forgetful(), _logistic()),
        refused="cannot predict any more after it was saved and loaded",
    ),
]


def _distance(one: Any, other: Any) -> float:
    return float(np.abs(one - other).sum())


def _least(y_true: Any, y_pred: Any) -> float:
    return float(np.mean(np.asarray(y_true) == np.asarray(y_pred)))


def _least_scorer() -> Any:
    return make_scorer(_least)


ESTIMATORS = [*CLASSIFIERS, *REGRESSORS, *PREPARATIONS, *REFUSED]
