"""The kit installed like any package, from a wheel, and used far from its repository."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from house import ROOT
from test_colab import bare_environment
from test_labs import solutions_in

import fer_kit

COMMANDS = (
    "--version",
    "doctor sample",
    "evaluate kit-small --data sample --json",
    "watch demo --detector haar-alt2 --out demo.webm",
    "train kit-small --recipe kit-small --data sample --epochs 1 --per-emotion 10 --out run",
    "run --data sample",
    "labs --out labs",
)
SCRIPT = """
import contextlib, io, json, os, pathlib, sys
import matplotlib
matplotlib.use("Agg")
import fer_kit
from fer_kit.tools.cli import main

told = {}
for command in json.loads(sys.argv[1]):
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            status = main(command.split())
        except SystemExit as stopped:
            status = stopped.code
    told[command] = {"status": status, "out": out.getvalue(), "error": error.getvalue()}
space = {"fer_kit": fer_kit}
out = io.StringIO()
with contextlib.redirect_stdout(out):
    fer_kit.setup()
    cells = iter(json.loads(sys.argv[2]))
    while "scored" not in space:  # the rest of the lesson only draws what was found
        exec(next(cells), space)
told["lesson"] = {"out": out.getvalue(), "records": len(space["runs"]), "rows": len(space["scored"])}
pathlib.Path("told.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(an environment with the kit from its wheel and this one's packages, variables, an empty folder)."""
    if importlib.metadata.version("setuptools") < "77":
        pytest.skip('the wheel is built with newer setuptools: pip install "setuptools>=77"')
    home = tmp_path_factory.mktemp("installed")
    source = home / "source"
    source.mkdir()
    shutil.copytree(ROOT / "fer_kit", source / "fer_kit", ignore=shutil.ignore_patterns("__pycache__"))
    for path in filter(Path.is_file, ROOT.iterdir()):
        shutil.copy(path, source)
    ours = ("FER_", "PYTHONPATH", "VIRTUAL_ENV")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    variables |= {"FER_PROFILE": "smoke", "FER_DATA": "sample", "FER_CACHE": str(home / "cache")}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", ".", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", home]
    subprocess.run([*pip, *build], cwd=source, env=variables, check=True)
    (wheel,) = home.glob("*.whl")
    bare_environment(home / "env", without="fer_kit")
    install = ["--python", home / "env", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *install], cwd=home, env=variables, check=True)
    shutil.rmtree(source)
    (home / "here").mkdir()
    return home / "env" / "bin", variables, home / "here"


@pytest.fixture(scope="module")
def told(place):
    """What the commands and lesson 15 said, in one process."""
    binaries, variables, here = place
    lesson = nbformat.read(ROOT / "notebooks" / "15_reproduce_the_reports.ipynb", as_version=4)
    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    cells = [cell.source for cell in code if "setup" not in cell.metadata.get("tags", [])]
    script = [binaries / "python", "-c", SCRIPT, json.dumps(COMMANDS), json.dumps(cells)]
    done = subprocess.run(script, cwd=here, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((here / "told.json").read_text())


def test_the_command_is_there_and_knows_its_version(place):
    binaries, variables, here = place
    command = [binaries / "fer-kit", "--version"]
    done = subprocess.run(command, cwd=here, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"fer-kit {fer_kit.__version__}"


def test_the_whole_package_is_there(place):
    (installed,) = place[0].parent.glob("lib/python*/site-packages/fer_kit")
    ours, theirs = (
        {path.relative_to(kit) for path in kit.rglob("*") if path.is_file() and path.suffix != ".pyc"}
        for kit in (ROOT / "fer_kit", installed)
    )
    assert ours == theirs, "name what is missing under [tool.setuptools.package-data] in pyproject.toml"


def test_it_brings_no_solution(place):
    """This is what the setup cell of a lab fetches in Colab and Kaggle."""
    (packages,) = place[0].parent.glob("lib/python*/site-packages")
    record = next(packages.glob("fer_kit-*.dist-info/RECORD")).read_text().splitlines()
    ours = re.compile(r"fer_kit(-[\w.]+\.dist-info)?/|\.\./\.\./\.\./bin/fer-kit,")
    assert [line for line in record if not ours.match(line)] == []
    assert not [line for line in record if ".ipynb" in line] and not solutions_in(packages / "fer_kit")


@pytest.mark.parametrize("command", COMMANDS[:5])
def test_commands_run(told, command):
    assert told[command]["status"] in (0, None), told[command]
    assert told[command]["out"].strip()


def test_they_leave_what_they_should(told, place):
    here = place[2]
    assert 0 <= json.loads(told[COMMANDS[2]]["out"])["accuracy"] <= 1
    assert (here / "demo.webm").stat().st_size > 10_000 and (here / "demo.csv").exists()
    assert (here / "run" / "best.keras").exists()


@pytest.mark.parametrize("command", COMMANDS[5:])
def test_without_notebooks_one_sentence_says_what_is_missing(told, command):
    assert told[command]["status"] == 2
    error = told[command]["error"]
    assert error.count("\n") == 1 and "no numbered notebooks" in error and "copy of the repository" in error


def test_lesson_15_finds_the_records(told):
    assert told["lesson"]["records"] > 5 and told["lesson"]["rows"] > 5
    assert "kit-small" in told["lesson"]["out"]
