"""The throw-away process of a smoke test, run with ``python -m``.

It is given an order in one line of JSON and rows as a stream of Arrow, on standard input. It writes
a line of JSON for each query that it begins, and one for each that it has ended.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import MlopsError
from mlops_tasks.features import model_frame
from mlops_tasks.features.feature_types import fitted_forms
from mlops_tasks.gate.latency import measure_latency
from mlops_tasks.gate.smoke.queries import edge_rows, wrong_rows
from mlops_tasks.problem_types import problem_type
from mlops_tasks.registry.modelfiles import load_model
from mlops_tasks.registry.modelfiles.extra_files import EXTRA_FILES
from mlops_tasks.registry.modelfiles.golden_rows import differing_rows
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import TableModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Answer = npt.NDArray[np.float64]

__all__ = ["SmokeTest", "main"]

# A sum in another order differs by less, a score that depends on other rows by more.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_ALONE, _NAMED, _SHOWN = 20, 5, 300


class SmokeTest:
    """The queries of one model, each told before it is made and after.

    Parameters
    ----------
    spec : TableModel
        What the model is asked with.
    rows : Table
        Valid rows.
    folder : Path
        Its files.
    hidden : bool
        Whether errors may show values of people.
    tell : callable
        Takes what was found, as plain JSON.
    """

    def __init__(
        self,
        spec: TableModel,
        rows: pa.Table,
        folder: Path,
        *,
        hidden: bool,
        tell: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.spec, self.rows, self.folder = spec, rows, folder
        self.hidden, self.tell = hidden, tell
        self.model: Any = None

    def run(self, digest: str) -> None:
        """Load the model, ask it everything, and tell how long it takes."""
        if not self._load(digest):
            return
        names = [str(name) for name in getattr(self.model, "feature_names_in_", self.spec.features)]
        forms = fitted_forms(self.model, names, self.spec.categorical)
        self._golden()
        if not self._valid():
            return
        for kind, tables in edge_rows(self.rows, forms).items():
            self._edge(kind, tables)
        for kind, tables in wrong_rows(self.rows, forms):
            self._wrong(kind, tables)
        self.tell({"begins": "latency"})
        self.tell({"latency": to_json(measure_latency(self.score, self.rows))})

    def score(self, rows: pa.Table) -> Answer:
        """Predict as scoring does: from rows of the features to what is published."""
        import numpy as np
        import pyarrow.types as pt

        problem = problem_type(self.spec.problem_type)
        found = problem.predict(self.spec, self.model, model_frame(self.spec, self.model, rows))
        numbers = [one for one in found.values() if pt.is_float64(one.type) and not one.null_count]
        return np.column_stack([one.to_numpy() for one in numbers])

    def _load(self, digest: str) -> bool:
        name = "load the files, digest compared with the ledger"
        self.tell({"begins": name})
        before, started = _resident(), time.perf_counter()
        try:
            self.model = load_model(self.folder, digest=digest, examined=True)
        except MlopsError as error:
            self._ended(name, "failed", 0, self._said(error))
            return False
        load_s = round(time.perf_counter() - started, 3)
        self.tell({"load_s": load_s, "memory_bytes": max(_resident() - before, 0)})
        self._ended(name, "passed", 0, f"{digest[:12]}, loaded in {load_s:g} s")
        return True

    def _golden(self) -> None:
        name = "golden rows"
        self.tell({"begins": name})
        different, n_rows = differing_rows(self.model, self.folder / EXTRA_FILES)
        if not n_rows:
            text = "none were kept: the model answers no rows without its personal columns"
            self._ended(name, "cannot tell", 0, text)
            return
        text = f"{n_rows - different} of {n_rows} get the answer of the training"
        self._ended(name, "failed" if different else "passed", n_rows, text)

    def _valid(self) -> bool:
        name, n_rows = "valid rows", self.rows.num_rows
        self.tell({"begins": name})
        try:
            together = self.score(self.rows)
            alone = [self.score(self.rows.slice(i, 1))[0] for i in range(min(n_rows, _ALONE))]
        except Exception as error:  # whatever a model raises, it must not
            self._ended(name, "failed", n_rows, f"not scored: {self._said(error)}")
            return False
        import numpy as np

        same = np.isclose(together[: len(alone)], alone, rtol=_RELATIVE, atol=_ABSOLUTE)
        if wrong := int((~same.all(axis=1)).sum()):
            text = f"{wrong} of {len(alone)} rows get another score alone than among others"
            self._ended(name, "failed", n_rows, text)
            return False
        text = f"all {n_rows} are scored, and {len(alone)} of them the same alone"
        self._ended(name, "passed", n_rows, text)
        return True

    def _edge(self, kind: str, tables: Mapping[str, pa.Table]) -> None:
        """Ask for odd rows one by one: each gets a score, or is refused in our words."""
        name = f"{kind} in a row"
        refused: list[str] = []
        said = crashed = ""
        for where, error in self._asked(name, tables):
            if isinstance(error, MlopsError):
                refused, said = [*refused, where], said or self._said(error)
            elif error is not None:
                crashed = crashed or f"{where}: no error of ours: {self._said(error)}"
        n_rows = len(tables)
        if crashed:
            self._ended(name, "failed", n_rows, crashed)
        elif refused:
            text = f"refused for {_some(refused)}, and a refused row stops its partition: {said}"
            self._ended(name, "warned", n_rows, text)
        else:
            self._ended(name, "passed", n_rows, f"{n_rows} of {n_rows} are scored")

    def _wrong(self, kind: str, tables: Mapping[str, pa.Table]) -> None:
        """Ask for rows of another shape: each must be refused in our words."""
        name = kind
        scored: list[str] = []
        crashed = ""
        for where, error in self._asked(name, tables):
            if error is None:
                scored.append(where)
            elif not isinstance(error, MlopsError):
                crashed = crashed or f"{where}: no error of ours: {self._said(error)}"
        n_rows = len(tables)
        if scored:
            text = f"scored all the same for {_some(scored)}; it must be refused"
            self._ended(name, "failed", n_rows, text)
        elif crashed:
            self._ended(name, "failed", n_rows, crashed)
        else:
            self._ended(name, "passed", n_rows, f"{n_rows} of {n_rows} are refused")

    def _asked(
        self, name: str, tables: Mapping[str, pa.Table]
    ) -> Iterator[tuple[str, Exception | None]]:
        for where, rows in tables.items():
            self.tell({"begins": f"{name}, {where}"})
            try:
                self.score(rows)
            except Exception as error:  # whatever a model raises; which kind is the question
                yield where, error
            else:
                yield where, None

    def _ended(self, name: str, answer: str, n_rows: int, text: str) -> None:
        self.tell({"name": name, "answer": answer, "n_rows": n_rows, "text": text})

    def _said(self, error: Exception) -> str:
        """Say what an error says, but for what may be the value of a person."""
        if self.hidden:
            return type(error).__name__
        return f"{type(error).__name__}: {' '.join(str(error).split())[:_SHOWN]}"


def main(order: bytes, rows: bytes, out: TextIO) -> None:
    """Run a smoke test under limits of memory, processor time and file size."""
    import pyarrow as pa

    told = json.loads(order)
    sys.path += told["places"]  # at the end: nothing in them stands in for a library
    for limit, value in (
        (resource.RLIMIT_AS, told["memory"]),
        (resource.RLIMIT_CPU, ceil(time.process_time()) + told["cpu_s"]),
        (resource.RLIMIT_FSIZE, 0),  # it writes nothing, no core file either
    ):
        resource.setrlimit(limit, (value, value))
    _import_libraries()

    def tell(found: Mapping[str, Any]) -> None:
        out.write(json.dumps(dict(found)) + "\n")
        out.flush()

    test = SmokeTest(
        TableModel.restored(told["model"]),
        pa.ipc.open_stream(rows).read_all(),
        Path(told["folder"]),
        hidden=told["hidden"],
        tell=tell,
    )
    import joblib

    with warnings.catch_warnings(), joblib.parallel_config(backend="sequential"):
        warnings.simplefilter("ignore")
        test.run(told["digest"])
    tell({"done": True})


def _import_libraries() -> None:
    """Load what every model needs, so that it is not counted to the memory of this one."""
    import pandas  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import skops.io  # noqa: F401


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


if __name__ == "__main__":
    # Whatever a model prints goes to standard error: our own words must stay ours.
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.stdin.buffer.readline(), sys.stdin.buffer.read(), own)
