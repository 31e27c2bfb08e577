"""What of an estimator cannot be saved, in words: where it is, why, and what to use instead."""

from __future__ import annotations

import importlib
import io
from types import FunctionType
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.allowed import ALLOWED_TYPES
from mlops_tasks.registry.modelfiles.boosters import detached_boosters
from mlops_tasks.registry.modelfiles.parts import parts_of
from mlops_tasks.registry.modelfiles.project_code import project_folder
from mlops_tasks.registry.modelfiles.schema import misuse, read_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.registry.modelfiles.schema import Node

__all__ = ["check_types"]

_HOMELESS = (
    "a lambda, or made inside of a function, so there is no name to find it by when the model is "
    "loaded: define it at the top level of a module of the project"
)
_INSTEAD = {
    "functools.partial": "a partial, which may call anything: define a function in the project, or "
    "give the arguments where the function is given (kw_args= of FunctionTransformer)",
    "sklearn.cluster._birch.Birch": "an estimator that skops cannot save: use MiniBatchKMeans",
    "sklearn.metrics._dist_metrics.PyFuncDistance64": "a distance that is a function, which "
    "compiled code calls: name a metric of scikit-learn, such as 'manhattan'",
    "scipy.stats": "a distribution, which is made of dozens of functions: give the search lists of "
    "values, such as numpy.logspace(-3, 3, 20).tolist()",
}


def check_types(model: Any, package: str = "") -> frozenset[str]:
    """Refuse to save a model that could not be loaded again.

    Parameters
    ----------
    model : estimator
        A scikit-learn estimator, fitted or not.
    package : str, optional
        Top-level package of the project, whose classes and functions the model may use.

    Returns
    -------
    frozenset of str
        The classes and functions of the project that it uses.

    Raises
    ------
    UnsafeModelError
        Naming the innermost part that cannot be saved, why, and what to use instead.
    """
    with detached_boosters(model):
        return _check(model, package)


def _check(model: Any, package: str) -> frozenset[str]:
    import skops.io

    try:
        data = skops.io.dumps(model)
    except Exception as error:  # skops and the model's own classes raise whatever they like
        raise UnsafeModelError(_undumped(model, error)) from error
    nodes = read_nodes(io.BytesIO(data))
    unknown = set(skops.io.get_untrusted_types(data=data)) - ALLOWED_TYPES
    nameless = {_name(part) for part in parts_of(model) if _is_nameless(part)}
    own = project_folder(package) is not None
    used = set()
    for node in nodes:
        if node.name in nameless or "<" in node.name:
            raise UnsafeModelError(f"{_place(node)}: {_HOMELESS}")
        wrong = misuse(node)
        if node.name not in unknown and not wrong:
            continue
        ours = own and node.name.split(".")[0] == package
        if wrong or not ours:
            raise UnsafeModelError(f"{_place(node)}: {_instead(node, wrong, package)}")
        used.add(node.name)
    return frozenset(used)


def _place(node: Node) -> str:
    return f"{node.where} holds {node.name[:200]!r}"


def _instead(node: Node, wrong: str, package: str) -> str:
    for start, words in _INSTEAD.items():
        if node.name.startswith(start):
            return words
    if wrong:
        return wrong
    kind = "function" if node.loader == "FunctionNode" else "class"
    if package and node.name.split(".")[0] == package:
        return f"a {kind} of {package!r}, which is no project but an installed library"
    own = f", here {package!r}" if package else ""
    return (
        f"a {kind} that is not on the allow-list of those known to be safe. Use an estimator of "
        f"scikit-learn, xgboost or lightgbm, or a {kind} in the project itself{own}, the package "
        "of the spec's estimator"
    )


def _undumped(model: Any, error: Exception) -> str:
    """Name the innermost part that skops cannot write."""
    import skops.io

    culprit, reason = model, error
    for part in _estimators(model):
        try:
            skops.io.dumps(part)
        except Exception as inner:
            culprit, reason = part, inner  # the last one met lies deepest
    name = f"{type(culprit).__module__}.{type(culprit).__qualname__}"
    words = _INSTEAD.get(name) or f"it cannot be saved: {type(reason).__name__}: {reason}"
    return f"{type(culprit).__name__} holds {name!r}: {words[:500]}"


def _estimators(model: Any) -> Iterator[Any]:
    return (part for part in parts_of(model) if hasattr(part, "get_params"))


def _name(part: Any) -> str:
    return f"{part.__module__}.{part.__name__}"


def _is_nameless(part: Any) -> bool:
    """Whether a function or class is not what its name leads to."""
    if not isinstance(part, FunctionType | type):
        return False
    try:
        return getattr(importlib.import_module(part.__module__), part.__name__, None) is not part
    except ImportError:
        return True
