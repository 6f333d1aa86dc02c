"""The rules for notebooks: each failing message says how to mend it."""

import ast
import contextlib
import importlib
import re
import types

import nbformat
import pytest
from house import NOTEBOOKS, ROOT, complain

import fer_kit

MISSPELT = re.compile(r"\b(?:suprise|surprize|disguist|digust|netural|nuetral|hapiness)\w*", re.IGNORECASE)
ABSOLUTE = re.compile(r"""["'](?:/\w[\w.-]*/|/(?:content|tmp|data)\b|[A-Za-z]:[\\/])""")


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def notebook(request):
    """A notebook, with its `path` and `number`."""
    read = nbformat.read(request.param, as_version=4)
    read.path = request.param
    read.number = request.param.name[:2]
    return read


def tags(cell):
    return cell.metadata.get("tags", [])


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def bullets(text):
    return re.findall(r"^[-*] +(.+)", text, flags=re.MULTILINE)


def test_title_and_badge(notebook):
    first = notebook.cells[0].source.splitlines()
    badge = f"/blob/main/notebooks/{notebook.path.name})"
    problems = []
    if not re.match(rf"# {notebook.number} · \S", first[0]):
        problems.append(f"the first line is {first[0]!r}")
    if len(first) < 3 or "colab-badge.svg" not in first[2] or not first[2].endswith(badge):
        problems.append(f"the third line is no Colab badge that ends with {badge}")
    complain(
        problems, f"begin the first cell with `# {notebook.number} · Title`, an empty line and the badge"
    )


def test_objectives_and_their_echo(notebook):
    head = notebook.cells[1].source
    objectives = bullets(head.partition("**Time and hardware:**")[0])
    echo = bullets(prose(notebook).partition("## What you learned")[2].partition("\n#")[0])
    problems = []
    if not head.startswith("**In this notebook you will**"):
        problems.append("the second cell does not begin with **In this notebook you will**")
    if not 3 <= len(objectives) <= 5:
        problems.append(f"there are {len(objectives)} objectives")
    if "**Time and hardware:**" not in head:
        problems.append("the second cell has no **Time and hardware:** line")
    if len(echo) != len(objectives):
        problems.append(f"{len(objectives)} objectives and {len(echo)} bullets under ## What you learned")
    complain(
        problems, "3-5 objectives in the second cell, the same in the past tense under ## What you learned"
    )


def test_setup_cell(notebook):
    setups = [
        cell.source for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells if "setup" in tags(cell)
    ]
    problems = []
    if "setup" not in tags(notebook.cells[2]) or notebook.cells[2].source != setups[0]:
        problems.append(f"the third cell is not the setup cell of {NOTEBOOKS[0].name}")
    if len(setups) != len(NOTEBOOKS):
        problems.append(f"{len(setups)} setup cells in {len(NOTEBOOKS)} notebooks")
    if len([line for line in setups[0].splitlines() if line]) > 6:
        problems.append("the setup cell has more than six lines")
    complain(problems, "copy the cell, with the tag `setup`, from another notebook")


def code_of(notebook):
    """All code of a notebook as one tree, without its magics."""
    code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    return ast.parse(re.sub(r"^( *)[%!].*", r"\1pass", code, flags=re.MULTILINE))


def test_imports_are_those_of_the_faces(notebook):
    imported = set()
    for node in ast.walk(code_of(notebook)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    names = sorted(name for name in imported if name.startswith("fer_kit."))
    rooms = {name.split(".")[1] for name in names} & {path.name for path in (ROOT / "fer_kit").iterdir()}
    problems = [f"{len(rooms)} sub-packages: {', '.join(sorted(rooms))}"] if len(rooms) > 4 else []
    problems += [f"{name} lies below a face" for name in names if name.count(".") > 2]
    complain(problems, "import from the faces of at most four: `from fer_kit import plots, training`")


def test_the_kit_has_what_the_lesson_asks_of_it(notebook):
    tree = code_of(notebook)
    kit = {"fer_kit": fer_kit}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fer_kit"):
            home = importlib.import_module(node.module)
            for alias in node.names:
                with contextlib.suppress(ModuleNotFoundError):  # a name of the face, not a room of its own
                    importlib.import_module(f"{node.module}.{alias.name}")
            kit |= {alias.asname or alias.name: getattr(home, alias.name, None) for alias in node.names}
    problems = [f"{name} cannot be imported" for name, found in kit.items() if found is None]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            home = kit.get(node.value.id)
            if isinstance(home, types.ModuleType) and not hasattr(home, node.attr):
                problems.append(f"{home.__name__} has no {node.attr}")
    complain(problems, "add the name to the face, or use another")


def test_stored_without_outputs(notebook):
    problems = [
        f"cell {number} has outputs or an execution count"
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]
    complain(problems, f"jupyter nbconvert --clear-output --inplace notebooks/{notebook.path.name}")


def test_cells_are_short_and_the_lesson_too(notebook):
    problems = [
        f"cell {number} has {len(cell.source.splitlines())} lines: {cell.source.splitlines()[0]}"
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and len(cell.source.splitlines()) > 15
    ]
    least = 20 if notebook.number == "00" else 40
    count = sum(not {"hint", "reply", "quiz"} & set(tags(cell)) for cell in notebook.cells)
    if not least <= count <= 85:
        problems.append(f"it has {count} cells, hints and replies not counted")
    complain(problems, f"code cells of at most 15 lines with prose between, {least} to 85 cells in all")


def test_exercises_have_checks_and_solutions(notebook):
    cells = notebook.cells
    starts = [i for i, c in enumerate(cells) if c.source.startswith("### Exercise ")] + [len(cells)]
    problems = [] if 3 <= len(starts) - 1 <= 5 else [f"there are {len(starts) - 1} exercises"]
    for start, end in zip(starts, starts[1:], strict=False):
        solutions = [c for c in cells[start:end] if "solution" in tags(c)]
        checks = [c for c in cells[start:end] if "check" in tags(c) and "assert" in c.source]
        is_open = any(c.cell_type == "markdown" for c in solutions)
        title = cells[start].source.splitlines()[0]
        if not solutions:
            problems.append(f"{title}: no solution")
        if not checks and not is_open:
            problems.append(f"{title}: no check")
        problems += [f"{title}: an assert without a message" for c in checks if _bare_assert(c.source)]
    complain(
        problems,
        "tag a cell `solution` and a cell with `assert ..., 'help'` `check`; an open answer is markdown",
    )


def _bare_assert(source):
    return any(isinstance(n, ast.Assert) and n.msg is None for n in ast.walk(ast.parse(source)))


def test_prose_is_wrapped(notebook):
    lines = [line for line in prose(notebook).splitlines() if not line.startswith(("|", "[![", "!["))]
    long = [f"{len(line)} characters: {line[:60]} ..." for line in lines if len(line) > 120]
    complain(long, "wrap the paragraph at 120 characters, so that a change of a word is a change of a line")


def test_sections_begin_their_cell(notebook):
    """Jupyter's table of contents folds a heading with what follows it, cell by cell."""
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    inside = [line for text in markdown for line in re.findall(r"(?<=\n)## .+", text)]
    complain(inside, "begin a cell of its own with each section's heading")


def test_images_have_alt_text(notebook):
    found = re.findall(r"!\[\s*\]\([^)]*\)|<img(?![^>]*\balt=\"[^\"]+\")[^>]*>", prose(notebook))
    complain(found, 'say between the brackets, or in alt="...", what the image shows')


def test_links_work(notebook):
    targets = re.findall(r"\]\((?!https?:|#|data:|mailto:)([^)#\s]+)", prose(notebook))
    gone = [f"{target} does not exist" for target in targets if not (notebook.path.parent / target).exists()]
    complain(gone, "link to a file that is there, by its path from notebooks/")


def test_reading_order(notebook):
    place = NOTEBOOKS.index(notebook.path)
    text, problems = prose(notebook), []
    neighbours = {"**Before this:**": NOTEBOOKS[:place][-1:], "**Next:**": NOTEBOOKS[place + 1 :][:1]}
    for label, wanted in neighbours.items():
        found = re.findall(rf"{re.escape(label)}[^\n]*?\(([^)]*)\)", text)
        if wanted and found != [path.name for path in wanted]:
            problems.append(f"{label} links to {found or 'nothing'}, the numbering says {wanted[0].name}")
    if not notebook.cells[-1].source.startswith("**Next:**") and neighbours["**Next:**"]:
        problems.append("the last cell is not the **Next:** link")
    complain(problems, "let both link to the neighbours in the order of the numbers")


def test_no_absolute_paths(notebook):
    found = [
        f"cell {number}: {line.strip()}"
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if ABSOLUTE.search(line)
    ]
    complain(found, "write a path relative to the notebook, or take settings.output_dir()")


def test_known_tags(notebook):
    known = {"setup", "solution", "check", "hidden", "hint", "reply", "quiz", "raises-exception"}
    found = []
    for number, cell in enumerate(notebook.cells):
        unknown = set(tags(cell)) - known
        found += [f"cell {number}: {tag}" for tag in unknown]
        if "hidden" in tags(cell) and "check" not in tags(cell):
            found.append(f"cell {number}: hidden, but no check")
    complain(found, f"take tags of {', '.join(sorted(known))}; `hidden` goes with `check`")


def test_spelling_of_the_emotions(notebook):
    found = [match[0] for cell in notebook.cells for match in MISSPELT.finditer(cell.source)]
    complain(found, "write angry, disgust, fear, happy, sad, surprise, neutral")


def test_help_for_the_learner(notebook):
    """Hints after every exercise's text, folded answers, three places to talk, five questions."""
    problems = []
    for cell, after in zip(notebook.cells, notebook.cells[1:], strict=False):
        titles = re.findall(r"<details><summary>(.+)</summary>\n\n", after.source)
        if cell.source.startswith("### Exercise ") and not (
            "hint" in tags(after) and titles[:2] == ["Hint 1", "Hint 2"]
        ):
            problems.append(f"{cell.source.splitlines()[0]}: Hint 1 and Hint 2 do not follow it")
        if "reply" in tags(after) and titles != ["Answer"]:
            problems.append(f"{after.source[:60]!r}: not one folded Answer")
    talks = len(re.findall(r"^> \*\*Stop and talk\*\* \(\d min\)\. ", prose(notebook), flags=re.MULTILINE))
    if talks < 3:
        problems.append(f"{talks} times Stop and talk, not three")
    asks = [cell.source for cell in notebook.cells if "quiz" in tags(cell)]
    if asks != [f'fer_kit.quiz("{notebook.number}")']:
        problems.append(f"the cells tagged quiz are {asks}")
    complain(problems, "write it as in lesson 00, and the questions into fer_kit/tools/quizzes")


def test_minutes_of_the_sections_make_the_lesson(notebook):
    """Every section says how long it takes; those that can be left out say so and are not counted."""
    sections = re.findall(r"^## (\d+\..+)", prose(notebook), flags=re.MULTILINE)
    problems = [f"## {title}" for title in sections if not re.search(r" \((extra, )?\d+ min\)$", title)]
    minutes = sum(int(n) for n in re.findall(r" \((\d+) min\)$", "\n".join(sections), flags=re.MULTILINE))
    found = re.search(
        r"\*\*Time and hardware:\*\* (\d+) minutes, and \d+ for the exercises", notebook.cells[1].source
    )
    if not found or int(found[1]) != minutes:
        problems.append(f"the sections take {minutes} minutes, the head says {found and found[1]}")
    complain(
        problems, "end each heading with `(10 min)` or `(extra, 5 min)`; the head gives the sum of the first"
    )
