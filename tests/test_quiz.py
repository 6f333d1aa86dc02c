"""The questions after a lesson: their files, and how they are shown with and without jupyterquiz."""

import json
import re
import sys

import pytest
from house import NOTEBOOKS, complain

import fer_kit
from fer_kit.tools.quiz import QUIZZES, as_text, read_quiz

FILES = sorted(QUIZZES.glob("*.json"))
ANSWERS = {"multiple_choice": (3, 5), "many_choice": (3, 6), "numeric": (2, 6)}
"""The types of questions, and how many answers they may have."""


def texts_of(question):
    """Yield everything of a question that is shown as HTML."""
    yield question["question"]
    for answer in question["answers"]:
        yield from (answer[part] for part in ("answer", "feedback") if part in answer)


def problems_of(question):
    """Yield what is wrong with the form of a question."""
    kind, answers = question["type"], question["answers"]
    known = {"question", "type", "answers", "code"} | ({"precision"} if kind == "numeric" else set())
    if set(question) - known:
        yield f"unknown parts {set(question) - known}"
    if kind not in ANSWERS or not ANSWERS[kind][0] <= len(answers) <= ANSWERS[kind][1]:
        yield f"{kind} with {len(answers)} answers; there may be {ANSWERS}"
    if any(len(answer.get("feedback", "")) < 10 for answer in answers):
        yield "an answer without a feedback that says why"
    right = sum(answer.get("correct") is True for answer in answers)
    if kind == "numeric":
        if right < 1 or answers[-1].get("type") != "default":
            yield "a number needs a right value or range, and the default as its last answer"
        if any({"value": "value", "range": "range"}.get(a["type"], "type") not in a for a in answers):
            yield "a value needs its `value`, a range its `range`"
    elif {tuple(sorted(answer)) for answer in answers} != {("answer", "correct", "feedback")}:
        yield "each answer has exactly `answer`, `correct`, `feedback`"
    elif (right == 1) != (kind == "multiple_choice") or right == len(answers):
        yield f"{kind} with {right} right answers"
    for text in texts_of(question):
        if re.search(r"[<>$`]|&|\*\w", text):
            yield f"{text!r} is shown as HTML: write it without < > $ & ` and *emphasis*"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_form_of_every_file(path):
    questions = json.loads(path.read_text(encoding="utf-8"))
    assert len(questions) == 5, f"{len(questions)} questions; there should be five"
    complain(
        [f"question {k}: {said}" for k, one in enumerate(questions, 1) for said in problems_of(one)],
        f"write tools/quizzes/{path.name} in the form of 00.json",
    )
    asked = [question["question"] for question in questions]
    assert len(set(asked)) == 5
    written = json.dumps(questions, indent=1, ensure_ascii=False) + "\n"
    assert path.read_text(encoding="utf-8") == written, "indent it by 1, as notebooks are"


def test_every_file_belongs_to_a_lesson():
    assert {path.stem for path in FILES} <= {path.name[:2] for path in NOTEBOOKS}


def test_without_the_package_they_are_printed(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fer_kit.quiz("00")
    said = capsys.readouterr().out
    for question in read_quiz(0):
        assert question["question"] in said and question["answers"][0]["feedback"] not in said
    assert "   a) under which of seven words" in said and 'pip install "fer-kit[quiz]"' in said


def test_outside_of_a_notebook_they_are_printed(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: "there")
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    fer_kit.quiz("00")
    said = capsys.readouterr().out
    assert "1. What does a network" in said and "pip install" not in said


def test_in_a_notebook_there_are_buttons(monkeypatch, capsys):
    pytest.importorskip("jupyterquiz", reason='pip install "fer-kit[quiz]"')
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: "a notebook")
    for module in ("jupyterquiz.dynamic.display",):
        __import__(module)
        monkeypatch.setattr(sys.modules[module], "display", shown.append)
    fer_kit.quiz("00")
    page, script = (piece.data for piece in shown)
    assert "<div" in page and json.dumps(read_quiz("00")) in script and not capsys.readouterr().out


def test_code_and_numbers_as_text():
    asked = {"question": "How many?", "type": "numeric", "code": "a = 1\nb = 2", "answers": [{"value": 3}]}
    assert as_text([asked, asked]) == "1. How many?\na = 1\nb = 2\n\n2. How many?\na = 1\nb = 2"


def test_a_lesson_without_questions_is_named():
    with pytest.raises(ValueError, match="lesson '99' has no questions; give one of 00"):
        fer_kit.quiz("99")
