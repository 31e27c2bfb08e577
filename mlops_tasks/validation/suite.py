"""Suites: read from JSON, and refused where Great Expectations would drop or misjudge quietly."""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SuiteError, UnknownExpectationError
from mlops_tasks.validation.expectation_types import columns_read, how_in_chunks, why_refused
from mlops_tasks.validation.suite_arguments import check_needed, checked_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlops_tasks.validation.expectation_types import How

__all__ = ["Expectation", "Suite", "load_suite"]

SEVERITIES = ("critical", "warning", "info")
_SUITE_KEYS = {"name", "expectations", "meta", "notes", "id"}
_ITEM_KEYS = {"type", "kwargs", "severity", "meta", "notes", "description", "id"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation of a suite, checked and ready for Great Expectations.

    Attributes
    ----------
    index : int
        Place in the suite.
    kind : str
        Type as Great Expectations names it.
    kwargs : dict
        Its arguments; times are instants in UTC.
    severity : str
        ``critical``, ``warning`` or ``info``.
    columns : tuple of str
        Columns it reads; None reads all.
    how : How
        How it is made when a partition is larger than one chunk.
    mostly : float
        Share of the rows that must meet it, where it judges rows.
    """

    index: int
    kind: str
    kwargs: dict[str, Any] = field(hash=False)
    severity: str
    columns: tuple[str, ...] | None
    how: How
    mostly: float

    @property
    def label(self) -> str:
        """Kind and columns, as reasons and reports name it."""
        return f"{self.kind}:{','.join(self.named)}" if self.named else self.kind

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that its arguments name."""
        single = [self.kwargs[n] for n in ("column", "column_A", "column_B") if n in self.kwargs]
        return (*single, *self.kwargs.get("column_list", ()))


@dataclass(frozen=True, slots=True)
class Suite:
    """All expectations of a dataset, and a digest that names this very suite."""

    name: str
    expectations: tuple[Expectation, ...]
    digest: str


def load_suite(path: Path | None, columns: Mapping[str, str] | None = None) -> Suite:
    """Read a suite and check every expectation before any row is looked at.

    Parameters
    ----------
    path : Path or None
        JSON with ``name`` and ``expectations``, each with ``type``, ``kwargs`` and ``severity``
        (``critical`` where it does not say). ``meta.imports`` may name modules that register
        expectation classes of the project's own. None expects nothing beyond the contract.
    columns : mapping of str to str, optional
        The contract; limits are then compared with the types of their columns.

    Returns
    -------
    Suite
        The checked suite.

    Raises
    ------
    UnknownExpectationError
        If a type does not exist, or cannot be judged on a dataframe with these libraries.
    SuiteError
        If anything else is wrong; the message names the expectation and the fix.
    """
    if path is None:
        return Suite("none", (), hashlib.sha256(b"").hexdigest())
    raw = _read(path)
    for module in _imports(path.name, raw):
        _import(path.name, module)
    items = [
        _expectation(path.name, index, item, columns or {})
        for index, item in enumerate(raw["expectations"])
    ]
    _refuse_twins(path.name, items)
    text = json.dumps(raw, sort_keys=True)
    return Suite(raw["name"], tuple(items), hashlib.sha256(text.encode()).hexdigest())


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        raise SuiteError(
            f"suite {path.name} cannot be read: {error.strerror or error}; the dataset's "
            "`expectations` names it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"suite {path.name} is not JSON: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("expectations"), list):
        raise SuiteError(f"suite {path.name}: it must be an object with a list `expectations`")
    if unknown := sorted(set(raw) - _SUITE_KEYS):
        raise SuiteError(
            f"suite {path.name}: unknown fields {unknown}; known are {sorted(_SUITE_KEYS)}"
        )
    if not isinstance(raw.get("name", ""), str):
        raise SuiteError(f"suite {path.name}: name is {raw['name']!r}; write a text")
    return {"name": path.stem, **raw}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a name twice: JSON would silently take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has {twice!r} twice; remove one")
    return found


def _imports(suite: str, raw: dict[str, Any]) -> list[str]:
    meta = raw.get("meta") or {}
    named = meta.get("imports") or [] if isinstance(meta, dict) else None
    if not isinstance(named, list) or not all(isinstance(module, str) for module in named):
        raise SuiteError(
            f"suite {suite}: meta.imports must be a list of modules, like "
            '"meta": {"imports": ["my_project.checks"]}'
        )
    return named


def _import(suite: str, module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:  # a module of the project may raise anything
        raise SuiteError(
            f"suite {suite}: meta.imports names {module!r}, which cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error


def _expectation(suite: str, index: int, item: Any, columns: Mapping[str, str]) -> Expectation:
    where = f"suite {suite}, expectation {index + 1}"
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise SuiteError(f"{where}: it must be an object with a `type`")
    kind = item["type"]
    where = f"{where} ({kind})"
    if unknown := sorted(set(item) - _ITEM_KEYS):
        raise SuiteError(f"{where}: unknown fields {unknown}; known are {sorted(_ITEM_KEYS)}")
    severity = item.get("severity") or "critical"
    if severity not in SEVERITIES:
        raise SuiteError(f"{where}: severity {severity!r} is none of {list(SEVERITIES)}")
    made = _class(suite, kind)
    given = item.get("kwargs") or {}
    if not isinstance(given, dict):
        raise SuiteError(f"{where}: kwargs is {given!r}; write an object, like {{}}")
    kwargs = _named(where, checked_arguments, kind, given, columns)
    # GX takes the condition as it was written: it knows no moments in a set.
    condition = {name: given[name] for name in ("row_condition",) if name in given}
    built = _build(where, made, kwargs | condition)
    _named(where, check_needed, kind, given)
    return Expectation(
        index=index,
        kind=kind,
        kwargs=kwargs,
        severity=severity,
        columns=columns_read(built),
        how=how_in_chunks(built, kind),
        mostly=float(getattr(built, "mostly", 1.0)),
    )


def _named(where: str, check: Callable[..., Any], *arguments: Any) -> Any:
    """Say in what expectation an argument is wrong."""
    try:
        return check(*arguments)
    except SuiteError as error:
        raise SuiteError(f"{where}: {error}") from error


def _class(suite: str, kind: str) -> Any:
    """Return the expectation's class; GX logs an unknown type, drops it, and passes."""
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    known = set(list_registered_expectation_implementations())
    if kind not in known:
        raise UnknownExpectationError(
            f"suite {suite}: there is no expectation {kind!r}; did you mean "
            f"{_closest(kind, known)!r}? Classes of your own are named in meta.imports"
        )
    made = get_expectation_impl(kind)
    if why := why_refused(kind, made):
        raise UnknownExpectationError(f"suite {suite}: {kind!r} {why}")
    return made


def _build(where: str, made: Any, kwargs: dict[str, Any]) -> Any:
    """Make the expectation once: GX drops one from a suite if its arguments are wrong."""
    try:
        return made(**kwargs)
    except (OverflowError, TypeError, ValueError) as error:  # pydantic's error is one
        details: list[dict[str, Any]] = getattr(error, "errors", list)()
        lines = {f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in details} or {str(error)}
        text = "; ".join(sorted(line.removeprefix("__root__: ") for line in lines))
        raise SuiteError(f"{where}: {text}") from error


def _refuse_twins(suite: str, items: list[Expectation]) -> None:
    seen: dict[str, Expectation] = {}
    for item in items:
        text = json.dumps([item.kind, item.kwargs], sort_keys=True, default=str)
        if first := seen.get(text):
            raise SuiteError(
                f"suite {suite}: expectations {first.index + 1} and {item.index + 1} are the same "
                f"({item.label}); remove one"
            )
        seen[text] = item


def _closest(kind: str, known: set[str]) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(kind, known, n=1, cutoff=0.0)), "")
