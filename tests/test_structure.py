"""The rules of the house: each failing message says how to mend it."""

import ast
import graphlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house import NOTEBOOKS, ROOT, complain, relative
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fer_kit.reports import REPORTED
from fer_kit.training.recipes import RECIPES

KIT = ROOT / "fer_kit"
MODULES = sorted(KIT.rglob("*.py"))
MAINTAINERS = sorted((ROOT / "maintain").rglob("*.py"))
TEXTS = [
    *sorted(path for path in ROOT.glob("*") if path.suffix in {".md", ".toml", ".txt", ".yml", ".py"}),
    *[
        path
        for part in ("benchmarks", "data", "figures", "fer_kit", "maintain", "tests")
        for path in (ROOT / part).rglob("*")
    ],
]
TEXTS = [path for path in TEXTS if path.suffix in {".md", ".toml", ".txt", ".yml", ".py", ".html"}]

ORDER = ["runtime", "data", "models", "training", "evaluation", "camera", "plots", "session", "tools"]
"""Imports go one way: a sub-package imports from itself and from those before it."""
BESIDE = {"studies": "camera", "reports": "session"}
"""Those that stand beside another one of ORDER: neither imports the other."""

MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:root|work|home|Users|mnt|media)/\w|\b[A-Z]:\\+Users")
PACKAGE_HOST = re.compile(r"(?:extra-)?index[-_]url|trusted[-_]host")
REPORT_ID = re.compile(r"\b(?:zhao|choudhari|hejslet|murphy)-[a-z]+[a-z0-9]*(?:-[a-z]+)?\b")


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


# ---- the package ----


def test_modules_are_short():
    long = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in [*MODULES, *MAINTAINERS]}
    complain(
        [f"{name} has {lines} lines" for name, lines in long.items() if lines > 400],
        "split it into two modules that each do one thing; 400 lines is the most",
    )


def test_functions_are_short():
    problems = []
    for path in [*MODULES, *MAINTAINERS]:
        for function in functions_of(path):
            first = (
                function.body[1] if ast.get_docstring(function) and function.body[1:] else function.body[0]
            )
            lines = function.end_lineno - first.lineno + 1
            if lines > 30:
                problems.append(f"{relative(path)}:{function.lineno} {function.name} has {lines} lines")
    complain(problems, "take a step with a name of its own out of it; 30 lines without docstring is the most")


PAIRS = {("x", "y"), ("low", "high")}
"""Names of two values that are one thing, which may be assigned together."""


def test_one_assignment_a_line():
    problems = []
    for path in [*MODULES, *MAINTAINERS]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                targets = [target for target in node.targets if isinstance(target, ast.Tuple)]
                if any(_names(target) not in PAIRS and not _swaps(target, node.value) for target in targets):
                    problems.append(f"{relative(path)}:{node.lineno} {ast.unparse(node)[:60]}")
    complain(problems, "give each value a line of its own, unless they are one thing, as PAIRS are")


def _names(target):
    return tuple(ast.unparse(element) for element in target.elts)


def _swaps(target, value):
    return set(_names(target)) == set(_names(value))


def test_public_names_have_docstrings():
    problems = []
    for path in [*MODULES, *MAINTAINERS]:
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


def test_there_is_something_to_test():
    assert len(MODULES) > 60 and len(MAINTAINERS) > 5 and len(NOTEBOOKS) > 15


def test_the_package_is_found_at_a_glance():
    for room in {path.parent for path in [*MODULES, *MAINTAINERS]}:
        entries = [path.name for path in room.iterdir() if path.name != "__pycache__"]
        crowded = entries if len(entries) > 13 else []
        complain(crowded, f"13 entries are the most that {relative(room)}/ may show")


def test_imports_go_one_way():
    problems = []
    for path in MODULES:
        here = room_of(module_of(path))
        for other in {room_of(module) for module in imports_of(path)} - {here, None}:
            if here and (rank(other) > rank(here) or rank(other) == rank(here)):
                problems.append(f"{relative(path)} imports {other}, which does not come before {here}")
    complain(problems, "let it import from rooms before its own in ORDER, or move what both need down")


def room_of(module):
    """`data` for fer_kit.data.loading; None for the face and the command, which may import all."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__main__" else None


def rank(room):
    return ORDER.index(BESIDE.get(room, room))


def test_every_room_has_a_place():
    rooms = {room_of(module_of(path)) for path in MODULES} - {None}
    assert rooms == {*ORDER, *BESIDE}


def test_no_name_of_a_face_is_hidden_by_a_module():
    """`from fer_kit.data import balance` would give a module of that name once somebody had imported it."""
    problems = []
    for path in KIT.rglob("__init__.py"):
        tables = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Dict)]
        names = {
            name
            for table in tables
            for listed in table.values
            if isinstance(listed, ast.Constant)
            for name in str(listed.value).split()
        }
        modules = [*path.parent.glob("*.py"), *(p.parent for p in path.parent.glob("*/__init__.py"))]
        beside = {p.stem for p in modules}
        problems += [f"{relative(path)}: {name}" for name in sorted(names & beside)]
    complain(problems, "name the module otherwise than the function in it")


def test_private_names_stay_in_their_room():
    problems = []
    for path in [*MODULES, *MAINTAINERS]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fer_kit."):
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                private = [name for name in names if name.startswith("_")]
                if private and room_of(node.module) != room_of(module_of(path)):
                    problems.append(f"{relative(path)}:{node.lineno} imports {', '.join(private)}")
    complain(problems, "give it a name without _, or move it to where it is used")


def test_the_kit_does_not_know_its_maintainers():
    text = re.compile(r"^\s*(?:from|import) maintain\b", re.MULTILINE)
    problems = [relative(path) for path in MODULES if text.search(path.read_text(encoding="utf-8"))]
    complain(problems, "move what it imports from maintain/ into fer_kit/")


def test_only_settings_reads_the_environment():
    reads = re.compile(r"\benviron\b(?!\[[^]]+\] = |\.setdefault\()|\bgetenv\b")
    problems = [
        f"{relative(path)}:{number} {line.strip()}"
        for path in MODULES
        if path.name != "settings.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if reads.search(line.partition("#")[0])
    ]
    complain(problems, "put a function into fer_kit/runtime/settings.py and call it")


def test_import_is_quick_and_silent(tmp_path):
    code = (
        "import sys, fer_kit, fer_kit.runtime.settings, fer_kit.data.emotions\n"
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


def test_every_dependency_has_a_floor_and_a_ceiling_and_the_tested_set_lies_between():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 or newer reads pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}
    wanted = map(Requirement, sum(project["optional-dependencies"].values(), project["dependencies"]))
    problems = []
    for one in wanted:
        if one.name == project["name"]:
            continue
        if {part.operator for part in one.specifier} != {">=", "<"}:
            problems.append(f"{one} lacks a floor (>=) or a ceiling (<)")
        elif not one.specifier.contains(tested[canonicalize_name(one.name)]):
            problems.append(f"{one} does not allow {tested[canonicalize_name(one.name)]} of constraints.txt")
    complain(problems, "give both bounds in pyproject.toml, the ceiling at the next major version")


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
