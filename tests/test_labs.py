"""Labs for students: no solution is left, the checks fail without one, and nothing else differs."""

import ast
import errno
import json
import re
from pathlib import Path

import nbformat
import pytest
from house import NOTEBOOKS, ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fer_kit.tools import cli, labs
from fer_kit.tools.labs import (
    as_lab,
    defined_in,
    has_tag,
    used_in,
    with_exercises,
    without_magics,
    write_labs,
)
from fer_kit.tools.marking import as_source, write_course
from maintain.classroom import classroom

LABS = ROOT / "labs"


def code(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def text(source, *tags):
    return new_markdown_cell(source, metadata={"tags": list(tags)} if tags else {})


def tiny():
    """A lesson with an exercise that checks itself, one for a function, and an open one."""
    return new_notebook(
        cells=[
            text("# 00 · Tiny"),
            code("faces = [1, 2, 3]\nseen = 0"),
            text("**Question.** Why three?"),
            text("Because two are too few.", "solution"),
            text("And why not four?"),
            text("<details><summary>Answer</summary>\n\nFour would be one too many.\n\n</details>", "reply"),
            text("## Exercises"),
            text("### Exercise 1. Count\n\nPut it into `count`."),
            code("!echo counting\nseen = len(faces)\ncount = seen", "solution"),
            code("assert count == len(faces), 'use len'", "check"),
            text("### Exercise 2. Double\n\nWrite `double`."),
            code('def double(x) -> int:\n    """Return twice x."""\n    return 2 * x', "solution"),
            code("twice = double(4)\nassert twice == 8, 'multiply by 2'", "check", "hidden"),
            text("### Exercise 3. Why?"),
            text("Because it is so.", "solution"),
            text("**Next:** [01](01_next.ipynb)"),
        ]
    )


@pytest.fixture
def lessons(tmp_path):
    """A folder with the tiny lesson."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    nbformat.write(tiny(), folder / "00_tiny.ipynb")
    return folder


def run(notebook, **answers):
    """Run the code cells one by one as a student would; return {cell id: the error or None}.

    `answers` gives the source to put in place of a TODO cell, by its id with underscores.
    """
    space, results = {}, {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        try:
            exec(answers.get(cell.id.replace("-", "_"), plain(cell)), space)
            results[cell.id] = None
        except Exception as error:
            results[cell.id] = error
    return results


def plain(cell):
    """What Python can read of a cell: nothing of a markdown cell, no magics."""
    return without_magics(cell.source) if cell.cell_type == "code" else ""


def wanted_by(lesson):
    """Yield (exercise, names) for each check: what it uses that only the solution of its exercise defines."""
    known = set()
    for cell, exercise in with_exercises(lesson):
        if not exercise:
            known |= defined_in(plain(cell))
        elif has_tag(cell, "check"):
            defined = set().union(*(defined_in(plain(c)) for c in exercise.tagged("solution")))
            yield exercise, (defined & used_in(plain(cell))) - known


# ---- a tiny lesson, executed ----


def test_checks_fail_until_each_is_solved():
    lesson, lab = tiny(), as_lab(tiny())
    checks = [cell.id for cell in lesson.cells if has_tag(cell, "check")]
    assert all(error is None for error in run(lesson).values())
    for answers, failing in (
        ({}, (True, False)),
        ({"exercise_1_solution": "count = 3"}, (False, False)),
        ({"exercise_1_solution": "count = 4"}, (True, False)),
    ):
        lab_checks = [cell.id for cell in lab.cells if has_tag(cell, "check")]
        results = run(lab, **answers)
        assert tuple(results[cell] is not None for cell in lab_checks) == failing
        assert len(lab_checks) == len(checks)


def test_a_hidden_check_is_not_in_the_lab():
    hidden = next(cell for cell in as_lab(tiny()).cells if cell.id == "exercise-2-check")
    assert hidden.source == "# Checked when your work is marked."
    assert "twice == 8" not in labs.text_of(as_lab(tiny()))


STUBS = [
    "# TODO: your solution of exercise 1.\ncount = ...",
    """# TODO: your solution of exercise 2.
def double(x) -> int:
    \"\"\"Return twice x.\"\"\"
    raise NotImplementedError('write double in place of this line')""",
]


def test_a_stub_is_the_solution_without_its_body():
    assert [cell.source for cell in as_lab(tiny()).cells if has_tag(cell, "todo")] == STUBS


@pytest.mark.parametrize(
    ("solution", "check", "stub"),
    [
        ("a, b = 1, 2\nc = 3", "assert b > a", "a = ...\nb = ..."),
        ("x = 1\nx = x + 1", "assert x == 2", "x = ..."),
        ("for k in range(3):\n    total = k", "assert total", "total = ..."),
        ("if (n := 3) > 2:\n    m = n", "assert n and m", "m = ...\nn = ..."),
        ("def helper():\n    return 1\n\n\none = helper()", "assert one", "one = ..."),
        ("def f(): return 7  # luck", "assert f()", "def f():\n    raise NotImplementedError"),
        (
            "@cache\ndef f(a, *, b='c'):\n    # think\n    return a",
            "f(1)",
            "@cache\ndef f(a, *, b='c'):\n    raise",
        ),
        ("def f(x):\n    return x\n\n\ny = f(1)", "assert f(1) == y", "in place of this line')\n\n\ny = ..."),
        ("from math import pi\narea = pi", "assert area", "area = ..."),
        ("area = 1", "def helper():\n    return area\n\n\nassert helper()", "area = ..."),
        ("kept = 1", "assert True", ""),
    ],
)
def test_stubs_of_all_kinds(solution, check, stub):
    exercise = labs.Exercise(3, [code(solution, "solution"), code(check, "check")])
    made = labs.todo(exercise.cells[0], exercise)
    assert made.startswith("# TODO: your solution of exercise 3.") and stub in made
    assert "luck" not in made and "think" not in made and "helper" not in made and "import" not in made
    assert made.count("...") == stub.count("...")
    exec(made, {"cache": lambda f: f})


@pytest.mark.parametrize("convert", [as_lab, as_source])
def test_replies_are_left_out(convert):
    made = convert(tiny())
    assert "one too many" not in nbformat.writes(made) and "why not four" in nbformat.writes(made)


@pytest.mark.parametrize("convert", [as_lab, as_source])
def test_nothing_of_a_run_is_handed_on(convert):
    lesson = tiny()
    expected = nbformat.writes(convert(lesson))
    lesson.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"a": "seen"}}}
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.execution_count = 7
            cell.outputs = [nbformat.v4.new_output("stream", text="3 faces")]
            cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00"}
            cell.metadata["scrolled"] = True
    assert nbformat.writes(convert(lesson)) == expected
    assert lesson.cells[1].outputs and lesson.metadata["widgets"], "the lesson itself stays as it was"


def test_open_questions_get_a_cell_for_the_answer_and_students_one_for_their_name():
    lab = as_lab(tiny())
    answers = [cell for cell in lab.cells if has_tag(cell, "answer")]
    assert [cell.id for cell in answers] == ["question", "exercise-3-solution"]
    assert {cell.source for cell in answers} == {labs.ANSWER}
    assert has_tag(lab.cells[1], "name") and "STUDENT_ID" in lab.cells[1].source


def test_a_solution_out_of_place_is_named():
    lesson = new_notebook(cells=[text("# 00 · T"), code("answer = 42", "solution")])
    with pytest.raises(ValueError, match="'answer = 42' stands in no exercise"):
        as_lab(lesson)


# ---- files ----


def test_a_students_work_is_not_overwritten(lessons, tmp_path):
    out = tmp_path / "labs"
    (path,) = write_labs(out, notebooks=lessons)
    before = path.read_text()
    assert write_labs(out, notebooks=lessons) == [path] and path.read_text() == before
    path.write_text(before.replace("# TODO: your solution", "count = 3 #"))
    nbformat.write(tiny(), lessons / "01_new.ipynb")
    with pytest.raises(FileExistsError, match="00_tiny.ipynb is there and differs.*--out"):
        write_labs(out, notebooks=lessons)
    assert not (out / "01_new.ipynb").exists() and "count = 3" in path.read_text()
    assert len(write_labs(out, notebooks=lessons, overwrite=True)) == 2 and path.read_text() == before


def test_the_glossary_to_which_lessons_link_comes_along(lessons, tmp_path):
    (lessons / "GLOSSARY.md").write_text("# Words")
    lab, glossary = write_labs(tmp_path / "labs", notebooks=lessons)
    assert glossary == lab.with_name("GLOSSARY.md") and glossary.read_text() == "# Words"


def test_lessons_cannot_be_replaced_by_their_labs(lessons, tmp_path):
    before = {path.name: path.read_bytes() for path in lessons.iterdir()}
    (tmp_path / "link").symlink_to(lessons)
    for out in (lessons, lessons / ".." / lessons.name, tmp_path / "link"):
        for overwrite in (False, True):
            with pytest.raises(FileExistsError, match="nothing was written"):
                write_labs(out, notebooks=lessons, overwrite=overwrite)
    assert {path.name: path.read_bytes() for path in lessons.iterdir()} == before


@pytest.mark.parametrize("write", [write_labs, write_course])
def test_what_is_in_the_place_of_a_lab_is_named(lessons, tmp_path, write):
    (first, *_) = write(tmp_path / "made", notebooks=lessons)
    place = first.relative_to(tmp_path / "made")
    (tmp_path / "a file").write_text("theirs")
    (tmp_path / "folder" / place).mkdir(parents=True)
    (tmp_path / "binary" / place).parent.mkdir(parents=True)
    (tmp_path / "binary" / place).write_bytes(b"\xff\xfe")
    with pytest.raises(NotADirectoryError, match="a file is a file, so nothing was written"):
        write(tmp_path / "a file", notebooks=lessons, overwrite=True)
    with pytest.raises(IsADirectoryError, match=f"{place} is a folder, so nothing was written"):
        write(tmp_path / "folder", notebooks=lessons, overwrite=True)
    with pytest.raises(FileExistsError, match=f"{place} is there and differs"):
        write(tmp_path / "binary", notebooks=lessons)
    assert [p.name for p in (tmp_path / "binary").rglob("*") if p.is_file()] == [place.name]


def test_a_broken_lesson_is_named(lessons, tmp_path):
    (lessons / "01_broken.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match="01_broken.ipynb is no notebook"):
        write_labs(tmp_path / "labs", notebooks=lessons)
    assert not (tmp_path / "labs").exists()


@pytest.mark.parametrize(("option", "folder"), [([], "my-labs"), (["--nbgrader"], "course")])
def test_own_copies_have_a_folder_that_git_ignores(tmp_path, monkeypatch, capsys, option, folder):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["labs", "--only", "0", *option]) == 0
    assert f"1 lab in {folder}" in capsys.readouterr().out and (tmp_path / folder).is_dir()
    assert f"/{folder}/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("option", [[], ["--nbgrader"]])
def test_the_command(tmp_path, capsys, option):
    assert cli.main(["labs", "--out", str(tmp_path), "--only", "0", *option]) == 0
    printed = capsys.readouterr().out
    assert f"1 lab in {tmp_path}" in printed
    assert ("generate_assignment lab00" in printed) == bool(option)
    assert [path.name for path in tmp_path.rglob("*.ipynb")] == ["00_start_here.ipynb"]
    assert cli.main(["labs", "--out", str(tmp_path), "--only", "77", *option]) == 2
    assert "no notebook 77" in capsys.readouterr().err


# ---- labs/ in the repository ----


def test_the_labs_of_the_repository_are_those_of_the_lessons():
    """Each lesson and the glossary, as the command writes them, and nothing else."""
    remedy = "run `python -m fer_kit labs --out labs --overwrite` and commit what it writes"
    expected = {path.name: labs.text_of(as_lab(labs.read(path))) for path in NOTEBOOKS}
    expected["GLOSSARY.md"] = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8")
    there = {path.name: path.read_text(encoding="utf-8") for path in LABS.iterdir() if path.is_file()}
    old = sorted(name for name in expected if there.get(name) != expected[name])
    assert not old, f"{', '.join(old)} in labs/: {remedy}"
    assert there.keys() == expected.keys(), f"delete from labs/ what no lesson has: {there.keys() - expected}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_labs_work(path):
    prose = [cell.source for cell in labs.read(LABS / path.name).cells if cell.cell_type == "markdown"]
    targets = re.findall(r"\]\((?!https?:|#|data:|mailto:)([^)#\s]+)", "\n".join(prose))
    assert targets and [target for target in targets if not (LABS / target).exists()] == []


def solutions_in(folder):
    """Name the solutions and replies of all lessons of whose own lines `folder` holds more than half.

    One line alone may be an idiom that the package has, too.
    """
    kinds = {"", ".cfg", ".html", ".ipynb", ".js", ".json", ".md", ".py", ".toml", ".txt", ".yml"}
    files = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix in kinds]
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    found = []
    for path in NOTEBOOKS:
        lesson = labs.read(path)
        answers = [cell for cell in lesson.cells if has_tag(cell, "solution") or has_tag(cell, "reply")]
        others = [cell for cell in [*lesson.cells, *as_lab(lesson).cells] if cell not in answers]
        given = "\n".join(cell.source for cell in others)
        for cell in answers:
            lines = [line.strip() for line in cell.source.splitlines()]
            own = [line for line in lines if len(line) > 20 and line not in given]
            there = [line for line in own if line in text or json.dumps(line)[1:-1] in text]
            found += [f"{path.stem} {cell.id}: {there}"] if len(there) > len(own) / 2 else []
    return found


def test_solutions_are_found_where_they_are():
    found = "\n".join(solutions_in(ROOT / "notebooks"))
    assert all(path.stem in found for path in NOTEBOOKS)


@pytest.fixture(scope="module")
def copy_for_a_class(tmp_path_factory):
    return classroom(tmp_path_factory.mktemp("class"), ROOT)


def test_a_copy_for_a_class_holds_no_solution(copy_for_a_class):
    """Nor anything less than its setup cell and its README ask for."""
    labs = copy_for_a_class / "labs"
    assert {path.name for path in labs.glob("*.ipynb")} == {path.name for path in NOTEBOOKS}
    assert (copy_for_a_class / "fer_kit" / "session.py").exists()
    assert (copy_for_a_class / "pyproject.toml").exists()
    assert not solutions_in(copy_for_a_class)
    with pytest.raises(ValueError, match="lies in the repository; give a folder beside it"):
        classroom(LABS / "class", ROOT)
    assert not (LABS / "class").exists()


def test_in_a_copy_for_a_class_all_links_lead_somewhere_and_labs_are_copied(copy_for_a_class, monkeypatch):
    dead = []
    pages = {page: page.read_text("utf-8") for page in copy_for_a_class.rglob("*.md")}
    for path in copy_for_a_class.glob("labs/*.ipynb"):
        pages[path] = "\n".join(cell.source for cell in labs.read(path).cells if cell.cell_type == "markdown")
    for page, text in pages.items():
        targets = re.findall(r"\]\(([^)#\s]+)", text)
        dead += [f"{page.name}: {to}" for to in targets if ":" not in to and not (page.parent / to).exists()]
    assert not dead and "solved" not in pages[copy_for_a_class / "README.md"]
    monkeypatch.chdir(copy_for_a_class)
    monkeypatch.setattr("fer_kit.tools.run.__file__", str(copy_for_a_class / "fer_kit" / "tools" / "run.py"))
    for path in write_labs("my-labs"):
        assert path.read_bytes() == (copy_for_a_class / "labs" / path.name).read_bytes()


# ---- all lessons, read ----


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def lesson(request):
    """A lesson of the kit."""
    return nbformat.read(request.param, as_version=4)


def test_nothing_else_differs(lesson):
    lab = as_lab(lesson)
    assert has_tag(lab.cells[1], "name")
    del lab.cells[1]
    kept = [cell for cell in lesson.cells if not has_tag(cell, "reply")]
    assert lab.metadata == lesson.metadata
    assert lab.cells[0].source == kept[0].source.replace("/main/notebooks/", "/main/labs/")
    for ours, theirs in zip(kept[1:], lab.cells[1:], strict=True):
        replaced = has_tag(ours, "solution") or has_tag(ours, "hidden")
        assert ours == theirs or (replaced and ours.cell_type == theirs.cell_type)


def test_no_solution_leaks(lesson):
    solutions = [cell for cell in lesson.cells if has_tag(cell, "solution") or has_tag(cell, "reply")]
    telling = [*solutions, *(cell for cell in lesson.cells if has_tag(cell, "hint"))]
    given = "\n".join(cell.source for cell in lesson.cells if cell not in telling)
    given += "".join(ast.unparse(head) for cell in solutions for head in heads(cell))
    written = nbformat.writes(as_lab(lesson))
    cells = "\n".join(cell.source for cell in as_lab(lesson).cells)
    for cell in solutions:
        assert cell.id not in written
        for line in filter(lambda line: len(line) > 12, map(str.strip, cell.source.splitlines())):
            assert line not in cells or line in given, f"a line of a solution is left: {line}"


def heads(cell):
    """The functions that a code cell defines, each without anything but its name, arguments and docstring."""
    for node in ast.parse(plain(cell)).body:
        if isinstance(node, ast.FunctionDef):
            docstring = [node.body[0]] if ast.get_docstring(node) else []
            node.body = [*docstring, ast.Pass()]
            yield node


def test_stubs_say_what_the_solutions_functions_say(lesson):
    """The name, the arguments, the docstring and the return type that has to be there, too."""
    lab = {cell.id: cell for cell in as_lab(lesson).cells}
    for cell, exercise in with_exercises(lesson):
        if has_tag(cell, "check"):
            (solution,) = exercise.tagged("solution")
            stub = lab[exercise.name_of(solution, "solution")]
            wanted = defined_in(plain(solution)) & used_in(plain(cell))
            assert defined_in(stub.source) == wanted
            asked = [head for head in heads(solution) if head.name in wanted]
            assert [ast.dump(head) for head in heads(stub)] == [ast.dump(head) for head in asked]
            for head in asked:
                said = ast.get_docstring(head)
                assert said, f"{head.name} of the solution needs a docstring: it stands in the lab, too"
                assert head.returns or said.startswith("Yield"), f"say what {head.name} returns: `-> int`"


def test_each_check_needs_what_only_a_solution_defines(lesson):
    """So an unsolved check fails: the name is not there."""
    for exercise, wanted in wanted_by(lesson):
        assert wanted, f"the check of exercise {exercise.number} passes unsolved: let it use a new name"


def test_each_exercise_says_which_names_its_check_needs(lesson):
    for exercise, wanted in wanted_by(lesson):
        unnamed = sorted(name for name in wanted if f"`{name}" not in exercise.cells[0].source)
        assert not unnamed, (
            f"the check of exercise {exercise.number} uses {unnamed}, which its text does not ask for: "
            f"say it in the text, or let the check do without"
        )


def test_the_course_for_nbgrader_keeps_all_text(lesson):
    source = as_source(lesson)
    del source.cells[1]
    kept = [pair for pair in with_exercises(lesson) if not has_tag(pair[0], "reply")]
    assert source.cells[0] == as_lab(lesson).cells[0]
    for (ours, exercise), theirs in zip(kept[1:], source.cells[1:], strict=True):
        assert ours.source in theirs.source
        added = theirs.source.replace(ours.source, "").splitlines()
        solved = has_tag(ours, "solution") and ours.cell_type == "code"
        stub = labs.todo(ours, exercise).splitlines() if solved else []
        marks = ("### BEGIN", "### END", "# Checked")
        assert all(not line or line in stub or line.startswith(marks) for line in added)
    names = [c.metadata.nbgrader.grade_id for c in source.cells if "nbgrader" in c.metadata]
    assert len(names) == len(set(names)) >= 5


def test_a_full_disk_leaves_no_half_of_the_labs(tmp_path, monkeypatch):
    real = Path.replace

    def full(partial, target):
        if target.name.startswith("02"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(partial, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left on device: '.*02_preprocessing.ipynb'"):
        write_labs(tmp_path / "labs")
    assert not list((tmp_path / "labs").iterdir())
