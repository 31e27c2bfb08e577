"""Random changes of one thing in a project: a field, column, type, path, SQL word or value."""

from __future__ import annotations

import ast
import io
import json
import keyword
import random
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["KINDS", "Mutation", "mutations"]

KINDS = ("field", "column", "type", "path", "SQL word", "estimator word", "expectation")
_TYPES = ("string", "int64", "float64", "bool", "timestamp", "date")
_FREE = {"description", "owner", "query", "columns"}  # words for people, and other kinds
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|\d+|<=|>=|<>|[=<>*+-]")
_ESTIMATORS = (
    "LogisticRegression", "Ridge", "HistGradientBoostingClassifier", "TfidfVectorizer",
    "HistGradientBoostingRegressor", "OneHotEncoder", "StandardScaler", "KFold", "SVC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutation:
    """One thing changed in one file of a project.

    Attributes
    ----------
    project, file : str
        Whose, and its path in the folder of the projects.
    kind : str
        One of `KINDS`.
    line : int
        Where.
    before, after : str
        What was written, and what is.
    text : str
        The whole file as it is now.
    """

    project: str
    file: str
    kind: str
    line: int
    before: str
    after: str
    text: str

    @property
    def shown(self) -> str:
        """The change in a few words."""
        return f"{self.file}, line {self.line}: {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class _Spot:
    """Something that can be changed: where it is in a text, and what else could stand there."""

    kind: str
    file: str
    begin: int
    end: int
    choices: tuple[str, ...]


def mutations(folder: Path, projects: dict[str, list[str]], n: int, seed: int) -> list[Mutation]:
    """Draw changes, as many of each kind and project as there is room for, none twice.

    Parameters
    ----------
    folder : Path
        Folder of the projects.
    projects : dict of str to list of str
        By model, the files that it is written in.
    n : int
        How many.
    seed : int
        Of the draw.
    """
    chance = random.Random(seed)
    texts = {file: (folder / file).read_text() for files in projects.values() for file in files}
    pools = {
        (project, kind): [spot for file in files for spot in _spots(file, texts[file], chance)
                          if spot.kind == kind]
        for project, files in projects.items()
        for kind in KINDS
    }  # fmt: skip
    pools = {at: pool for at, pool in pools.items() if pool}
    drawn: list[Mutation] = []
    seen: set[tuple[str, str]] = set()
    turns = 0
    while len(drawn) < n and turns < 50 * n:
        at = sorted(pools)[turns % len(pools)]
        turns += 1
        spot = chance.choice(pools[at])
        made = _made(at[0], spot, texts[spot.file], chance.choice(spot.choices))
        if made.before != made.after and (at[0], made.text) not in seen:
            seen.add((at[0], made.text))
            drawn.append(made)
    return drawn


def _made(project: str, spot: _Spot, text: str, after: str) -> Mutation:
    line = text.count("\n", 0, spot.begin) + 1
    whole = text[: spot.begin] + after + text[spot.end :]
    before = text[spot.begin : spot.end]
    return Mutation(project, spot.file, spot.kind, line, before, after or "(nothing)", whole)


def _spots(file: str, text: str, chance: random.Random) -> Iterator[_Spot]:
    if file.endswith(".json"):
        yield from _of_suite(file, text, chance)
    elif file.endswith(".sql"):
        yield from _of_sql(file, text, 0, chance)
    elif file.endswith("model.py"):
        yield from _of_estimator(file, text, chance)
    else:
        yield from _of_spec(file, text, chance)


def _typo(word: str, chance: random.Random) -> str:
    """Leave a letter out, double it, or swap two."""
    if len(word) < 2:
        return word + "x"
    at = chance.randrange(len(word) - 1)
    return chance.choice(
        (
            word[:at] + word[at + 1 :],
            word[: at + 1] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )


def _other_number(written: str, chance: random.Random) -> tuple[str, ...]:
    number = float(written)
    found = {0.0, number + 1, number * 10, -number, number / 10, number * chance.randint(20, 100)}
    whole = "." not in written and "e" not in written
    return tuple(sorted(str(int(one)) if whole else f"{one:g}" for one in found))


# --- SQL


def _of_sql(file: str, text: str, offset: int, chance: random.Random) -> Iterator[_Spot]:
    """Give the words of a query; comments are left alone."""
    bare = re.sub(r"--[^\n]*", lambda found: " " * len(found[0]), text)
    words = list(_WORD.finditer(bare))
    names = sorted({one[0] for one in words if one[0][0].isalpha()})
    for one in words:
        word, (begin, end) = one[0], one.span()
        if bare[begin - 1 : begin] == ":":
            choices: tuple[str, ...] = (_typo(word, chance), "start", "partition")
        elif word[0].isalpha():
            choices = (_typo(word, chance), chance.choice(names), chance.choice(names), "")
        elif word.isdigit():
            choices = _other_number(word, chance)
        else:
            choices = tuple(sorted({"=", "<", ">", "<=", "<>", "+", "-"} - {word}))
        yield _Spot("SQL word", file, offset + begin, offset + end, choices)


# --- suites


def _of_suite(file: str, text: str, chance: random.Random) -> Iterator[_Spot]:
    """Give the values of a suite: numbers, columns, types, members of sets."""
    suite = json.loads(text)
    strings = sorted(set(_strings(suite["expectations"])))
    at = text.index('"expectations"') + len('"expectations"')
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false', text[at:]):
        word = found[0]
        if word[0] == '"':
            choices: tuple[str, ...] = (
                f'"{_typo(word[1:-1], chance)}"',
                f'"{chance.choice(strings)}"',
            )
        elif word in ("true", "false"):
            choices = ("false" if word == "true" else "true",)
        else:
            choices = _other_number(word, chance)
        begin, end = at + found.start(), at + found.end()
        yield _Spot("expectation", file, begin, end, choices)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


# --- the estimator


def _of_estimator(file: str, text: str, chance: random.Random) -> Iterator[_Spot]:
    """Give names, numbers and strings of the code in it; no docstrings, no types."""
    starts = _starts(text)
    function = next(one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef))
    first = function.body[1].lineno
    tokens = [
        one
        for one in tokenize.generate_tokens(io.StringIO(text).readline)
        if one.start[0] >= first and one.type in (tokenize.NAME, tokenize.NUMBER, tokenize.STRING)
    ]
    names = sorted({one.string for one in tokens if one.type == tokenize.NAME})
    names = [name for name in names if not keyword.iskeyword(name)]
    for token in tokens:
        word = token.string
        begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        if token.type == tokenize.NAME and not keyword.iskeyword(word):
            others = _ESTIMATORS if word[0].isupper() else names
            choices: tuple[str, ...] = (_typo(word, chance), chance.choice(others))
        elif token.type == tokenize.NUMBER:
            choices = _other_number(word, chance)
        elif token.type == tokenize.STRING:
            choices = (f'"{_typo(word[1:-1], chance)}"',)
        elif word in ("return", "True", "False"):
            choices = {"return": ("",), "True": ("False",), "False": ("True",)}[word]
        else:
            continue
        yield _Spot("estimator word", file, begin, end, choices)


# --- the spec


def _of_spec(file: str, text: str, chance: random.Random) -> Iterator[_Spot]:
    tree = ast.parse(text)
    code = _Code(file, text, _starts(text), _plain_strings(tree), chance)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for one in node.keywords:
                yield from code.field(one)
        elif isinstance(node, ast.Dict):
            for name, kind in zip(node.keys, node.values, strict=True):
                if isinstance(name, ast.Constant) and isinstance(kind, ast.Constant):
                    yield from code.column(name, kind)
        elif isinstance(node, ast.Tuple):
            yield from (code.word("column", one) for one in node.elts if _is_text(one))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_text(node.right):
            yield code.path(node.right)
        elif _is_text(node) and re.search(r"\bSELECT\b", node.value):  # type: ignore[attr-defined]
            begin, end = code.span(node)
            yield from _of_sql(file, text[begin:end], begin, chance)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _plain_strings(tree: ast.AST) -> list[str]:
    texts = {str(one.value) for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    return sorted(text for text in texts if re.fullmatch(r"[a-z_]+", text))


@dataclass(frozen=True, slots=True)
class _Code:
    """The code of a spec, of which something is changed."""

    file: str
    text: str
    starts: list[int]
    strings: list[str]
    chance: random.Random

    def span(self, node: Any) -> tuple[int, int]:
        """Return where a node is; columns count bytes, of these projects' code also letters."""
        begin = self.starts[node.lineno - 1] + node.col_offset
        return begin, self.starts[node.end_lineno - 1] + node.end_col_offset

    def spot(self, kind: str, node: ast.AST, *choices: str) -> _Spot:
        return _Spot(kind, self.file, *self.span(node), choices)

    def word(self, kind: str, node: Any) -> _Spot:
        """Write a name with a typo, or another one of the same file."""
        other = self.chance.choice(self.strings)
        return self.spot(kind, node, f'"{_typo(node.value, self.chance)}"', f'"{other}"')

    def path(self, node: Any) -> _Spot:
        return self.spot("path", node, f'"{_typo(node.value, self.chance)}"')

    def column(self, name: ast.Constant, kind: ast.Constant) -> Iterator[_Spot]:
        """Change a column of the contract, or what a mistake costs."""
        yield self.word("column", name)
        if isinstance(kind.value, str):
            bare = kind.value.rstrip("?")
            others = [f'"{one}"' for one in _TYPES if one != bare]
            nullable = f'"{bare}"' if kind.value.endswith("?") else f'"{bare}?"'
            yield self.spot("type", kind, *others, nullable)
        else:
            yield self.spot("field", kind, *_other_number(str(kind.value), self.chance))

    def field(self, one: ast.keyword) -> Iterator[_Spot]:
        """Leave a field out, call it otherwise, or give it another value."""
        name = str(one.arg)
        if name in _FREE or one.arg is None:
            return
        begin, end = self.span(one)
        comma = end + (self.text[end : end + 1] == ",")
        yield _Spot("field", self.file, begin, comma, ("",))
        yield _Spot("field", self.file, begin, begin + len(name), (_typo(name, self.chance),))
        if isinstance(one.value, ast.Constant):
            yield from self.value(name, one.value)

    def value(self, name: str, node: ast.Constant) -> Iterator[_Spot]:
        """Change the value of a field."""
        written, chance = node.value, self.chance
        if name in ("target", "positive"):
            begin, end = self.span(node)
            yield from _of_sql(self.file, self.text[begin + 1 : end - 1], begin + 1, chance)
        elif name == "estimator":
            yield self.path(node)
        elif isinstance(written, bool):
            yield self.spot("field", node, str(not written))
        elif isinstance(written, int | float):
            yield self.spot("field", node, *_other_number(str(written), chance))
        elif isinstance(written, str) and (found := re.fullmatch(r"(\d+)([a-z]+)", written)):
            n = int(found[1])
            lengths = (f'"{number}{found[2]}"' for number in (20 * n, max(1, n - 1), 0))
            yield self.spot("field", node, *lengths, f'"{n}x"')
        elif isinstance(written, str):
            yield self.word("field", node)


def _starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
