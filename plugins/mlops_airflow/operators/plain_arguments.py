"""What operators take in place of a spec: a table, a target, features; a model by its name."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate import GatePlan
from mlops_tasks.names import check_name
from mlops_tasks.registry.artifacts import TABLE_MODEL
from mlops_tasks.registry.champions import champion_of, registered_version
from mlops_tasks.registry.tracking import CHALLENGER
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.specs import DatasetSpec, ModelSpec, TableModel
from mlops_tasks.specs.importable import check_importable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.specs import GateSpec

__all__ = [
    "check_dataset",
    "check_gate",
    "check_table_name",
    "model_name",
    "model_of",
    "named_version",
    "saved_model",
    "trained_version",
]

_FIELDS = frozenset(TableModel.model_fields) - {"table"}
_MODEL = re.compile(r"(?:models:/)?([a-z][a-z0-9_]*)(?:@(champion|challenger)|/([1-9][0-9]*))?")
_DAG_FILE = re.compile(r"^unusual_prefix_[0-9a-f]+_")
_KINDS = ("binary", "multiclass", "regression")


def model_of(
    who: str, model: ModelSpec | None, table: Any, kwargs: dict[str, Any]
) -> tuple[ModelSpec | TableModel, Callable[..., Any] | None]:
    """Take what describes a model out of the arguments of an operator.

    Parameters
    ----------
    who : str
        The operator and its task, for errors.
    model : ModelSpec or None
        A project's model.
    table : DatasetSpec, str or None
        In place of it, the table of a model of one table.
    kwargs : dict
        All other arguments; those of the model are removed.

    Returns
    -------
    tuple of (ModelSpec or TableModel, callable or None)
        The model, and the function that builds its estimator if it was given as such.

    Raises
    ------
    SpecError
        If both are given, or neither, or one of the arguments is wrong.
    """
    fields = {name: kwargs.pop(name) for name in list(kwargs) if name in _FIELDS}
    if model is not None:
        if given := sorted([*fields, *(["table"] if table is not None else [])]):
            raise SpecError(
                f"{who}: model= says everything of the model, and {given} are given beside it; "
                "leave out the one or the other"
            )
        if not isinstance(model, ModelSpec):
            raise SpecError(f"{who}: model= is a ModelSpec, not {type(model).__name__}")
        return model, None
    if table is None:
        raise SpecError(
            f"{who}: what is to be trained on? Give table=, a DatasetSpec or the name of a table, "
            "with name=, target=, estimator= and its features; or model=, a ModelSpec"
        )
    build = fields.get("estimator") if callable(fields.get("estimator")) else None
    if build is not None:
        fields["estimator"] = f"{_DAG_FILE.sub('', build.__module__)}:{build.__name__}"
    try:
        found = TableModel(table=table, **fields)
        if build is None:
            check_importable(found.estimator)
    except SpecError as error:
        raise SpecError(f"{who}: {error}") from None
    check_gate(who, found.gate, found.problem_type)
    return found, build


def check_gate(who: str, gate: GateSpec | None, problem_type: str | None) -> None:
    """Refuse a gate whose metric does not exist, of a problem type or, if that is open, of any.

    Parameters
    ----------
    who : str
        The operator and its task, for errors.
    gate : GateSpec or None
        The gate; None and one without a metric pass.
    problem_type : str or None
        That of the model, where it is known.
    """
    if gate is None or "expected_cost" in _named(gate):  # which needs the model's costs
        return
    errors = []
    for kind in (problem_type,) if problem_type else _KINDS:
        try:
            GatePlan.make(gate, kind)
            return
        except SpecError as error:
            errors.append(str(error))
    raise SpecError(f"{who}: gate: {errors[0].removeprefix('gate.')}")


def _named(gate: GateSpec) -> set[str | None]:
    return {gate.metric, *(gate.superiority or ()), *gate.non_inferiority}


def check_dataset(who: str, dataset: object) -> None:
    """Refuse what is no dataset, while the Dag is parsed.

    Parameters
    ----------
    who : str
        The operator and its task, for errors.
    dataset : object
        Its argument.
    """
    if not isinstance(dataset, DatasetSpec):
        raise SpecError(
            f"{who}: dataset= is a DatasetSpec, which says columns, key and source, not "
            f"{type(dataset).__name__} {dataset!r}"
        )


def check_table_name(who: str, argument: str, table: str) -> None:
    """Refuse a name that no table can have; one that is rendered later is checked then.

    Parameters
    ----------
    who : str
        The operator and its task, for errors.
    argument, table : str
        The name of its argument, and what was given.
    """
    if "{{" in table:
        return
    try:
        check_name(table)
    except SpecError as error:
        raise SpecError(f"{who}: {argument}=: {error}") from None


def named_version(
    model: str, *, tracking: Tracking, ledger: Ledger, who: str = "ScorePartitionOperator"
) -> RegisteredVersion:
    """Return the version that a text names, as the ledger knows it.

    Parameters
    ----------
    model : str
        ``no_show`` or ``models:/no_show@champion`` is the champion, ``models:/no_show@challenger``
        the newest registered version, ``models:/no_show/3`` one of them.
    tracking, ledger : Tracking, Ledger
        The registry.
    who : str
        For errors.

    Returns
    -------
    RegisteredVersion
        With the digests of its files.

    Raises
    ------
    SpecError
        If the text names none in these forms.
    NoChampionError, UnknownVersionError
        If there is no such version.
    """
    name, alias, number = model_name(who, model)
    if number:
        return registered_version(name, number, ledger=ledger)
    if alias == CHALLENGER:
        found = tracking.client.get_model_version_by_alias(name, CHALLENGER)
        return registered_version(name, str(found.version), ledger=ledger)
    return champion_of(name, tracking=tracking, ledger=ledger)


def model_name(who: str, model: str) -> tuple[str, str, str]:
    """Split the name of a model into name, alias and version.

    Parameters
    ----------
    who : str
        The operator and its task, for errors.
    model : str
        As `named_version` takes it.

    Returns
    -------
    tuple of str
        Name, alias and version; of the last two one at least is empty.
    """
    match = _MODEL.fullmatch(model)
    if match is None:
        raise SpecError(
            f"{who}: model={model!r} names no model; write 'no_show', 'models:/no_show@champion', "
            "'models:/no_show@challenger' or 'models:/no_show/3'"
        )
    name, alias, number = match.groups(default="")
    return name, alias, number


def trained_version(trained: TrainResult) -> RegisteredVersion:
    """Return a trained model in the form of a version: what is kept beside it is read the same."""
    return RegisteredVersion(
        name=f"run {trained.run_id}",
        version="not registered",
        run_id=trained.run_id,
        model_uri=trained.model_uri,
        digest=trained.digest,
        artifacts=trained.artifacts,
    )


def saved_model(version: RegisteredVersion, *, tracking: Tracking) -> TableModel:
    """Return what a version was trained as: its table, features and problem type.

    Parameters
    ----------
    version : RegisteredVersion
        The version.
    tracking : Tracking
        Where its run is.

    Returns
    -------
    TableModel
        As it was, proven by the digest that the ledger has of it.

    Raises
    ------
    SpecError
        If it was trained from a ModelSpec, whose features are more than columns of a table.
    """
    if TABLE_MODEL not in version.artifacts:
        raise SpecError(
            f"version {version.version} of {version.name!r} was not trained on a table, so nobody "
            "knows which columns it is asked with; give the operator model=, its ModelSpec"
        )
    return TableModel.restored(json.loads(tracking.read_artifact(version, TABLE_MODEL)))
