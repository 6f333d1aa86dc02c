"""Rehearse the kit on other set-ups: environments that exist, or look-alikes of today's Colab and Kaggle.

In each the setup cell and lessons run as they are, in `smoke`, from a copy of this repository; a set-up whose
name begins with `colab` or `kaggle` takes itself for that host.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError

from fer_kit.runtime.files import claim
from fer_kit.tools.run import new_client
from maintain.badges import address_of, repository

LESSONS = ("00", "06", "10", "12", "13")

PYTHON = "3.12"
"""The Python of both hosts, taken for look-alikes where it is found."""

_JUPYTER = ("ipykernel<7", "jupyterlab", "kagglehub", "pandas<3", "scikit-image", "seaborn", "tqdm")
LOOKALIKES = {
    "colab": (
        "tensorflow~=2.20.0",
        "keras~=3.13.0",
        "numpy~=2.1.0",
        "ipywidgets==7.7.1",
        "opencv-contrib-python<5",
        "opencv-python>=5",
        *_JUPYTER,
    ),
    "kaggle": (
        "tensorflow~=2.19.0",
        "keras~=3.10.0",
        "numpy~=2.0.0",
        "ipywidgets==8.1.5",
        "opencv-contrib-python<5",
        "opencv-python<5",
        "opencv-python-headless<5",
        "optuna",
        *_JUPYTER,
    ),
}
"""What the hosts have installed that concerns the kit; the packages of OpenCV share one folder there too."""

STAND_IN = """
import pathlib, sys, types
import google
colab = types.ModuleType("google.colab")
mount = lambda place: pathlib.Path(place, "MyDrive").mkdir(parents=True, exist_ok=True)
colab.drive = types.SimpleNamespace(mount=mount)
colab.output = types.SimpleNamespace()
sys.modules["google.colab"] = google.colab = colab
"""
"""Runs as `sitecustomize` before anything else, and is to a kernel what Colab's own package is."""

VERSIONS = """
import json, platform
from importlib import metadata
found = {one.name: one.version for one in metadata.distributions() if one.name}
print(json.dumps({"Python": platform.python_version()} | found))
"""
SCORE = """
import fer_kit
scores = fer_kit.evaluate("kit-small", fer_kit.load_faces("sample"))
print(f"{scores.accuracy:.4f}")
"""
MARK = "setup.txt"
CLAIM = "Made by python -m maintain setups, which empties this folder.\n"
COLUMNS = ("set-up", "Python", "keras", "tensorflow", "numpy", "changed", "evaluate", "watch")


def setups(names, folder, lessons=LESSONS):
    """Rehearse each set-up, print a line as it ends, and return the table in Markdown.

    `names` are `NAME=PYTHON`, an environment that exists, or `colab` or `kaggle`, of which a look-alike is
    built in `folder` first. From the environments fer-kit is removed, then they get that of the last commit
    and what its setup cell installs.
    """
    rows = [[*COLUMNS, *lessons], ["---"] * (len(COLUMNS) + len(lessons))]
    for name in names:
        name, _, python = name.partition("=")
        rows.append(_row(name, python, folder, lessons, len(rows[0])))
        print(" · ".join(rows[-1]), flush=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name, python, folder, lessons, width):
    """`rehearse`, in an environment that is built where no `python` is given; a failure is a row, too."""
    try:
        python = Path(shutil.which(python) or python).absolute() if python else build(name, folder / name)
        return rehearse(name, python, folder / f"{name}-work", lessons)
    except (subprocess.CalledProcessError, OSError) as error:
        return [name, _short(f"FAILED: {error}"), *["-"] * (width - 2)]


def build(name, folder):
    """Make the look-alike `name` of `LOOKALIKES` in `folder`; return the path of its Python."""
    if name not in LOOKALIKES:
        raise ValueError(f"no look-alike {name!r}; give {' or '.join(LOOKALIKES)}, or NAME=PYTHON")
    base = shutil.which(f"python{PYTHON}") or sys.executable
    empty(folder)
    subprocess.run([base, "-m", "venv", folder], check=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "--upgrade", "pip"], check=True)  # an older one may search for hours
    subprocess.run([*install, *LOOKALIKES[name]], check=True)
    return python


def empty(folder):
    """Make a folder anew that an earlier rehearsal left. Raises FileExistsError for anybody else's."""
    claim(folder, MARK, CLAIM)
    shutil.rmtree(folder)
    claim(folder, MARK, CLAIM)


def rehearse(name, python, work, lessons=LESSONS):
    """Run the lessons, then the commands, in the environment of `python`; return a row of the table."""
    empty(work)
    (work / "site").mkdir()
    if name.startswith("colab"):
        (work / "site" / "sitecustomize.py").write_text(STAND_IN, encoding="utf-8")
    shutil.copytree(repository() / "notebooks", work / "notebooks")
    variables = _variables(name, work)
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "fer-kit"], check=True)
    before = _versions(python, variables)
    ran = [run_lesson(number, python, work / "notebooks", variables) for number in lessons]
    after = _versions(python, variables)
    changed = [package for package, version in before.items() if after.get(package) != version]
    row = [name, *(after.get(package, "-") for package in COLUMNS[1:5]), ", ".join(changed) or "nothing"]
    row.append(_said(python, ["-c", SCORE], work, variables))
    row.append(_said(python, ["-m", "fer_kit", "watch", "demo", "--out", "demo.webm"], work, variables))
    return [*row, *ran]


def _variables(name, work):
    """The environment variables of a host, with this repository at the address of the setup cell."""
    origin = repository().resolve()
    own = {
        "FER_DATA": "sample",
        "FER_PROFILE": "smoke",
        "FER_OUT": str(work / "output"),
        "FER_CACHE": str(work / "cache"),
        "PYTHONPATH": str(work / "site"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address_of(origin),
    }
    return own | ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"} if name.startswith("kaggle") else {})


def run_lesson(number, python, folder, variables):
    """Run a lesson as it is, in the Python of a set-up; return its seconds, or its error, in words."""
    (path,) = folder.glob(f"{number}_*.ipynb")
    began = time.monotonic()
    client = new_client(nbformat.read(path, as_version=4), folder, variables, str(python))
    try:
        client.execute(cleanup_kc=True)
    except CellExecutionError as error:
        return f"FAILED: {error.ename}: {_short(error.evalue)}"
    except DeadKernelError as error:
        return f"FAILED: {_short(str(error))}"
    return f"{time.monotonic() - began:.0f} s"


def _versions(python, variables):
    return json.loads(subprocess.check_output([python, "-c", VERSIONS], env=os.environ | variables))


def _said(python, arguments, work, variables):
    """The last line that a command prints, or of what it complains."""
    where = {"cwd": work, "env": os.environ | variables}
    done = subprocess.run([python, *arguments], **where, capture_output=True, text=True, check=False)
    return _short(done.stderr if done.returncode else done.stdout)


def _short(text):
    """The last line of a text, without what would break a table."""
    lines = text.strip().splitlines() or [""]
    return re.sub(r"\s*[|]\s*", " ", lines[-1])[:80]
