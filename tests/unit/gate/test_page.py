"""The page of the gate: everything that was asked is on it, and nothing that could do harm."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from mlops_airflow.ui.reports import report_headers
from mlops_tasks.gate.criteria import Criterion
from mlops_tasks.gate.explanation import Explanation
from mlops_tasks.gate.explanation.changes import ImportanceChange, PredictionChange
from mlops_tasks.gate.explanation.dependence import Dependence
from mlops_tasks.gate.explanation.pins import PinChange
from mlops_tasks.gate.explanation.reasons import Reason, RowReasons
from mlops_tasks.gate.page import GateFacts, render_gate_page
from mlops_tasks.gate.page.intervals import WIDTH, interval_bar
from mlops_tasks.gate.page.plots import curve_plots, dependence_plot
from mlops_tasks.gate.page.sections import sections
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.problem_types.curves import Confusion, Curve
from mlops_tasks.registry.versions import LeakSuspect

EVIL = "<script>alert('x')</script>\"><img src=http://evil.example/x onerror=y>"


def criterion(**changes: Any) -> Criterion:
    fields: dict[str, Any] = {
        "name": "roc_auc",
        "kind": "superiority",
        "answer": "fine",
        "text": "ROC AUC better than the champion's by +0.03",
        "value": 0.03,
        "lower": 0.01,
        "upper": 0.05,
        "margin": 0.0,
        "confidence": 0.95,
        "n_rows": 400,
    }
    return Criterion(**fields | changes)


ALL = (
    criterion(),
    criterion(name="brier", kind="non_inferiority", margin=-0.02),
    criterion(name="roc_auc in shop=bakery", kind="slice", answer="alarm", value=-0.2, lower=-0.3),
    criterion(name="error_gap of shop", kind="fairness", answer="cannot tell", margin=0.1),
    criterion(name="expected_calibration_error", kind="calibration", upper=None, margin=0.2),
    criterion(name="p99 of one row in ms", kind="latency", value=6.0, upper=6.0, margin=100.0),
    criterion(name="size in MB", kind="size", lower=None, upper=None, margin=None),
    criterion(name="of tomorrow", kind="novelty", failing="report"),
)


def verdict(**changes: Any) -> Verdict:
    fields: dict[str, Any] = {
        "verdict": "promote",
        "reason": "it is better",
        "n_rows": 400,
        "challenger": {"roc_auc": 0.81, "roc_auc_lower": 0.8, "roc_auc_upper": 0.9, "brier": 0.1},
        "champion": {"roc_auc": 0.78, "brier": 0.12},
        "champion_version": "3",
        "difference": {},
        "criteria": ALL,
        "worst_slices": (criterion(name="log_loss in items=4", kind="slice", failing="report"),),
        "plan": "f" * 64,
        "assumed": {"orders": 4},
    }
    return Verdict(**fields | changes)


def explanation(**changes: Any) -> Explanation:
    fields: dict[str, Any] = {
        "importance": (
            ImportanceChange("distance", 0.2, 0.1),
            ImportanceChange("new", 0.01, None),
            ImportanceChange("gone", None, 0.02),
        ),
        "dependence": (
            Dependence("distance", (1.0, 2.0, 3.0), {"": (0.1, 0.3, 0.2)}, 500),
            Dependence("shop", ("bakery", "grocer"), {"far": (0.1, 0.3)}, 500, (0.5, 0.4)),
            Dependence("note", (), {}, 0, note="a free text has no order of values"),
        ),
        "reasons": (RowReasons("far", 0.9, 0.3, (Reason("distance", "12", 0.4),)),),
        "reasons_by": "each effect: so and so",
        "predictions": (PredictionChange("shop", "bakery", 120, 0.25, 0.3, 0.2, 0.31),),
        "curves": (
            Curve("roc", (0.0, 0.5, 1.0), (0.0, 0.8, 1.0)),
            Curve("calibration", (0.1, 0.9), (0.2, 0.8), (40, 40)),
        ),
        "champion_curves": (Curve("roc", (0.0, 1.0), (0.0, 1.0)),),
        "confusion": Confusion(("false", "true"), ((190, 22), (47, 61))),
        "champion_confusion": None,
        "pins": (
            PinChange("orders", "a to b", "c to d", 9, 8, 2, 2, "d" * 64, "e" * 64, ("x",), ()),
        ),
        "limits": "importance on at most 2000 rows",
        "notes": ("no reasons of single predictions: RuntimeError",),
    }
    return Explanation(**fields | changes)


FACTS = GateFacts(
    "late_orders", "2024-03-18", "run1", ("2024-03-13", "2024-03-16"), {"seed": 7, "digest": "f"}
)


class Elements(HTMLParser):
    """Every element, and every word of attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "br", "circle", "line", "rect", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"circle", "line", "rect", "path"}:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return render_gate_page(FACTS, verdict(), explanation())


def test_everything_that_was_asked_is_there(page: str) -> None:
    for one in (*ALL, *verdict().worst_slices):
        assert one.name in page
    for word in (
        "Is it better?",
        "Is it no worse?",
        "Is any group harmed?",
        "What else was asked?",
    ):
        assert word in page
    for said in (
        "Promote",
        "It is better.",
        "champion, version 3",
        "f" * 64,
        "4 partitions of orders",
    ):
        assert said in page
    assert "reported only" in page
    assert "2024-03-13 to 2024-03-16" in page


def test_everything_that_explains_is_there(page: str) -> None:
    for said in (
        "distance = 12",
        "+0.4",
        "0.9 far",
        "a free text has no order",
        "25.0 %",
        "new: x",
        "190",
        "importance on at most 2000 rows",
        "no reasons of single predictions: RuntimeError",
        "29.1 %".replace("29.1", "50.0"),
    ):
        assert said in page, said
    figures = re.findall(
        r'<th scope="row">roc_auc</th><td>0.81</td><td>0.78</td><td>\+0.03</td>', page
    )
    assert len(figures) == 1
    assert "roc_auc_lower" not in page


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("promote", "Promote"),
        ("keep", "Keep the champion"),
        ("ask", "A person decides"),
        ("cannot_tell", "Cannot tell"),
    ],
)
def test_a_verdict_says_what_follows(said: str, word: str) -> None:
    page = render_gate_page(FACTS, verdict(verdict=said), explanation())
    assert f'<p class="word">{word}</p>' in page
    assert f"<title>{word}: late_orders as of 2024-03-18</title>" in page


def test_what_was_not_shown_is_no_alarm_and_harm_is() -> None:
    asked = (criterion(answer="alarm"), ALL[2])
    page = render_gate_page(FACTS, verdict(criteria=asked), explanation())
    assert '<span class="badge odd">not shown</span>' in page
    assert page.count('<span class="badge bad">alarm</span>') == 1


def test_the_page_is_well_formed_and_loads_nothing(page: str) -> None:
    found = Elements(page)
    assert found.open == []
    assert not {"script", "link", "img", "iframe", "object", "form", "a "} & set(found.tags)
    for name, value in found.attributes:
        assert name not in {"src", "style", "srcset"}
        assert not name.startswith("on")
        assert "://" not in value
        if name == "href":
            assert value.startswith("#")
            assert f'id="{value[1:]}"' in page
    assert "url(" not in page
    assert "@import" not in page


def test_what_serves_it_lets_only_its_own_style_apply(page: str) -> None:
    assert "style-src 'sha256-" in report_headers(page)["Content-Security-Policy"]
    assert page.count("<style>") == 1


def test_names_are_text_wherever_they_come_from() -> None:
    wild = explanation(
        importance=(ImportanceChange(EVIL, 0.2, 0.1),),
        dependence=(
            Dependence(EVIL, (1.0, 2.0), {EVIL: (0.1, 0.3), "b": (0.2, 0.1)}, 500),
            Dependence(EVIL, (EVIL, "b"), {EVIL: (0.1, 0.3)}, 500, (0.5, 0.4)),
            Dependence(EVIL, (), {}, 0, note=EVIL),
        ),
        reasons=(RowReasons(EVIL, 0.9, 0.3, (Reason(EVIL, EVIL, 0.4),)),),
        reasons_by=EVIL,
        predictions=(PredictionChange(EVIL, EVIL, 120, 0.25, 0.3, 0.2, 0.31),),
        confusion=Confusion((EVIL, "b"), ((1, 2), (3, 4))),
        pins=(PinChange(EVIL, EVIL, EVIL, 9, 8, 2, 2, EVIL, EVIL, (EVIL,), (EVIL,)),),
        limits=EVIL,
        notes=(EVIL,),
    )
    said = verdict(
        reason=EVIL,
        criteria=tuple(replace(one, name=EVIL, text=EVIL) for one in ALL),
        worst_slices=(criterion(name=EVIL, text=EVIL, kind="slice"),),
        challenger={EVIL: 1.0},
        champion_version=EVIL,
        assumed={EVIL: 1},
        suspects=(LeakSuspect((EVIL,), "alone", 1.0, 0.9, 1.0, 9, EVIL),),
        plan=EVIL,
    )
    facts = GateFacts(EVIL, EVIL, EVIL, (EVIL, EVIL), {EVIL: EVIL}, EVIL)
    found = Elements(render_gate_page(facts, said, wild))
    assert found.open == []
    assert not {"script", "img"} & set(found.tags)
    assert not any(name.startswith("on") or name == "src" for name, _ in found.attributes)


def test_a_first_model_with_next_to_nothing_has_a_page() -> None:
    bare = Explanation((), (), (), "", (), (), (), None, None, (), "nothing")
    said = verdict(
        verdict="cannot_tell",
        champion=None,
        champion_version=None,
        challenger={},
        criteria=(criterion(value=None, lower=None, upper=None, kind="floor"),),
        worst_slices=(),
        assumed={},
        plan="",
    )
    page = render_gate_page(FACTS, said, bare)
    assert "no champion yet" in page
    assert "There is nothing to draw" in page
    assert "What changes for whom" not in page
    assert Elements(page).open == []
    nothing = render_gate_page(FACTS, replace(said, criteria=()), bare)
    assert "Nothing was asked beyond what the reason says." in nothing


def test_many_slices_are_cut_off_and_counted() -> None:
    many = tuple(criterion(name=f"auc in g={i}", kind="slice", value=float(i)) for i in range(60))
    page = render_gate_page(FACTS, verdict(criteria=(ALL[0], *many)), explanation())
    assert "and 20 more in gate.json." in page
    assert "auc in g=0<" in page
    assert "auc in g=59<" not in page


def test_leak_suspects_come_first() -> None:
    suspect = LeakSuspect(("late", "later"), "sum", 0.99, 0.98, 1.0, 9, "late + later gives it")
    page = render_gate_page(FACTS, verdict(suspects=(suspect,)), explanation())
    assert page.index("late + later") < page.index("What was asked</h2>")


# --- bars


def test_a_difference_passes_right_of_its_margin() -> None:
    bar = interval_bar(criterion(kind="non_inferiority", margin=-0.02))
    assert bar is not None
    assert bar.margin is not None
    assert bar.zero is not None
    assert 0 < bar.margin < bar.zero < bar.lower < (bar.value or 0) < bar.upper < WIDTH
    assert bar.allowed == (bar.margin, WIDTH)


def test_a_limit_passes_left_of_it_and_has_no_zero() -> None:
    bar = interval_bar(criterion(kind="fairness", margin=0.1))
    assert bar is not None
    assert bar.zero is None
    assert bar.allowed == (0.0, bar.margin)
    assert (bar.margin or 0) > bar.upper


@pytest.mark.parametrize(
    ("margin", "answer", "side"),
    [(0.0, "fine", "right"), (0.1, "fine", "left"), (0.02, "alarm", None)],
)
def test_a_floor_shows_its_side_once_it_is_clear(
    margin: float, answer: str, side: str | None
) -> None:
    bar = interval_bar(criterion(kind="floor", margin=margin, answer=answer))
    assert bar is not None
    wanted = {"right": (bar.margin, WIDTH), "left": (0.0, bar.margin), None: None}
    assert bar.allowed == wanted[side]


def test_an_open_interval_reaches_the_edge() -> None:
    bar = interval_bar(criterion(kind="calibration", upper=None, margin=0.2))
    assert bar is not None
    assert bar.open_ended
    assert bar.upper == WIDTH


def test_what_has_no_value_or_no_limit_has_no_bar_and_one_number_has_a_dot() -> None:
    assert interval_bar(criterion(value=None)) is None
    size = {"kind": "size", "value": 5.0, "lower": None, "upper": None}
    assert interval_bar(criterion(margin=None, **size)) is None
    bar = interval_bar(criterion(margin=10.0, **size))
    assert bar is not None
    assert bar.lower == bar.value == bar.upper < WIDTH / 2
    assert interval_bar(criterion(kind="size", value=0.0, lower=0.0, upper=0.0, margin=None))


def test_slices_share_a_scale() -> None:
    wide, narrow = criterion(kind="slice", lower=-1.0, upper=1.0), criterion(kind="slice")
    alone, beside = interval_bar(narrow), interval_bar(narrow, [wide, narrow])
    assert alone is not None
    assert beside is not None
    assert beside.upper - beside.lower < alone.upper - alone.lower


def test_questions_come_in_order_and_harm_first() -> None:
    slices = [
        criterion(kind="slice", name="fine"),
        criterion(kind="slice", name="unclear", answer="cannot tell"),
        criterion(kind="slice", name="harmed", answer="alarm"),
    ]
    found = sections([*slices, criterion(kind="novelty"), criterion()])
    assert [part.question for part in found] == [
        "Is it better?",
        "Is any group harmed?",
        "What else was asked?",
    ]
    assert [one.name for one in found[1].criteria] == ["harmed", "unclear", "fine"]


# --- plots


def test_curves_of_both_share_a_frame() -> None:
    ours = [
        Curve("actual", (0.0, 10.0), (1.0, 9.0), (5, 5)),
        Curve("residuals", (0.1, 0.9), (-1.0, 2.0)),
    ]
    actual, residuals = curve_plots(ours, [Curve("actual", (-5.0, 5.0), (0.0, 5.0), (5, 5))])
    assert [who for who, _ in actual.lines] == ["champion", "challenger"]
    assert actual.x_ends == ("-5", "10")
    assert actual.reference
    assert [who for who, _ in residuals.lines] == ["challenger"]
    assert residuals.y_ends == ("-1", "2")
    assert curve_plots([Curve("roc", (), ())], []) == []


def test_a_flat_line_can_be_drawn_and_categories_are_a_table() -> None:
    flat = dependence_plot(Dependence("x", (1.0, 2.0), {"": (0.5, 0.5)}, 9))
    assert flat is not None
    assert "nan" not in flat.lines[0][1]
    assert dependence_plot(Dependence("x", ("a", "b"), {"": (0.5, 0.5)}, 9, (0.5, 0.5))) is None
    assert dependence_plot(Dependence("x", (), {}, 0, note="none")) is None
