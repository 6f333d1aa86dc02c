"""Each exercise's check refuses plausible wrong answers and passes right ones, however they are written.

The answers stand in tests/answers, one file for each lesson: `# %% 03-1 wrong: squares only` begins a wrong
answer to exercise 1, `right` a right one that is written differently from the lesson's own. No lesson is run
as a whole: of its cells only those run that answers and checks depend on, and `# %% instead` defines what
would take long, such as a trained network.
"""

import ast
import contextlib
import re
from functools import lru_cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
from house import NOTEBOOKS

from fer_kit.tools.labs import defined_in, has_tag, todo, used_in, with_exercises, without_magics

ANSWERS = Path(__file__).with_name("answers")
LESSONS = {path.name[:2]: path for path in NOTEBOOKS}
HEAD = re.compile(r"# %% (?:(\d\d-\d) (wrong|right): .+|instead)\n")


@lru_cache
def written_answers(number):
    """Return the cells of a lesson's file of answers, (head, exercise, kind, source) each."""
    text = (ANSWERS / f"{number}.py").read_text(encoding="utf-8")
    heads = list(HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [(h[0].strip(), h[1], h[2], text[h.end() : end]) for h, end in zip(heads, ends, strict=True)]


@lru_cache
def exercises():
    """Return {id: (its solution, its check, what a lab gives in place of the solution)}, sources of code."""
    found = {}
    for number, path in LESSONS.items():
        for cell, exercise in with_exercises(nbformat.read(path, as_version=4)):
            if exercise and has_tag(cell, "check"):
                (solution,) = exercise.tagged("solution")
                sources = (solution.source, cell.source, todo(solution, exercise))
                found[f"{number}-{exercise.number}"] = sources
    return found


# ---- the cells that a check depends on ----


@lru_cache
def sources(number):
    """Return the sources that have to run before a lesson's answers and checks, in order."""
    lesson = nbformat.read(LESSONS[number], as_version=4)
    cells = [
        without_magics(c.source)
        for c in lesson.cells
        if c.cell_type == "code" and not {"solution", "check"} & tags(c)
    ]
    instead = "".join(source for _, exercise, _, source in written_answers(number) if exercise is None)
    given = defined_in(instead)
    place = next((k for k, source in enumerate(cells) if defined_in(source) & given), 0)
    wanted = set()
    for exercise, (solution, last, _) in exercises().items():
        if exercise.startswith(number):
            own = [source for _, of, _, source in written_answers(number) if of == exercise]
            wanted |= set().union(*map(used_in, [solution, *own]), used_in(last) - defined_in(solution))
    needed = []
    for k in reversed(range(len(cells))):
        if defined_in(cells[k]) & (wanted - given):
            needed.append(cells[k])
            wanted |= used_in(cells[k])
        if k == place:
            needed.append(instead)
            wanted |= used_in(instead)
    return needed[::-1]


def tags(cell):
    return set(cell.metadata.get("tags", []))


# ---- running them ----


@lru_cache(maxsize=1)
def space(number, data):
    """Return the names that a lesson gives to its exercises, on drawn faces ("sample") or an archive."""
    names = {"__name__": "lesson", "display": print}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("FER_DATA", data)
        for source in sources(number):
            run(source, names, "lesson")
    return names


def run(source, names, what):
    exec(compile(source, f"<{what}>", "exec"), names)


def answered(exercise, data, source):
    """Return the names that are there once `source` has answered an exercise."""
    names = dict(space(exercise[:2], data))
    run(source, names, f"answer to {exercise}")
    return names


def check(exercise, names):
    """Run the check of an exercise. Raises AssertionError where it refuses the answer."""
    run(exercises()[exercise][1], names, f"check of {exercise}")


def all_answers():
    """Return (exercise, data, kind, source) of every answer, the lessons' own too, as pytest's parameters.

    A lesson whose exercises use no faces runs once. Answers of one lesson and dataset follow each other, so
    that its names are in memory no longer than that.
    """
    parameters = []
    for number in LESSONS:
        rows = [(of, kind, source, head) for head, of, kind, source in written_answers(number) if of]
        for exercise, (solution, _, stub) in exercises().items():
            if exercise.startswith(number):
                rows.append((exercise, "own", solution, f"# %% {exercise} right: the lesson's own"))
                rows.append((exercise, "stub", stub, f"# %% {exercise} wrong: the lab's stub"))
        uses_faces = any("load_faces" in source for source in sources(number))
        for data in ("drawn", "real") if uses_faces else ("drawn",):
            for exercise, kind, source, head in rows:
                name = f"{head.removeprefix('# %% ')}, {data} faces"
                parameters.append(pytest.param(exercise, data, kind, source, id=name))
    return parameters


@pytest.fixture
def data(request):
    """The value of FER_DATA; skips without the real archive."""
    return "sample" if request.param == "drawn" else str(request.getfixturevalue("real_archive"))


@pytest.mark.parametrize(("exercise", "data", "kind", "source"), all_answers(), indirect=["data"])
def test_wrong_answers_are_refused_and_right_ones_pass(exercise, data, kind, source):
    names = answered(exercise, data, source)
    if kind in ("wrong", "stub"):
        with pytest.raises(AssertionError if kind == "wrong" else Exception):
            check(exercise, names)
    else:
        check(exercise, names)
    if kind == "own":
        assert not copied_from_the_check(exercise, names), "the check holds its answer"


def copied_from_the_check(exercise, names):
    """Return the parts of a check that would pass as the answer, where that is a number or a text."""
    solution, source, _ = exercises()[exercise]
    wanted = defined_in(solution) & used_in(source)
    if len(wanted) != 1 or not isinstance(names[min(wanted)], int | float | str | np.number):
        return []
    (name,) = wanted
    parts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr)]
    values = {}
    for part in {ast.unparse(part) for part in parts if name not in ast.unparse(part)}:
        with contextlib.suppress(Exception):  # a part that means nothing alone
            value = eval(part, dict(names))
            if isinstance(value, type(names[name]) | np.number):
                values[value] = part
    passing = []
    for value, part in values.items():
        with contextlib.suppress(AssertionError):
            check(exercise, names | {name: value})
            passing.append(part)
    return passing


@pytest.mark.parametrize("exercise", exercises())
def test_there_are_answers_of_both_kinds(exercise):
    kinds = [kind for _, of, kind, _ in written_answers(exercise[:2]) if of == exercise]
    assert kinds.count("wrong") >= 4 and kinds.count("right") >= 2, f"{exercise}: {kinds} in tests/answers"
