"""The classes and functions that a model may consist of, beside those of the project itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALLOWED_TYPES", "CLASSES", "FUNCTIONS", "refuse_types"]


def _names(module: str, names: str) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for name in names.split())


# Beside the estimators of scikit-learn, which skops knows: what fitted ones hold. Each only keeps
# data, or computes with arrays. A model's own MLmodel also carries such a list; it is never
# believed, whoever wrote the model wrote it too. Not here, because they call what a file names:
# PyFuncDistance, functools.partial (but for one, see `schema`), bound methods, operator.*.
CLASSES = (
    _names("numpy", "dtype")
    | _names("sklearn._loss.loss", "HalfTweedieLoss HalfTweedieLossIdentity")
    | _names("sklearn.calibration", "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling")
    | _names("sklearn.compose._column_transformer", "make_column_selector")
    | _names("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor")
    | _names(
        "sklearn.gaussian_process.kernels",
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern Product RBF "
        "RationalQuadratic Sum WhiteKernel",
    )
    | _names("sklearn.gaussian_process._gpc", "_BinaryGaussianProcessClassifierLaplace")
    | _names(
        "sklearn.metrics._dist_metrics",
        "ChebyshevDistance64 EuclideanDistance64 HaversineDistance64 ManhattanDistance64 "
        "MinkowskiDistance64 SEuclideanDistance64",
    )
    | _names("sklearn.metrics._scorer", "_CurveScorer _PassthroughScorer _Scorer")
    | _names("sklearn.metrics._scorer", "_MultimetricScorer")
    | _names("sklearn.model_selection._classification_threshold", "_CurveScorer")
    | _names(
        "sklearn.model_selection._split",
        "GroupKFold GroupShuffleSplit KFold LeaveOneOut PredefinedSplit RepeatedKFold "
        "RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold StratifiedKFold "
        "StratifiedShuffleSplit TimeSeriesSplit",
    )
    | _names("sklearn.neighbors._ball_tree", "BallTree")
    | _names("sklearn.neighbors._kd_tree", "KDTree")
    | _names("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer")
    | _names("sklearn.tree._tree", "Tree")
    | _names("sklearn.utils._bunch", "Bunch")
    | _names("sklearn.utils._metadata_requests", "MetadataRequest MethodMetadataRequest")
    | _names("collections", "OrderedDict")
    | _names("scipy.interpolate._bsplines", "BSpline")
    # Their boosters are files of their own, see `boosters`.
    | _names("xgboost.sklearn", "XGBClassifier XGBRFClassifier XGBRFRegressor XGBRegressor")
    | _names("lightgbm.sklearn", "LGBMClassifier LGBMRegressor")
)

# Functions that some of these hold. Each takes arrays and returns numbers or arrays.
FUNCTIONS = (
    _names("numpy", "mean median")
    | _names("scipy._lib.array_api_compat.numpy._aliases", "asarray")
    | _names(
        "sklearn.feature_selection._univariate_selection",
        "chi2 f_classif f_regression r_regression",
    )
    | _names("sklearn.feature_selection._mutual_info", "mutual_info_classif mutual_info_regression")
    | _names(
        "sklearn.metrics._classification",
        "accuracy_score balanced_accuracy_score brier_score_loss cohen_kappa_score d2_brier_score "
        "d2_log_loss_score f1_score fbeta_score hamming_loss hinge_loss jaccard_score log_loss "
        "matthews_corrcoef precision_score recall_score zero_one_loss",
    )
    | _names(
        "sklearn.metrics._ranking",
        "average_precision_score dcg_score ndcg_score roc_auc_score top_k_accuracy_score",
    )
    | _names(
        "sklearn.metrics._regression",
        "d2_absolute_error_score d2_pinball_score d2_tweedie_score explained_variance_score "
        "max_error mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance "
        "mean_pinball_loss mean_poisson_deviance mean_squared_error mean_squared_log_error "
        "mean_tweedie_deviance median_absolute_error r2_score root_mean_squared_error "
        "root_mean_squared_log_error",
    )
    | _names("sklearn.metrics._scorer", "negative_likelihood_ratio positive_likelihood_ratio")
    # Held by HistGradientBoosting with categories, in a `functools.partial`.
    | _names("sklearn.utils.validation", "check_array")
)

# Classes that some hold as a class: what a vectorizer's numbers are, how folds are repeated.
_HELD = _names("numpy", "number generic floating integer") | frozenset({"functools.partial"})

ALLOWED_TYPES = CLASSES | FUNCTIONS | _HELD


def refuse_types(types: Iterable[str], what: str, *, project: frozenset[str] = frozenset()) -> None:
    """Raise if one of some types is neither allowed nor one that a project may use."""
    extra = sorted(set(types) - ALLOWED_TYPES - project)
    if extra:
        shown = f"{extra[:10]}{' and more' if len(extra) > 10 else ''}"
        raise UnsafeModelError(
            f"{what} holds types outside the allow-list: {shown[:1000]}. Use estimators whose "
            "types are in mlops_tasks.registry.modelfiles.ALLOWED_TYPES"
        )
