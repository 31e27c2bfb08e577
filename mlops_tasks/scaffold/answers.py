"""What a person has said about a new model, and what was assumed where nothing was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Answers", "Assumption", "Assumptions", "Question"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of a model before its source is looked at; empty means: look, or ask.

    Attributes
    ----------
    name : str
        Of the model, and of its folder.
    table, query : str
        Table of a database, or folder below the folder of files; or a query on the database.
    label_table : str
        Table or folder with the label, where it is another one.
    target : str
        SQL expression over the columns that have the label.
    problem_type : str
        ``binary``, ``multiclass`` or ``regression``.
    time_column : str
        Column with the row's own moment.
    key : tuple of str
        Columns that together identify a row.
    grain : str
        ``hour``, ``day``, ``week`` or ``month``.
    timezone : str
        Zone of times without one, and of the midnights that end days.
    delay : str
        How long after a partition its labels are known, such as ``2d``.
    first : str
        First day to take.
    ignore : tuple of str
        Columns that are not taken.
    known : tuple of str
        Columns that are known at the row's moment, whatever they look like.
    """

    name: str
    table: str = ""
    query: str = ""
    label_table: str = ""
    target: str = ""
    problem_type: str = ""
    time_column: str = ""
    key: tuple[str, ...] = ()
    grain: str = ""
    timezone: str = ""
    delay: str = ""
    first: str = ""
    ignore: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that was found, or assumed.

    Attributes
    ----------
    what : str
        What it is about, such as ``key``.
    value : str
        What it seems to be.
    why : str
        Why it seems so.
    option : str
        How to say otherwise; empty where that is done in the files.
    """

    what: str
    value: str
    why: str
    option: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What only a person knows.

    Attributes
    ----------
    option : str
        The option that answers it, such as ``--target``.
    text : str
        The question.
    choices : sequence of str
        What may be answered; empty where anything may.
    """

    option: str
    text: str
    choices: Sequence[str] = ()


@dataclass(slots=True)
class Assumptions:
    """What was found on the way, in the order in which a person reads it.

    Attributes
    ----------
    ask : callable
        Answers a question, or raises where nobody can be asked.
    found : list of Assumption
        So far.
    watch : callable
        Called with a short line as each is found, and before what takes long.
    """

    ask: Callable[[Question], str]
    found: list[Assumption] = field(default_factory=list)
    watch: Callable[[str], None] = lambda _: None

    def add(self, what: str, value: str, why: str, option: str = "") -> None:
        """Note one."""
        self.found.append(Assumption(what, value, why, option))
        self.watch(f"{what}: {value}")
