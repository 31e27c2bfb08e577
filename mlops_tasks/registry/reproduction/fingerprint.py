"""What went into a fit and what came out, each by a digest: to be compared with a repetition."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.modelfiles.project_code import project_folder
from mlops_tasks.registry.reproduction.project_sources import git_commit

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.specs import ModelSpec, TableModel

__all__ = ["Fingerprint", "array_digest", "estimator_parameters", "frame_digest", "spec_fields"]

_SHOWN = 200
# What of a spec decides about a fit; which rows, the pin says.
_FIELDS = (
    "problem_type",
    "as_of",
    "categorical",
    "numeric",
    "text",
    "weight",
    "estimator",
    "features_python",
    "split",
)
# What a candidate or a search has chosen for this one fit.
_CHOSEN = ("estimator", "estimator_params", "random_state")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One training, by what it depends on and what it gave.

    Attributes
    ----------
    chosen : dict
        Fields of the spec as this fit had them, whatever candidate or search chose them:
        ``estimator``, ``random_state`` and, where there are some, ``estimator_params``.
    spec : dict of str to str
        The other fields that decide about a fit, as text.
    parameters : dict of str to str
        Parameters of the unfitted estimator, as text; seeds among them.
    features, target, weights : str
        Digests of the frame that was fitted on, in its order, of the target and of the weights.
    n_rows : int
        Rows of them.
    content : str
        `content_digest` of the fitted model.
    commit : str
        Commit of the repository that the project was checked out from, if it was: for people.
    """

    chosen: dict[str, Any]
    spec: dict[str, str]
    parameters: dict[str, str]
    features: str
    target: str
    weights: str
    n_rows: int
    content: str
    commit: str = field(default="", compare=False)

    @classmethod
    def of(
        cls,
        spec: ModelSpec | TableModel,
        model: Any,
        frame: pd.DataFrame,
        target: npt.NDArray[Any],
        weights: npt.NDArray[Any] | None,
        content: str,
    ) -> Fingerprint:
        """Return that of a fit; O(bytes of the frame), some 0.2 s for a million rows of ten."""
        chosen, fields = spec_fields(spec)
        home = project_folder(spec.package)
        return cls(
            chosen=chosen,
            spec=fields,
            parameters=estimator_parameters(model),
            features=frame_digest(frame),
            target=array_digest(target),
            weights="" if weights is None else array_digest(weights),
            n_rows=len(frame),
            content=content,
            commit=git_commit(home) if home else "",
        )

    @property
    def seeds(self) -> dict[str, str]:
        """Every seed of the fit by the name of its parameter, ``None`` where one is not set."""
        own = {"random_state": str(self.chosen.get("random_state"))}
        named = {name: text for name, text in self.parameters.items() if _is_seed(name)}
        return own | named

    @property
    def unseeded(self) -> list[str]:
        """Parameters for seeds that the project leaves open."""
        return sorted(name for name, text in self.parameters.items() if _unset_seed(name, text))


def _is_seed(name: str) -> bool:
    """Return whether a parameter of an estimator, or of a part of it, is its seed."""
    return name.rpartition("__")[2] in {"random_state", "seed"}


def _unset_seed(name: str, text: str) -> bool:
    """Return whether it is a seed that is not set."""
    return _is_seed(name) and text == "None"


def spec_fields(spec: ModelSpec | TableModel) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields that a fit's choice has set, and the others that decide about it."""
    plain = spec.model_dump(mode="json", include={*_FIELDS, *_CHOSEN})
    chosen = {name: plain[name] for name in _CHOSEN if plain.get(name) not in (None, {})}
    fields = {name: str(plain[name]) for name in _FIELDS if name in plain}
    return chosen, fields | {"target": spec.target_sql}


def estimator_parameters(model: Any) -> dict[str, str]:
    """Return the parameters of an unfitted estimator and its parts as text, objects by class."""
    found = model.get_params()
    return {name: _text(found[name]) for name in sorted(found)}


def _text(value: Any) -> str:
    text = repr(value)
    if " at 0x" in text:  # where it was in memory; its own parameters, if it has some, are listed
        return type(value).__name__
    short = len(text) <= _SHOWN
    return text if short else f"{type(value).__name__} {hashlib.sha256(text.encode()).hexdigest()}"


def frame_digest(frame: pd.DataFrame) -> str:
    """Return one digest over names, types, values and order of a frame of features.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        Numbers, texts and categories; NaN is a value like others.

    Returns
    -------
    str
        SHA-256. A text column gives the same whether it is kept as objects or in Arrow.
    """
    digest = hashlib.sha256()
    for name, values in frame.items():
        digest.update(f"{name} {array_digest(values.array)}\n".encode())
    return digest.hexdigest()


def array_digest(values: Any) -> str:
    """Return one digest over the values of a column, in their order."""
    import numpy as np

    numbers = np.asarray(values)
    return _numbers(numbers) if numbers.dtype.kind in "fiubM" else _texts(values)


def _numbers(numbers: npt.NDArray[Any]) -> str:
    import numpy as np

    digest = hashlib.sha256(f"{numbers.dtype.str} {numbers.shape}\n".encode())
    if numbers.dtype.kind == "f":  # bits of a NaN are no value
        missing = np.isnan(numbers)
        digest.update(np.packbits(missing).tobytes())
        numbers = np.where(missing, numbers.dtype.type(0), numbers) if missing.any() else numbers
    digest.update(np.ascontiguousarray(numbers).data)
    return digest.hexdigest()


def _texts(values: Any) -> str:
    """Digest each different text once, in the order of their first rows, then what each row has."""
    import pandas as pd

    codes, names = pd.factorize(values)
    digest = hashlib.sha256(b"text\n")
    for name in names:
        text = str(name).encode()
        digest.update(b"%d:%s" % (len(text), text))
    digest.update(codes.astype("int64").tobytes())
    return digest.hexdigest()
