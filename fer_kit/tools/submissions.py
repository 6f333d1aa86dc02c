"""Mark a folder of labs that students handed in: each is run with the checks of its lesson.

A submission shares its kernel with the checks, so one line of it can switch them off: empty every later
cell, take the `assert` out of them, make `np.isclose` always true. So each check is followed by a control: a
check that has to fail, with a word in its message that is drawn anew. Where it doesn't fail, the check before
it counts as failed.
"""

import ast
import csv
import io
import math
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

import nbformat
from nbclient.exceptions import CellTimeoutError
from nbformat.v4 import new_code_cell

from fer_kit.runtime import settings
from fer_kit.runtime.files import check_free, replacing
from fer_kit.tools.labs import as_written, has_tag, read, with_exercises
from fer_kit.tools.marking import as_source
from fer_kit.tools.run import find_notebooks, new_client

CONTROL = """import numpy as _np
_lies = [_np.isclose(0, 1), _np.allclose(0, 1), _np.array_equal([0], [1]), isinstance(0, str), all([0 == 1])]
assert any(_lies), {word!r}
"""

INLINE = "module://matplotlib_inline.backend_inline"

TAMPERED = "A check that has to fail did not: this notebook changes how checks run. Mark it by hand."


def mark(folder, out=None, notebooks=None, overwrite=False, minutes=30):
    """Mark every notebook in and below `folder`, print a line for each, and return the Path of the table.

    The table is a csv with a row for each notebook: `file`, `name` and `student_id` as the student wrote
    them, `lesson`, the points of each exercise that checks itself, their sum, `of` how many, how many more
    are given `by hand`, and a `remark` on what a teacher has to look at. It is written anew after each
    notebook, so that nothing is lost when marking is interrupted.

    Args:
        folder: Where the notebooks lie, however they are named.
        out: The file of the table, by default `marks.csv` in `folder`.
        notebooks: The folder of the lessons.
        overwrite: Replace a table that is there.
        minutes: How long a cell may take.

    Raises:
        FileNotFoundError: For a folder without notebooks.
        FileExistsError: For a table that is there, and for a submission as `out`.
    """
    folder = Path(folder)
    files = [p for p in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts]
    if not files:
        raise FileNotFoundError(f"no notebook in {folder} or below; give the folder with what was handed in")
    out = Path(out or folder / "marks.csv")
    if out.exists() and any(out.samefile(file) for file in files):
        raise FileExistsError(f"{out} is what somebody handed in; give another file for the table with --out")
    check_free(out, overwrite)
    lessons = {path.name[:2]: as_source(read(path)) for path in find_notebooks(notebooks)}
    rows = []
    for file in files:
        row = {"file": file.relative_to(folder).as_posix()} | mark_file(file, lessons, 60 * minutes)
        rows.append(row)
        _write_table(out, rows, lessons)
        points = f"{row['points']:g} of {row['of']:g}" if "points" in row else "not marked"
        print(f"{row['file']}: {points}. {row['remark']}".strip(), flush=True)
    return out


def mark_file(file, lessons, seconds):
    """Return the row of a notebook, a dict without its `file`. `lessons` are {number: `as_source`}."""
    try:
        submission = as_written(nbformat.read(file, as_version=4))
        _refuse_odd_cells(submission)
    except Exception as error:  # nbformat and json raise many kinds
        return {"remark": f"No notebook that can be read ({error})."}
    titles = [re.match(r"# (\d\d) · ", cell.source) for cell in submission.cells]
    row = said_by(submission) | {"lesson": next((title[1] for title in titles if title), "")}
    if row["lesson"] not in lessons:
        return row | {"remark": "No title of a lesson, such as `# 04 · A custom CNN`."}
    source = lessons[row["lesson"]]
    cells, checks = with_checks(submission, source)
    ran, stopped = run_cells(cells, seconds)
    row |= {"points": 0, "of": 0, "by hand": sum(map(_points_by_hand, source.cells))}
    for check in checks:
        column = f"exercise {check.exercise}"
        points = check.points * check.passed(ran)
        row[column] = row.get(column, 0) + points
        row["points"] += points
        row["of"] += check.points
    lost = sorted({check.exercise for check in checks if check.cell is None})
    remarks = [f"The heading of exercise {number} is missing." for number in lost]
    if any(has_tag(cell, "solution") for cell in submission.cells):
        remarks.append("It holds cells of the lesson with solutions.")
    if any(check.tampered(ran) for check in checks):
        remarks.append(TAMPERED)
    if not row["name"] and not row["student_id"]:
        remarks.append("No name.")
    return row | {"remark": " ".join([*remarks, stopped]).strip()}


def _refuse_odd_cells(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if not isinstance(cell.source, str):
            raise ValueError(f"cell {number} is no text")
        cell.source.encode()  # half an emoji cannot be sent to a kernel


def said_by(notebook):
    """Return what a student wrote into the cell for it: a dict with `name` and `student_id`, each a str."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    said = {}
    for name in ("NAME", "STUDENT_ID"):
        found = re.search(rf"^{name} *= *(.+)", code, re.MULTILINE)
        try:
            said[name.lower()] = str(ast.literal_eval(found[1].strip())) if found else ""
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # no text in quotes
            said[name.lower()] = found[1].strip()
    return said


def _points_by_hand(cell):
    role = cell.metadata.get("nbgrader", {})
    return role.get("points", 0) if cell.cell_type == "markdown" else 0


# ---- checks ----


@dataclass
class Check:
    """A check in a submission: `cell`, at which `place` among those that run, and the `control` after it.

    The place is infinite where the submission lacks the exercise: that check is never run.
    """

    exercise: int
    points: float
    cell: nbformat.NotebookNode | None = None
    place: float = math.inf

    def __post_init__(self):
        self.control, self.word = new_control()

    def tampered(self, ran):
        """Return whether the control did not fail as it should, of the first `ran` cells that were run."""
        return self.place + 1 < ran and not failed_as_it_should(self.control, self.word)

    def passed(self, ran):
        """Return whether both the check and its control ended as they should."""
        return self.place + 1 < ran and not self.tampered(ran) and not _errors(self.cell)


def new_control():
    """Return (code cell, word): a check that has to fail, with a word that its message holds."""
    word = secrets.token_hex(8)
    return new_code_cell(CONTROL.format(word=word)), word


def _errors(cell):
    return [output for output in cell.outputs if output.output_type == "error"]


def failed_as_it_should(control, word):
    """Return whether a control that was run says so."""
    return any(error.ename == "AssertionError" and word in error.evalue for error in _errors(control))


def with_checks(submission, source):
    """Return (code cells to run, list of `Check`) for a submission; `source` is `as_source` of its lesson.

    The lesson's checks, hidden ones too, take the place of those in the submission: at the end of the
    exercise, so that they see the last answer. Cells are known by the headings above them, since not every
    program keeps their ids.
    """
    own = {}
    for cell, exercise in with_exercises(source):
        if exercise and has_tag(cell, "check"):
            own.setdefault(exercise.number, []).append(cell)
    sections = [(0, [])]
    for cell in submission.cells:
        heading = re.match(r"### Exercise (\d+)", cell.source)
        if heading and cell.cell_type == "markdown":
            sections.append((int(heading[1]), []))
        elif cell.cell_type == "code" and not has_tag(cell, "check"):
            sections[-1][1].append(new_code_cell(cell.source))  # its tags could tell nbclient to skip it
    last = {number: place for place, (number, _) in enumerate(sections)}
    cells = []
    checks = []
    for place, (number, code) in enumerate(sections):
        cells += code
        for cell in own.get(number, []) if last[number] == place else []:
            check = Check(number, cell.metadata.nbgrader.points, new_code_cell(cell.source), len(cells))
            checks.append(check)
            cells += [check.cell, check.control]
    for number in own.keys() - last.keys():
        checks += [Check(number, cell.metadata.nbgrader.points) for cell in own[number]]
    return cells, checks


def run_cells(cells, seconds):
    """Run code cells in a fresh kernel, in an empty folder; return (how many ran, why it stopped or "").

    Errors stop nothing; a cell that takes longer than `seconds` does, and a kernel that dies.
    """
    ran = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = new_client(notebook, folder, _variables(folder))
        client.allow_errors = True
        client.timeout = seconds
        client.shutdown_kernel = "immediate"
        try:
            with client.setup_kernel(cleanup_kc=True, stdout=DEVNULL, stderr=DEVNULL):
                for ran, cell in enumerate(cells):
                    client.execute_cell(cell, ran)
        except CellTimeoutError:
            return ran, f"Stopped in code cell {ran + 1}: it took longer than {seconds:g} s."
        except OSError:  # of this computer, such as a full disk, and no student's doing
            raise
        except Exception as error:  # a kernel that dies or does not start, or what nbclient stumbles on
            return ran, f"Stopped in code cell {ran + 1}: {error}."
    return len(cells), ""


def _variables(folder):
    """The variables of a kernel: a few drawn faces, and runs in `folder`, unless they are set."""
    profile = settings.profile().name if settings.is_set("FER_PROFILE") else "smoke"
    data = str(settings.data_path()) if settings.is_set("FER_DATA") else "sample"
    data = data if data == "sample" else str(Path(data).resolve())
    out = str(settings.output_dir().resolve()) if settings.is_set("FER_OUT") else folder
    return {"FER_PROFILE": profile, "FER_DATA": data, "FER_OUT": out, "MPLBACKEND": INLINE}


# ---- the table ----


def _write_table(path, rows, lessons):
    pairs = [pair for source in lessons.values() for pair in with_exercises(source)]
    numbers = sorted({exercise.number for cell, exercise in pairs if exercise and has_tag(cell, "check")})
    exercises = [f"exercise {number}" for number in numbers]
    columns = ["file", "name", "student_id", "lesson", *exercises, "points", "of", "by hand", "remark"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: _as_text(value) for column, value in row.items()} for row in rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8-sig", "replace"))  # Excel then reads it as UTF-8


def _as_text(value):
    """Return a value for a table. What a spreadsheet would take for a formula gets a quote before it."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@")) else value
    return f"{value:g}"
