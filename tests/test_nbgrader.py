"""nbgrader marks the kit's labs: a solved, an unsolved and a crashing submission get their points."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_labs import tiny
from test_submissions import CHEATS, SOLVED

from fer_kit.tools.marking import ASKED, CHECKED, WRITTEN, write_course

pytest.importorskip("nbgrader", reason='pip install "fer-kit[marking]"')
SUBMISSIONS = {
    "solved": SOLVED,
    "unsolved": {},
    "crashing": SOLVED | {"exercise-1-solution": "raise RuntimeError('half-way')\ncount = 3"},
    "broken": SOLVED | {"exercise-2-solution": "def double(x:"},
    "copied": SOLVED,
}
COPIED = ("exercise-1-solution", "exercise-1-check", "question")
"""Of the submission "copied": a cell to fill in, a locked one and one that is marked by hand."""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An nbgrader course of the tiny lesson, with its assignment generated and all submissions marked."""
    folder = tmp_path_factory.mktemp("nbgrader")
    nbformat.write(tiny(), folder / "00_tiny.ipynb")
    out = folder / "course"
    write_course(out, notebooks=folder)
    with pytest.MonkeyPatch.context() as patch:
        # nbgrader starts its helper `alembic` by name
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        nbgrader("generate_assignment", out)
        for student, answers in SUBMISSIONS.items():
            submit(out, student, answers, COPIED if student == "copied" else ())
        for number, line in enumerate(CHEATS.values()):
            submit(out, f"cheat-{number}", {"exercise-1-solution": line})
        nbgrader("autograde", out)
        yield out


def nbgrader(command, folder):
    """Run one of nbgrader's commands as a teacher does, in the course's folder."""
    arguments = [sys.executable, "-m", "nbgrader", command, "lab00"]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def marks(course):
    """A function from student to marked notebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "fer-kit") as gradebook:
        yield lambda student: gradebook.find_submission("lab00", student).notebooks[0]


def submit(out, student, answers, copied=()):
    """Hand in the released lab with `answers`, {grade_id: source}; `copied` cells stand there twice."""
    lab = nbformat.read(out / "release" / "lab00" / "00_tiny.ipynb", as_version=4)
    for cell in list(lab.cells):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(name, cell.source)
        if name in copied:  # as JupyterLab copies it: with its grade_id
            twin = copy.deepcopy(cell)
            twin.id = f"copy-of-{name}"
            lab.cells.insert(lab.cells.index(cell), twin)
    folder = out / "submitted" / student / "lab00"
    folder.mkdir(parents=True)
    nbformat.write(lab, folder / "00_tiny.ipynb")


def test_the_released_lab_holds_no_solution_and_no_hidden_check(course):
    released = (course / "release" / "lab00" / "00_tiny.ipynb").read_text()
    for hidden in ("len(faces)\\ncount", "2 * x", "Because", "twice == 8", "SOLUTION", "HIDDEN"):
        assert hidden not in released
    assert "assert count == len(faces)" in released and "Checked when your work is marked." in released
    assert "# TODO: your solution of exercise 1." in released and "YOUR ANSWER HERE" in released


@pytest.mark.parametrize(
    ("student", "first", "second"),
    [
        ("solved", CHECKED, CHECKED),
        ("unsolved", 0, 0),
        ("crashing", 0, CHECKED),
        ("broken", CHECKED, 0),
        ("copied", CHECKED, CHECKED),
    ],
)
def test_points(marks, student, first, second):
    lab = marks(student)
    points = {grade.name: grade.auto_score for grade in lab.grades}
    assert points["exercise-1-check"] == first and points["exercise-2-check"] == second
    assert lab.code_score == first + second
    assert lab.max_score == 2 * CHECKED + WRITTEN + ASKED


@pytest.mark.parametrize("cheat", CHEATS)
def test_one_line_that_switches_checks_off_gets_no_points(marks, cheat):
    lab = marks(f"cheat-{list(CHEATS).index(cheat)}")
    assert lab.code_score == 0 and len(lab.grades) == 4


def test_a_marked_notebook_holds_no_controls(course):
    marked = nbformat.read(course / "autograded" / "solved" / "lab00" / "00_tiny.ipynb", as_version=4)
    released = nbformat.read(course / "release" / "lab00" / "00_tiny.ipynb", as_version=4)
    assert [cell.cell_type for cell in marked.cells] == [cell.cell_type for cell in released.cells]
    assert not any("Tampered" in str(cell) for cell in marked.cells)


def test_answers_in_words_wait_for_a_person(marks):
    lab = marks("solved")
    by_hand = {grade.name: grade.max_score for grade in lab.grades if grade.cell.cell_type == "markdown"}
    assert by_hand == {"exercise-3-solution": WRITTEN, "question": ASKED}
    assert lab.written_score == 0


def test_the_configuration_is_read_and_keeps_what_is_set(tmp_path, monkeypatch):
    from traitlets.config.loader import PyFileConfigLoader

    monkeypatch.setenv("FER_PROFILE", "lab")
    monkeypatch.delenv("FER_DATA")
    (tmp_path / "00_tiny.ipynb").write_text(nbformat.writes(tiny()))
    write_course(tmp_path / "course", notebooks=tmp_path)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(tmp_path / "course")).load_config()
    assert config.CourseDirectory.course_id and config.Execute.timeout >= 600
    assert os.environ["FER_PROFILE"] == "lab" and os.environ["FER_DATA"] == "sample"
