"""The setup cell in Colab: what it fetches, installs, leaves alone, finds and keeps."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest

from fer_kit import colab
from fer_kit.runtime import settings
from maintain.badges import address_of

ROOT = Path(__file__).parents[1]
REQUIRES = """Metadata-Version: 2.1
Name: fer-kit
Version: 0.1.0
Requires-Dist: keras>=3.10
Requires-Dist: opencv-contrib-python-headless<5,>=4.10
Provides-Extra: tuning
Requires-Dist: optuna>=4.0; extra == "tuning"
Requires-Dist: mtcnn>=1.0; extra == 'faces'
Requires-Dist: there-is-no-such-exporter; extra == "export"
"""
PIP = """
import json, os, pathlib, sys
arguments = sys.argv[1:]
entry = {"arguments": arguments}
if "--constraint" in arguments:
    entry["held"] = pathlib.Path(arguments[arguments.index("--constraint") + 1]).read_text().splitlines()
with open(os.environ["PIP_LOG"], "a") as log:
    log.write(json.dumps(entry) + "\\n")
if "--editable" in arguments:
    info = pathlib.Path(__file__).parents[1] / "fer_kit-0.1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(os.environ["KIT_METADATA"])
sys.exit("mtcnn" in arguments[-1])  # this one pip refuses
"""
SESSION = """
import os, pathlib, sys, types
sys.modules["google.colab"] = stand_in = types.ModuleType("google.colab")
mount = lambda place: pathlib.Path(place, "MyDrive").mkdir(parents=True, exist_ok=True)
stand_in.drive = types.SimpleNamespace(mount=mount)
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance().run_cell(sys.argv[1]).raise_error()
import fer_kit
print("kit", fer_kit.__file__)
print("out", os.environ.get("FER_OUT"))
print("data", os.environ.get("FER_DATA"))
"""


@pytest.fixture(scope="module")
def cell():
    """The source of the setup cell."""
    notebook = nbformat.read(sorted((ROOT / "notebooks").glob("0*.ipynb"))[0], as_version=4)
    return notebook.cells[2].source


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Variables for a bare virtual environment that has this one's packages, but no kit, Optuna or MTCNN.

    Its pip writes down what it is asked for; the repository's address leads to a copy on this disk.
    """
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    home = tmp_path_factory.mktemp("colab")
    packages = bare_environment(home / "env")
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text(PIP)
    (packages / "pip" / "__init__.py").touch()
    origin = a_repository(home / "origin")
    ours = ("FER_", "PIP_", "GIT_", "VIRTUAL_ENV")  # by the last, IPython would find this environment again
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    (home / "content").mkdir()
    return kept | {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "KERAS_BACKEND": "numpy",  # quick to import, and setup does nothing else with it
        "KIT_METADATA": REQUIRES,
        "PIP_LOG": str(home / "pip.log"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address_of(ROOT),
    }


def bare_environment(folder):
    """Make a virtual environment without pip that borrows this one's packages; return its site-packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for entry in Path(importlib.metadata.distribution("numpy").locate_file("")).iterdir():
        if not re.match(r"pip\b|fer_kit|__editable__|_*pycache|optuna|mtcnn", entry.name, re.IGNORECASE):
            (packages / entry.name).symlink_to(entry)
    return packages


def a_repository(folder):
    """Make a git repository of the kit as it is here."""
    shutil.copytree(
        ROOT / "fer_kit", folder / "fer_kit", ignore=shutil.ignore_patterns("__pycache__", "weights")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder


def session(cell, environment):
    """Run the setup cell as the first cell of a Colab session; return what it printed."""
    home = Path(environment["HOME"])
    command = [home / "env" / "bin" / "python", "-c", SESSION, cell]
    done = subprocess.run(command, cwd=home / "content", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def first(cell, environment):
    """(what the first session printed, the folder that Colab starts in), with FER-2013 on the Drive."""
    content = Path(environment["HOME"]) / "content"
    (content / "drive" / "MyDrive").mkdir(parents=True)
    (content / "drive" / "MyDrive" / "fer2013.zip").touch()
    return session(cell, environment), content


def asked_of_pip(environment):
    return [json.loads(line) for line in Path(environment["PIP_LOG"]).read_text().splitlines()]


def test_the_kit_is_cloned_and_imported_from_there(first):
    printed, content = first
    assert f"kit {content / 'fer-kit' / 'fer_kit' / '__init__.py'}" in printed
    assert "fer-kit 0.1.0" in printed


def test_nothing_that_is_installed_is_asked_for_or_let_go(first, environment):
    kit, *others = asked_of_pip(environment)
    assert kit["arguments"] == ["install", "--quiet", "--no-deps", "--editable", "fer-kit"]
    assert [entry["arguments"][-1] for entry in others] == ["optuna>=4.0", "mtcnn>=1.0"]
    for entry in others:
        for package in ("tensorflow", "keras", "numpy"):
            assert f"{package}=={importlib.metadata.version(package)}" in entry["held"]


def test_a_package_that_pip_refuses_is_told_and_no_end(first):
    assert "mtcnn>=1.0 does not go with what is installed" in first[0]
    assert "Profile lab" in first[0], "setup went on to its end"


def test_the_dataset_on_the_drive_is_taken(first):
    printed, content = first
    assert f"data {content / 'drive' / 'MyDrive' / 'fer2013.zip'}" in printed


def test_runs_outlive_the_session(first, cell, environment):
    printed, content = first
    out = Path(re.search("^out (.+)", printed, re.MULTILINE)[1])
    assert out.is_relative_to(content / "drive" / "MyDrive")
    (out / "a-run").mkdir(parents=True)
    before = len(asked_of_pip(environment))
    shutil.rmtree(content / "fer-kit")  # Colab's own disk is empty in the next session, the Drive is not
    again = session(cell, environment)
    assert f"out {out}" in again and (out / "a-run").exists()
    assert len(asked_of_pip(environment)) > before


# ---- what the session above does not meet ----


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A session in an empty folder, without FER_DATA and FER_OUT, in which nothing is missing."""
    for name in ("FER_DATA", "FER_OUT"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(colab, "install_missing", lambda: None)
    monkeypatch.setattr(colab, "mount_drive", lambda: None)
    return monkeypatch


def test_without_drive_the_dataset_is_downloaded(bare, tmp_path):
    bare.setattr(colab, "fetch", lambda folder: Path(folder).mkdir())
    colab.prepare()
    assert settings.data_path() == tmp_path / "data" / "fer2013.zip"
    assert settings.output_dir() == Path()  # as it was set: nothing is kept elsewhere


def test_without_drive_and_download_the_sample_is_left(bare, capsys):
    def fail(folder):
        raise ConnectionError("the download failed")

    bare.setattr(colab, "fetch", fail)
    colab.prepare()
    assert "the download failed" in capsys.readouterr().out and not settings.is_set("FER_DATA")


def test_what_the_student_has_set_stays(bare, tmp_path):
    bare.setenv("FER_DATA", "sample")
    bare.setenv("FER_OUT", "mine")
    bare.setattr(colab, "mount_drive", lambda: tmp_path)
    colab.prepare()
    assert str(settings.data_path()) == "sample" and str(settings.output_dir()) == "mine"


def test_a_refused_drive_is_told(monkeypatch, capsys):
    class Refusing:
        class drive:  # noqa: N801
            @staticmethod
            def mount(place):
                raise ValueError("mount failed")

    monkeypatch.setitem(sys.modules, "google.colab", Refusing)
    assert colab.mount_drive() is None
    assert "No Drive (mount failed): runs are lost" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["fer2013.zip", "fer_kit/fer2013.csv", "data/fer2013.zip"])
def test_the_drive_is_searched_where_people_put_it(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert colab.find_on(tmp_path) == tmp_path / name


def test_all_extras_are_the_kits_own():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", text, re.MULTILINE) for extra in colab.EXTRAS)
