"""The rules of the house: each failing message says how to mend it."""

import ast
import graphlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from fer_kit.recipes import RECIPES
from fer_kit.reports import REPORTED

ROOT = Path(__file__).parents[1]
KIT = ROOT / "fer_kit"
MODULES = sorted(KIT.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXTS = [
    *sorted(path for path in ROOT.glob("*") if path.suffix in {".md", ".toml", ".txt", ".yml", ".py"}),
    *[
        path
        for part in ("benchmarks", "data", "figures", "fer_kit", "tests")
        for path in (ROOT / part).rglob("*")
    ],
]
TEXTS = [path for path in TEXTS if path.suffix in {".md", ".toml", ".txt", ".yml", ".py", ".html"}]

LAYERS = """
settings emotions files
faceset archive csvfile images layout action_units face_features face_drawing sample dataset fetch utkface
doctor
augment balance
bricks models cost devices
recipes batches averages callbacks records training
metrics scores evaluation saliency explain
plots doctor_plots result_plots explain_plots reports session
tools
"""
"""Data flows down: a module imports from its own line and the lines above it."""

MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:root|work|home|Users|mnt|media)/\w|\b[A-Z]:\\+Users")
PACKAGE_HOST = re.compile(r"(?:extra-)?index[-_]url|trusted[-_]host")
REPORT_ID = re.compile(r"\b(?:zhao|choudhari|hejslet|murphy)-[a-z]+[a-z0-9]*(?:-[a-z]+)?\b")
MISSPELT = re.compile(r"\b(?:suprise|surprize|disguist|digust|netural|nuetral|hapiness)\w*", re.IGNORECASE)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(path):
    return [
        node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def module_of(path):
    """`fer_kit.tools.run` for fer_kit/tools/run.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    """Names of the kit's modules that a module imports, anywhere in it."""
    names = {module_of(p) for p in MODULES}
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & names) or {node.module}
    return found & names - {module_of(path)}


def complain(problems, remedy):
    assert not problems, "\n".join([*problems, f"To mend: {remedy}"])


# ---- the package ----


def test_modules_are_short():
    long = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    complain(
        [f"{name} has {lines} lines" for name, lines in long.items() if lines > 250],
        "split it into two modules that each do one thing; 250 lines is the most",
    )


def test_functions_are_short():
    problems = []
    for path in MODULES:
        for function in functions_of(path):
            first = (
                function.body[1] if ast.get_docstring(function) and function.body[1:] else function.body[0]
            )
            lines = function.end_lineno - first.lineno + 1
            if lines > 30:
                problems.append(f"{relative(path)}:{function.lineno} {function.name} has {lines} lines")
    complain(problems, "take a step with a name of its own out of it; 30 lines without docstring is the most")


def test_public_names_have_docstrings():
    problems = []
    for path in MODULES:
        tree = tree_of(path)
        nodes = [tree, *[n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]]
        nodes += [m for c in nodes if _is_public_class(c) for m in c.body if isinstance(m, ast.FunctionDef)]
        for node in nodes:
            name = getattr(node, "name", "the module")
            if not name.startswith(("_", "on_")) and path.stat().st_size and not ast.get_docstring(node):
                problems.append(f"{relative(path)}: {name}")
    complain(problems, "write one sentence, then shapes, dtypes, units and errors; or begin the name with _")


def _is_public_class(node):
    return isinstance(node, ast.ClassDef) and not node.name.startswith("_")


def test_no_circular_imports():
    graph = {module_of(path): imports_of(path) for path in MODULES}
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        complain([" -> ".join(error.args[1])], "move what both need into a module that neither imports")


def test_data_flows_one_way():
    layers = [line.split() for line in LAYERS.strip().splitlines()]
    level = {name: row for row, names in enumerate(layers) for name in names}
    problems = []
    for path in MODULES:
        here = [part for part in module_of(path).split(".")[1:2] if part != "__main__"]
        for name in here:
            if name not in level:
                problems.append(f"{relative(path)} stands in no layer")
                continue
            for other in {module.split(".")[1] for module in imports_of(path) if "." in module}:
                if level.get(other, 0) > level[name]:
                    problems.append(f"{relative(path)} imports {other}, which comes after it")
    complain(
        problems,
        "let it import from its own or an earlier layer of LAYERS in this file, or find its place there",
    )


def test_only_settings_reads_the_environment():
    reads = re.compile(r"\benviron\b(?!\[[^]]+\] = |\.setdefault\()|\bgetenv\b")
    problems = [
        f"{relative(path)}:{number} {line.strip()}"
        for path in MODULES
        if path.name != "settings.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if reads.search(line.partition("#")[0])
    ]
    complain(problems, "put a function into fer_kit/settings.py and call it")


def test_import_is_quick_and_silent(tmp_path):
    code = (
        "import sys, fer_kit, fer_kit.settings, fer_kit.emotions\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'cv2', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "print(*heavy)"
    )
    done = python(code, tmp_path)
    problems = [f"import fer_kit imports {done.stdout.strip()}"] if done.stdout.strip() else []
    complain(problems + done.stderr.splitlines(), "import it inside the function that needs it")


def test_modules_do_nothing_when_imported(tmp_path):
    names = [module_of(path) for path in MODULES if path.name != "__main__.py"]
    done = python(f"import importlib\nfor name in {names}: importlib.import_module(name)", tmp_path)
    problems = [done.stdout] * bool(done.stdout) + [str(path) for path in tmp_path.iterdir()]
    problems += [done.stderr] * bool(done.returncode)
    complain(problems, "move what prints, writes or fails at import into a function")


def python(code, folder):
    """Run `code` in a fresh Python in `folder`, with this repository's kit."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FER_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


# ---- all texts ----


def test_no_machine_paths_and_hosts():
    problems = [
        f"{relative(path)}:{number} {line.strip()[:90]}"
        for path in [*TEXTS, *NOTEBOOKS]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATH.search(line) or PACKAGE_HOST.search(line)
    ]
    complain(problems, "write paths relative to the repository, and name no package host")


def test_report_ids_exist():
    known = {*REPORTED, *RECIPES}
    problems = [
        f"{relative(path)} speaks of {found}"
        for path in [*TEXTS, *NOTEBOOKS]
        if "tests" not in path.parts  # where wrong ones are tried
        for found in sorted(set(REPORT_ID.findall(path.read_text(encoding="utf-8"))) - known)
    ]
    complain(problems, "take an id of fer_kit/reports.py, or call it something that looks like no id")


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=["check", "format"])
def test_ruff(command):
    if not importlib.util.find_spec("ruff"):
        pytest.skip("ruff is not installed: pip install ruff")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    remedy = "ruff check --fix ." if command == ("check",) else "ruff format ."
    complain([done.stdout + done.stderr] * bool(done.returncode), f"run `{remedy}` in the repository")


# ---- notebooks ----


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


def test_setup_and_hardware_cells(notebook):
    setups = [
        cell.source for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells if "setup" in tags(cell)
    ]
    problems = []
    if "setup" not in tags(notebook.cells[2]) or notebook.cells[2].source != setups[0]:
        problems.append(f"the third cell is not the setup cell of {NOTEBOOKS[0].name}")
    if len(setups) != len(NOTEBOOKS):
        problems.append(f"{len(setups)} setup cells in {len(NOTEBOOKS)} notebooks")
    if notebook.cells[3].source.strip() != "fer_kit.check_hardware()":
        problems.append("the fourth cell is not fer_kit.check_hardware()")
    complain(problems, "copy both cells, with the tag `setup`, from another notebook")


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
    if not least <= len(notebook.cells) <= 70:
        problems.append(f"it has {len(notebook.cells)} cells")
    complain(problems, f"code cells of at most 15 lines with prose between, {least} to 70 cells in all")


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


def test_images_have_alt_text(notebook):
    found = re.findall(r"!\[\s*\]\([^)]*\)|<img(?![^>]*\balt=\"[^\"]+\")[^>]*>", prose(notebook))
    complain(found, 'say between the brackets, or in alt="...", what the image shows')


def test_links_work_and_the_order_is_kept(notebook):
    text = prose(notebook)
    targets = re.findall(r"\]\((?!https?:|#|data:|mailto:)([^)#\s]+)", text)
    problems = [
        f"{target} does not exist" for target in targets if not (notebook.path.parent / target).exists()
    ]
    before = re.search(r"\*\*Before this:\*\*.*?\((\d\d)_", text)
    following = re.search(r"\*\*Next:\*\*.*?\((\d\d)_", text)
    if before and before[1] >= notebook.number:
        problems.append(f"**Before this:** points at {before[1]}")
    if following and following[1] <= notebook.number:
        problems.append(f"**Next:** points at {following[1]}")
    if not before and notebook.path != NOTEBOOKS[0]:
        problems.append("there is no **Before this:** link")
    if not following and notebook.path != NOTEBOOKS[-1]:
        problems.append("there is no **Next:** link")
    complain(
        problems,
        "link **Before this:** to an earlier notebook, **Next:** to a later one, all to files that exist",
    )


def test_spelling_of_the_emotions(notebook):
    found = [match[0] for cell in notebook.cells for match in MISSPELT.finditer(cell.source)]
    complain(found, "write angry, disgust, fear, happy, sad, surprise, neutral")
