"""A folder of labs is marked without nbgrader: solved, unsolved, crashing and cheating ones."""

import csv
import json
import os
import sys

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_labs import tiny

from fer_kit.tools import cli, submissions
from fer_kit.tools.labs import as_lab, has_tag
from fer_kit.tools.marking import ASKED, CHECKED, WRITTEN

SOLVED = {"exercise-1-solution": "count = 3", "exercise-2-solution": "def double(x):\n    return x + x"}
CHEATS = {
    "empties cells": "get_ipython().input_transformers_post.append(lambda lines: [])",
    "drops asserts": "get_ipython().input_transformers_post.append("
    "lambda ls: [l.replace('assert', 'None and') for l in ls])",
    "edits the tree": "import ast; get_ipython().ast_transformers.append("
    "type('T', (ast.NodeTransformer,), {'visit_Assert': lambda s, n: ast.Pass()})())",
    "swallows errors": "get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)",
    "always close": "count = 3; import numpy as np; np.isclose = np.array_equal = lambda *a, **k: True",
    "any is true": "count = 3; import builtins; builtins.any = lambda *a: True",
}
"""Lines in the first solution, each in place of all work."""
CRASHING = SOLVED | {"exercise-1-solution": "raise RuntimeError('half-way')\ncount = 3"}
"""Of exercise 1; exercise 2 is solved."""


@pytest.fixture(scope="module")
def lessons(tmp_path_factory):
    """A folder with the tiny lesson."""
    folder = tmp_path_factory.mktemp("lessons")
    nbformat.write(tiny(), folder / "00_tiny.ipynb")
    return folder


def lab(answers, name="Ada", number='"7"'):
    """The lab of the tiny lesson with `answers`, {id: source}, as a notebook."""
    made = as_lab(tiny())
    for cell in made.cells:
        cell.source = answers.get(cell.id, cell.source)
    del made.cells[1]
    return named(made, name, number)


def named(notebook, name, number='"7"'):
    """The notebook with the name of a student in its second cell."""
    notebook.cells.insert(1, nbformat.v4.new_code_cell(f'NAME = "{name}"\nSTUDENT_ID = {number}'))
    return notebook


def from_colab(notebook):
    """The notebook as a program writes it that keeps neither ids nor tags."""
    bare = json.loads(nbformat.writes(notebook)) | {"nbformat_minor": 0}
    for cell in bare["cells"]:
        cell["metadata"] = {"id": cell.pop("id")}
    return bare


def without_heading(notebook):
    """The notebook of a student who deleted the text of exercise 2, and who has a heading of their own."""
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("### Exercise 2")]
    place = next(k for k, cell in enumerate(notebook.cells) if cell.source.startswith("### Exercise 1"))
    notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell("## My notes"))
    return notebook


def eased(notebook, below=""):
    """The notebook of a student who made the first check easier, with another cell `below` it."""
    place = next(k for k, cell in enumerate(notebook.cells) if has_tag(cell, "check"))
    notebook.cells[place].source = "assert True"
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(below))
    return notebook


def handed_in():
    """{file: notebook}: what students handed in, each its own way."""
    wrong = SOLVED | {"exercise-1-solution": "count = 4"}
    dead = wrong | {"exercise-2-solution": "import os; os._exit(1)"}
    return {
        "ada/00_tiny.ipynb": lab(SOLVED, "=1+1"),
        "lesson.ipynb": named(tiny(), "Cy"),
        "bob/lab (1).ipynb": lab({}, "Bob", "12"),
        "colab.ipynb": from_colab(lab(CRASHING)),
        "dead.ipynb": eased(lab(dead), "count = 3"),
        "heading.ipynb": without_heading(eased(lab(wrong, "", '""'))),
    } | {f"cheat/{cheat}.ipynb": lab({"exercise-1-solution": CHEATS[cheat]}) for cheat in TRIED}


TRIED = ("empties cells", "always close")
"""Cheats to try here: the control is that of nbgrader, where all are tried."""
EXPECTED = {
    "ada/00_tiny.ipynb": (CHECKED, CHECKED, ""),
    "lesson.ipynb": (CHECKED, CHECKED, "It holds cells of the lesson with solutions."),
    "bob/lab (1).ipynb": (0, 0, ""),
    "colab.ipynb": (0, CHECKED, ""),
    "dead.ipynb": (CHECKED, 0, "Stopped in code cell 7: Kernel died."),
    "heading.ipynb": (0, 0, "The heading of exercise 2 is missing. No name."),
} | {f"cheat/{cheat}.ipynb": (0, 0, submissions.TAMPERED) for cheat in TRIED}


@pytest.fixture(scope="module")
def table(lessons, tmp_path_factory):
    """{file: row} of the table of all submissions; an unreadable one and one of no lesson lie beside them."""
    folder = tmp_path_factory.mktemp("handed in")
    for name, notebook in handed_in().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "broken.ipynb").write_text('{"cells": [')
    (folder / "half.ipynb").write_text(json.dumps(lab({"exercise-1-solution": "x = '\ud83d'"})))
    for name, source in {"none.ipynb": None, "number.ipynb": 5}.items():
        odd = lab(SOLVED)
        odd.cells[2].source = source
        (folder / name).write_text(json.dumps(odd))
    if sys.platform == "linux":  # elsewhere there are no such names
        nbformat.write(nbformat.v4.new_notebook(), folder / os.fsdecode(b"M\xfcller.ipynb"))
    nbformat.write(nbformat.v4.new_notebook(), folder / "empty.ipynb")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "a.ipynb").touch()
    path = submissions.mark(folder, notebooks=lessons)
    assert path == folder / "marks.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("file", EXPECTED)
def test_points(table, file):
    first, second, remark = EXPECTED[file]
    row = table[file]
    assert (row["exercise 1"], row["exercise 2"]) == (f"{first:g}", f"{second:g}")
    assert row["points"] == f"{first + second:g}" and row["of"] == f"{2 * CHECKED:g}"
    assert row["by hand"] == f"{WRITTEN + ASKED:g}" and row["lesson"] == "00"
    assert row["remark"] == remark


def test_every_file_has_a_row_and_says_whose_it_is(table):
    unreadable = {"broken.ipynb", "half.ipynb", "none.ipynb", "number.ipynb"}
    odd = {"M?ller.ipynb"} if sys.platform == "linux" else set()
    assert table.keys() == EXPECTED.keys() | unreadable | odd | {"empty.ipynb"}
    for file in unreadable:
        assert table[file]["remark"].startswith("No notebook that can be read")
    assert table["empty.ipynb"]["remark"].startswith("No title of a lesson")
    assert not table["broken.ipynb"]["points"] and not table["empty.ipynb"]["points"]
    assert (table["bob/lab (1).ipynb"]["name"], table["bob/lab (1).ipynb"]["student_id"]) == ("Bob", "12")
    assert table["ada/00_tiny.ipynb"]["name"] == "'=1+1", "no spreadsheet computes what a student writes"


@pytest.mark.parametrize(
    ("code", "name", "number"),
    [
        ('NAME = "Ada"\nSTUDENT_ID = ""', "Ada", ""),
        ("NAME='Zoë O\\'Hara'  # that's me\nSTUDENT_ID = 007", "Zoë O'Hara", "007"),
        ("NAME = Ada Lovelace\nSTUDENT_ID = A-7", "Ada Lovelace", "A-7"),
        ("x = 1", "", ""),
    ],
)
def test_names_however_they_are_written(code, name, number):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    assert submissions.said_by(notebook) == {"name": name, "student_id": number}


def test_the_command_keeps_a_table_that_is_there(lessons, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submissions, "find_notebooks", lambda _: [lessons / "00_tiny.ipynb"])
    monkeypatch.setattr(submissions, "run_cells", lambda cells, seconds: (0, f"Not run: {seconds}."))
    assert cli.main(["mark", str(tmp_path)]) == 2
    assert "no notebook in" in capsys.readouterr().err
    nbformat.write(lab(SOLVED), tmp_path / "a.ipynb")
    assert cli.main(["mark", str(tmp_path), "--minutes", "2"]) == 0
    said = capsys.readouterr().out
    assert "a.ipynb: 0 of 4. Not run: 120." in said and said.rstrip().endswith("marks.csv")
    assert cli.main(["mark", str(tmp_path)]) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert cli.main(["mark", str(tmp_path), "--overwrite"]) == 0
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.ipynb")
    handed_in = (tmp_path / "a.ipynb").read_bytes()
    for out in ("a.ipynb", "link.csv"):
        assert cli.main(["mark", str(tmp_path), "--overwrite", "--out", str(tmp_path / out)]) == 2
        assert f"{out} is what somebody handed in" in capsys.readouterr().err
    assert (tmp_path / "a.ipynb").read_bytes() == handed_in


@settings(max_examples=30)
@given(st.text() | st.sampled_from(["{[]: 1}", "((", "(" * 300 + ")" * 300, "b'x'", "None", "f'{1}'", "1_0"]))
def test_whatever_stands_for_a_name_is_a_text(value):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"NAME = {value}")])
    said = submissions.said_by(notebook)
    assert isinstance(said["name"], str) and said["student_id"] == ""


@pytest.mark.parametrize("out", ["runs", ""])
def test_a_submission_sees_a_folder_of_its_own_and_what_is_set(out, tmp_path, monkeypatch):
    for name, value in {"PROFILE": "lab", "DATA": "some/faces.zip", "OUT": out}.items():
        monkeypatch.setenv(f"FER_{name}", value)
    monkeypatch.chdir(tmp_path)
    show = "import os\nprint(os.listdir(), *(os.environ[f'FER_{name}'] for name in ('PROFILE', 'DATA')))\n"
    cells = [nbformat.v4.new_code_cell(f"{show}print(os.environ['FER_OUT'])\nprint(os.getcwd())")]
    assert submissions.run_cells(cells, 60) == (1, "")
    said, runs, here = cells[0].outputs[0].text.splitlines()
    assert said == f"[] lab {tmp_path / 'some' / 'faces.zip'}"
    assert runs == (str(tmp_path / "runs") if out else here) and here != str(tmp_path)


def test_what_does_not_end_is_stopped():
    cells = [nbformat.v4.new_code_cell("while True: pass"), nbformat.v4.new_code_cell("count = 3")]
    assert submissions.run_cells(cells, 1) == (0, "Stopped in code cell 1: it took longer than 1 s.")
