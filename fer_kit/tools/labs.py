"""Turn lessons into labs: a solution becomes a cell to fill in, and everything else stays as it is."""

import ast
import re
import symtable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor, ClearOutputPreprocessor
from nbformat.v4 import new_code_cell, new_markdown_cell

from fer_kit.runtime.files import replacing
from fer_kit.tools.run import find_notebooks

NAME = 'NAME = ""\nSTUDENT_ID = ""'
HIDDEN = "# Checked when your work is marked."
ELSEWHERE = "give another folder with --out"
ANSWER = "*Your answer (double-click here, then write):*"


def write_labs(out, only=None, notebooks=None, overwrite=False):
    """Write the student version of the numbered notebooks to the folder `out`; return the Paths written.

    The glossary, to which the lessons link, is copied beside them. `only` selects by number ("4", "04",
    "00,04"); `notebooks` is the folder of the lessons. Raises FileExistsError, before anything is written,
    for a file that is there with another content, unless `overwrite` is True, and for the folder of the
    lessons themselves.
    """
    lessons = find_notebooks(notebooks, only)
    if any((Path(out) / path.name).exists() and path.samefile(Path(out) / path.name) for path in lessons):
        raise FileExistsError(f"{out} holds the lessons themselves, and nothing was written: {ELSEWHERE}")
    texts = {Path(out) / path.name: text_of(as_lab(read(path))) for path in lessons}
    for glossary in {path.with_name("GLOSSARY.md") for path in lessons}:
        if glossary.exists():
            texts[Path(out) / glossary.name] = glossary.read_text(encoding="utf-8")
    return write_all(texts, overwrite)


def read(path):
    """Return the notebook at `path`. Raises ValueError, naming the file, for what is no notebook."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat and json raise many kinds
        raise ValueError(f"{path} is no notebook that can be read ({error}); restore it with git") from error


def as_lab(notebook):
    """Return the student version of a lesson; that of a lab is the lab.

    A code cell tagged `solution` becomes a TODO cell with a stub, a markdown cell an answer cell. A
    check tagged `hidden`, which would give the answer away, becomes a remark. A cell tagged `reply`, the
    answer to a question of the prose, is left out. A cell for name and number follows the title, whose badge
    opens the lab. All other cells are the lesson's, ids included, without what a run left in them.
    """
    if any(has_tag(cell, "name") for cell in notebook.cells):
        return notebook
    lab = as_handed_out(notebook)
    lab.cells = [_for_students(cell, exercise) for cell, exercise in with_exercises(lab)]
    lab.cells.insert(1, name_cell())
    return lab


def as_written(notebook):
    """Return a copy of a notebook without what a run left in it: outputs, counts, times, widgets' state."""
    kept = {"kernelspec", ("language_info", "name")}
    written = nbformat.from_dict(notebook)
    for clear in (
        ClearOutputPreprocessor(),
        ClearMetadataPreprocessor(preserve_cell_metadata_mask={"tags"}, preserve_nb_metadata_mask=kept),
    ):
        written, _ = clear.preprocess(written, {})
    return nbformat.from_dict(written)


def as_handed_out(notebook):
    """Return a copy of a lesson as written, without its replies, whose badge opens the lab."""
    copy = as_written(notebook)
    copy.cells = [cell for cell in copy.cells if not has_tag(cell, "reply")]
    copy.cells[0].source = copy.cells[0].source.replace("/blob/main/notebooks/", "/blob/main/labs/")
    return copy


def with_exercises(notebook):
    """Return a list of (cell, exercise): the cells, each with the `Exercise` it belongs to or None.

    An answer in words within the lesson belongs to exercise 0, the questions. Raises ValueError for a
    code cell tagged `solution` outside the exercises.
    """
    questions = Exercise(0)
    exercise = None
    pairs = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.match(r"#|\*\*Next:", cell.source):
            found = re.match(r"### Exercise (\d+)", cell.source)
            exercise = Exercise(int(found[1])) if found else None
        home = exercise or (questions if has_tag(cell, "solution") else None)
        if home is questions and cell.cell_type == "code":
            raise ValueError(f"the solution {cell.source[:60]!r} stands in no exercise; move it to its own")
        if home:
            home.cells.append(cell)
        pairs.append((cell, home))
    return pairs


@dataclass
class Exercise:
    """An exercise of a lesson: its `number` and its `cells`, of which the first holds its text."""

    number: int
    cells: list = field(default_factory=list)

    def tagged(self, tag):
        """Return the cells of this exercise with a tag, `solution` or `check`."""
        return [cell for cell in self.cells if has_tag(cell, tag)]

    def name_of(self, cell, tag):
        """Return a name for a cell with that tag: `exercise-1-check`, then `exercise-1-check-2`."""
        place = [tagged.id for tagged in self.tagged(tag)].index(cell.id) + 1
        stem = f"exercise-{self.number}-{tag}" if self.number else "question"
        return stem if place == 1 else f"{stem}-{place}"


def has_tag(cell, tag):
    """Return whether a cell has a tag."""
    return tag in (cell.metadata.get("tags") or [])


def _for_students(cell, exercise):
    if exercise and has_tag(cell, "check") and has_tag(cell, "hidden"):
        return new_code_cell(HIDDEN, id=exercise.name_of(cell, "check"), metadata={"tags": ["check"]})
    if not has_tag(cell, "solution"):
        return cell
    name = exercise.name_of(cell, "solution")  # a lesson's own id ends with a digest of the solution
    if cell.cell_type == "markdown":
        return new_markdown_cell(ANSWER, id=name, metadata={"tags": ["answer"]})
    return new_code_cell(todo(cell, exercise), id=name, metadata={"tags": ["todo"]})


def todo(solution, exercise):
    """Return the source of the cell in which students solve an exercise, made from its `solution`, a cell.

    A line that asks for it, then for each name of the solution that a check uses a stub: a function without
    its body, `name = ...` for all else.
    """
    code = without_magics(solution.source)
    checks = [without_magics(check.source) for check in exercise.tagged("check")]
    wanted = defined_in(code) & set().union(*map(used_in, checks))
    asked = f"# TODO: your solution of exercise {exercise.number}."
    stubs = [stub for node in ast.parse(code).body for stub in _stubs(node, wanted)]
    return "\n".join([asked, *dict.fromkeys(stubs)]).strip()


def _stubs(statement, wanted):
    """Return what a statement of a solution leaves of the names `wanted`, a list of str."""
    defined = defined_in(ast.unparse(statement)) & wanted
    if not isinstance(statement, ast.FunctionDef):
        return [f"{name} = ..." for name in sorted(defined)]
    docstring = [statement.body[0]] if ast.get_docstring(statement) else []
    to_do = f"raise NotImplementedError('write {statement.name} in place of this line')"
    statement.body = [*docstring, *ast.parse(to_do).body]
    return [f"{ast.unparse(statement)}\n\n" for _ in defined]


def without_magics(code):
    """Return code with `pass` in place of IPython's magics, so that Python can read it."""
    return re.sub(r"^(\s*)[%!].*", r"\1pass", code, flags=re.MULTILINE)


def defined_in(code):
    """Return the names that code defines for the code after it, a set of str."""
    symbols = symtable.symtable(code, "cell", "exec").get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def used_in(code):
    """Return the names that code takes from the code before it, a set of str."""
    top = symtable.symtable(code, "cell", "exec")
    used = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    inner = top.get_children()
    while inner:
        scope = inner.pop()
        used |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
        inner += scope.get_children()
    return used - defined_in(code)


def name_cell():
    """Return the cell in which students say who they are."""
    return new_code_cell(NAME, id="who-are-you", metadata={"tags": ["name"]})


def text_of(notebook):
    """Return a notebook as the text of its file. Raises ValueError when it is not a valid notebook."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def write_all(texts, overwrite=False):
    """Write {Path: text}; return the Paths. Where one cannot be written, none is left that was not there.

    A file that is there with the same text is left alone. Raises FileExistsError, naming the file, for
    one with another text, unless `overwrite` is True: it may hold a student's work. Raises OSError where a
    folder is in the place of a file, or a file in that of a folder.
    """
    for path, text in texts.items():
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder, so nothing was written: {ELSEWHERE}")
        if file := next((folder for folder in path.parents if folder.is_file()), None):
            raise NotADirectoryError(f"{file} is a file, so nothing was written: {ELSEWHERE}")
        same = path.exists() and path.read_bytes().replace(b"\r\n", b"\n") == text.encode()
        if path.exists() and not same and not overwrite:
            raise FileExistsError(
                f"{path} is there and differs from what would be written: it may hold somebody's work, "
                f"so nothing was written. Move it away, {ELSEWHERE}, or add --overwrite"
            )
    new = [path for path in texts if not path.exists()]
    try:
        for path, text in texts.items():
            with replacing(path) as file:
                file.write(text.encode())
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise
    return list(texts)
