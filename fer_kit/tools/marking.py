"""Write lessons as the source of an nbgrader course, so that a teacher marks with the field's own tool."""

from pathlib import Path

import nbformat

from fer_kit.tools.labs import (
    HIDDEN,
    as_handed_out,
    has_tag,
    name_cell,
    read,
    text_of,
    todo,
    with_exercises,
    write_all,
)
from fer_kit.tools.run import find_notebooks

CHECKED = 2  # points of an exercise that checks itself
WRITTEN = 3  # points of an exercise answered in words, given by hand
ASKED = 1  # points of a question within the lesson, given by hand

CONFIG = '''"""nbgrader's configuration of this course; see notebooks/INSTRUCTORS.md of the kit."""

import os

from nbgrader.converters import Autograde
from nbgrader.preprocessors import DeduplicateIds, Execute

from fer_kit.tools.marker import Controlled, CopiedCells

c = get_config()
c.CourseDirectory.course_id = "fer-kit"
c.Execute.timeout = 1800  # seconds that a cell may take
c.ClearSolutions.code_stub = {"python": ""}  # a stub of the kit's stands there already
# Marking runs every lesson once for each student: on a few drawn faces, unless told otherwise.
os.environ.setdefault("FER_PROFILE", "smoke")
os.environ.setdefault("FER_DATA", "sample")
# A student who copies a cell copies its mark with it.
usual = Autograde.class_traits()["sanitize_preprocessors"].default()
c.Autograde.sanitize_preprocessors = [CopiedCells if step is DeduplicateIds else step for step in usual]
# A check that a submission has switched off counts as failed.
usual = Autograde.class_traits()["autograde_preprocessors"].default()
c.Autograde.autograde_preprocessors = [Controlled if step is Execute else step for step in usual]
'''


def write_course(out, only=None, notebooks=None, overwrite=False):
    """Write an nbgrader course to the folder `out`; return the Paths.

    These are `nbgrader_config.py` and, for each lesson, `source/lab04/04_custom_cnn.ipynb`: one
    assignment each. The other arguments and the errors are those of `fer_kit.tools.labs.write_labs`.
    """
    texts = {Path(out) / "nbgrader_config.py": CONFIG}
    for path in find_notebooks(notebooks, only):
        texts[Path(out) / "source" / f"lab{path.name[:2]}" / path.name] = text_of(as_source(read(path)))
    return write_all(texts, overwrite)


def as_source(notebook):
    """Return a lesson with nbgrader's marks for solutions, checks and points (metadata of schema 3).

    Solutions stand between BEGIN and END SOLUTION and checks become locked tests. A check tagged
    `hidden`, which would give the answer away, stands between BEGIN and END HIDDEN TESTS. An open
    question is marked by hand, and replies are left out.
    """
    source = as_handed_out(notebook)
    pairs = with_exercises(source)
    source.cells = [_marked(nbformat.from_dict(cell), exercise) for cell, exercise in pairs]
    source.cells.insert(1, name_cell())
    return source


def _marked(cell, exercise):
    if has_tag(cell, "check") and exercise:
        if has_tag(cell, "hidden"):
            cell.source = f"{HIDDEN}\n{_between('HIDDEN TESTS', cell.source)}"
        points = CHECKED / len(exercise.tagged("check"))
        return _with_role(cell, exercise.name_of(cell, "check"), points, locked=True)
    if not has_tag(cell, "solution"):
        return cell
    name = exercise.name_of(cell, "solution")
    asked = todo(cell, exercise) if cell.cell_type == "code" else ""
    cell.source = f"{asked}\n{_between('SOLUTION', cell.source)}".strip()
    cell.metadata.tags = ["todo"]
    if cell.cell_type == "markdown":
        return _with_role(cell, name, WRITTEN if exercise.number else ASKED, solution=True)
    return _with_role(cell, name, solution=True)


def _between(mark, text):
    return f"### BEGIN {mark}\n{text}\n### END {mark}"


def _with_role(cell, name, points=None, solution=False, locked=False):
    role = {"schema_version": 3, "grade_id": name, "grade": points is not None, "solution": solution}
    if points:
        role["points"] = points
    cell.metadata.nbgrader = role | {"locked": locked, "task": False}
    cell.id = name
    return cell
