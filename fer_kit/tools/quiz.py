"""Five questions after a lesson: buttons that answer in a notebook, plain text where these are missing."""

import importlib.util
import json
import string
import sys
from pathlib import Path

from fer_kit.runtime.extras import how_to_install

QUIZZES = Path(__file__).with_name("quizzes")
"""A file for each lesson, 04.json, in the form that the package jupyterquiz reads."""


def quiz(lesson):
    """Show the questions of a lesson: in a notebook a click on an answer says whether it is right, and why.

    Without the package jupyterquiz, or outside of a notebook, they are printed.

    Args:
        lesson: The number of the lesson, such as "04".

    Raises:
        ValueError: For a lesson that has no questions.
    """
    questions = read_quiz(lesson)
    installed = importlib.util.find_spec("jupyterquiz") is not None
    if installed and "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from jupyterquiz import display_quiz

        display_quiz(questions, colors={"--jq-many-choice-bg": "#8a3b00"})  # theirs is too light for white
        return
    print(as_text(questions))
    where = "In a notebook" if installed else f"{how_to_install('jupyterquiz')}; in a notebook"
    print(f"\n{where} a click on an answer then says whether it is right, and why.")


def read_quiz(lesson):
    """Return the questions of a lesson, a list of dict; raises ValueError, naming those that there are."""
    path = QUIZZES / f"{lesson:0>2}.json"
    if not path.exists():
        known = ", ".join(sorted(found.stem for found in QUIZZES.glob("*.json")))
        raise ValueError(f"lesson {lesson!r} has no questions; give one of {known}")
    return json.loads(path.read_text(encoding="utf-8"))


def as_text(questions):
    """Return questions as text: each with its number, and the answers to choose from with a letter each."""
    lines = []
    for number, question in enumerate(questions, 1):
        lines += ["", f"{number}. {question['question']}", *question.get("code", "").splitlines()]
        choices = [answer["answer"] for answer in question["answers"] if "choice" in question["type"]]
        lines += [f"   {string.ascii_lowercase[k]}) {choice}" for k, choice in enumerate(choices)]
    return "\n".join(lines[1:])
