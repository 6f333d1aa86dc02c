"""The setup cell in Colab and Kaggle: what it fetches, installs, leaves alone, finds and keeps."""

import importlib.metadata
import importlib.util
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

from fer_kit import session as kit_session
from fer_kit.runtime import settings
from maintain.badges import address_of

ROOT = Path(__file__).parents[1]
REQUIRES = """Metadata-Version: 2.1
Name: fer-kit
Version: 0.1.0
Requires-Dist: keras>=3.10
Requires-Dist: opencv-contrib-python-headless<5,>=4.10
Provides-Extra: tuning
Requires-Dist: optuna>=4.9; extra == "tuning"
Requires-Dist: mtcnn>=1.0; extra == 'faces'
Requires-Dist: there-is-no-such-exporter; extra == "export"
"""
PIP = """
import json, os, pathlib, shutil, subprocess, sys, tempfile
arguments = sys.argv[1:]
entry = {"arguments": arguments}
if "--constraint" in arguments:
    entry["held"] = pathlib.Path(arguments[arguments.index("--constraint") + 1]).read_text().splitlines()
with open(os.environ["PIP_LOG"], "a") as log:
    log.write(json.dumps(entry) + "\\n")
if "PIP_OFFLINE" in os.environ:
    sys.exit("there is no network")
if arguments[-1].startswith("git+"):
    packages = pathlib.Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", arguments[-1].removeprefix("git+"), folder], check=True)
        shutil.copytree(pathlib.Path(folder, "fer_kit"), packages / "fer_kit")
    info = packages / "fer_kit-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(os.environ["KIT_METADATA"])
sys.exit("mtcnn" in arguments[-1])  # this one pip refuses
"""
SESSION = """
import os, pathlib, sys, types
if "KAGGLE_KERNEL_RUN_TYPE" not in os.environ:
    sys.modules["google.colab"] = stand_in = types.ModuleType("google.colab")
    mount = lambda place: pathlib.Path(place, "MyDrive").mkdir(parents=True, exist_ok=True)
    stand_in.drive = types.SimpleNamespace(mount=mount)
    stand_in.output = None  # which jax imports there
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


def machine(home, **variables):
    """Return the variables of a bare environment with this one's packages, but no kit, Optuna or MTCNN.

    Its pip writes down what it is asked for; the repository's address leads to a copy on this disk.
    """
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    packages = bare_environment(home / "env")
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text(PIP)
    (packages / "pip" / "__init__.py").touch()
    origin = a_repository(home / "origin")
    # By VIRTUAL_ENV IPython would find this environment again, by PYTHONPATH Python the kit.
    ours = ("FER_", "PIP_", "GIT_", "KAGGLE_", "VIRTUAL_ENV", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    (home / "content").mkdir()
    own = {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        # Quick to import, and setup does nothing else with it; that of Keras 3.10 imports JAX.
        "KERAS_BACKEND": "numpy" if importlib.util.find_spec("jax") else "tensorflow",
        "KIT_METADATA": REQUIRES,
        "PIP_LOG": str(home / "pip.log"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address_of(ROOT),
    }
    return kept | own | variables


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A machine of Colab."""
    return machine(tmp_path_factory.mktemp("colab"))


def bare_environment(folder, without="fer_kit|optuna|mtcnn"):
    """Make a virtual environment that borrows this one's packages, but pip and some; return site-packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for entry in Path(importlib.metadata.distribution("numpy").locate_file("")).iterdir():
        if not re.match(rf"pip\b|__editable__|_*pycache|{without}", entry.name, re.IGNORECASE):
            (packages / entry.name).symlink_to(entry)
    return packages


def a_repository(folder):
    """Make a git repository of the kit as it is here."""
    shutil.copytree(
        ROOT / "fer_kit",
        folder / "fer_kit",
        ignore=shutil.ignore_patterns("__pycache__", "weights", "recorded"),
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder


def session(cell, environment):
    """Run the setup cell as the first cell of a session; return what it printed."""
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


def test_the_kit_is_fetched_and_imported_from_there(first, environment):
    printed, _ = first
    kit = re.search("^kit (.+)", printed, re.MULTILINE)[1]
    assert Path(kit).is_relative_to(Path(environment["HOME"]) / "env")
    assert "fer-kit 0.1.0" in printed


def test_nothing_that_is_installed_is_asked_for_or_let_go(first, environment):
    kit, *others = asked_of_pip(environment)
    assert kit["arguments"] == ["install", "--quiet", "--no-deps", f"git+{address_of(ROOT)}"]
    assert [entry["arguments"][-1] for entry in others] == ["optuna>=4.9", "mtcnn>=1.0"]
    for entry in others:
        for package in ("tensorflow", "keras", "numpy"):
            assert f"{package}=={importlib.metadata.version(package)}" in entry["held"]


def test_a_package_that_pip_refuses_is_told_and_no_end(first):
    assert "Not installed: mtcnn>=1.0. The lessons that need them will say so" in first[0]
    assert "do not go with what is installed" in first[0]
    assert "No GPU found" in first[0] or "GPU:" in first[0]
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
    for installed in Path(environment["HOME"]).glob("env/lib/python*/site-packages/fer_kit*"):
        shutil.rmtree(installed)  # Colab's own disk is empty in the next session, the Drive is not
    again = session(cell, environment)
    assert f"out {out}" in again and (out / "a-run").exists()
    assert len(asked_of_pip(environment)) > before


def test_in_kaggle_with_internet_and_without(cell, tmp_path):
    environment = machine(tmp_path, KAGGLE_KERNEL_RUN_TYPE="Interactive")
    printed = session(cell, environment)
    asked = [entry["arguments"][-1] for entry in asked_of_pip(environment)]
    assert asked == [f"git+{address_of(ROOT)}", "optuna>=4.9", "mtcnn>=1.0"]
    assert f"out {settings.KAGGLE / 'working' / 'output'}" in printed and "Profile lab" in printed
    printed = session(cell, environment | {"PIP_OFFLINE": "1"})  # with the kit there already
    assert "Not installed: optuna>=4.9, mtcnn>=1.0. " in printed and "Internet" in printed
    assert "Profile lab" in printed, "setup went on to its end"


# ---- what the session above does not meet ----


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A session in an empty folder, without FER_DATA and FER_OUT, in which nothing is missing."""
    for name in ("FER_DATA", "FER_OUT"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kit_session, "install_missing", list)
    monkeypatch.setattr(kit_session, "mount_drive", lambda: None)
    return monkeypatch


def test_without_drive_the_dataset_is_downloaded(bare, tmp_path):
    bare.setattr("fer_kit.data.fetch.fetch", lambda folder: Path(folder).mkdir())
    kit_session.prepare_colab()
    assert settings.data_path() == tmp_path / "data" / "fer2013.zip"
    assert settings.output_dir() == Path()  # as it was set: nothing is kept elsewhere


def test_without_drive_and_download_the_sample_is_left(bare, capsys):
    def fail(folder):
        raise ConnectionError("the download failed")

    bare.setattr("fer_kit.data.fetch.fetch", fail)
    kit_session.prepare_colab()
    assert "the download failed" in capsys.readouterr().out and not settings.is_set("FER_DATA")


def test_what_the_student_has_set_stays(bare, tmp_path):
    bare.setenv("FER_DATA", "sample")
    bare.setenv("FER_OUT", "mine")
    bare.setattr(kit_session, "mount_drive", lambda: tmp_path)
    kit_session.prepare_colab()
    assert str(settings.data_path()) == "sample" and str(settings.output_dir()) == "mine"


def test_a_refused_drive_is_told(monkeypatch, capsys):
    class Refusing:
        class drive:  # noqa: N801
            @staticmethod
            def mount(place):
                raise ValueError("mount failed")

    monkeypatch.setitem(sys.modules, "google.colab", Refusing)
    assert kit_session.mount_drive() is None
    assert "No Drive (mount failed): runs are lost" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["fer2013.zip", "fer_kit/fer2013.csv", "data/fer2013.zip"])
def test_the_drive_is_searched_where_people_put_it(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert kit_session.find_on(tmp_path) == tmp_path / name


def test_all_extras_are_the_kits_own():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", text, re.MULTILINE) for extra in kit_session.EXTRAS)


# ---- Kaggle's disk ----


FOLDERS = ("train/happy/1.jpg", "test/happy/2.jpg")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["fer2013/fer2013.zip"], "fer2013/fer2013.zip"),
        (["competitions/a-challenge/icml_face_data.csv", "another/train.csv"], None),
        (["deep/in/it/fer2013.csv", "another/train.csv"], "deep/in/it/fer2013.csv"),
        ([f"datasets/somebody/fer2013/{name}" for name in FOLDERS], "datasets/somebody/fer2013"),
        (["animals/train/cat/1.jpg", "animals/test/cat/1.jpg"], ""),
        (["far/too/deep/down/fer2013.csv"], ""),
    ],
)
def test_the_dataset_is_found_where_kaggle_puts_it(bare, tmp_path, files, expected, capsys):
    for name in files:
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).touch()
    kit_session.prepare_kaggle(tmp_path)
    expected = files[0] if expected is None else expected
    assert settings.is_set("FER_DATA") == bool(expected)
    if expected:
        assert settings.data_path() == tmp_path / "input" / expected
    assert ("No FER-2013" in capsys.readouterr().out) != bool(expected)


def test_outside_of_colab_and_kaggle_nothing_is_installed_or_set(bare, monkeypatch):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setattr(kit_session, "install_missing", lambda: pytest.fail("asked pip"))
    monkeypatch.setattr(kit_session, "check_hardware", lambda: None)
    kit_session.setup()
    assert not settings.is_set("FER_DATA") and not settings.is_set("FER_OUT")


def test_what_is_missing_at_home_is_told(bare, monkeypatch, capsys):
    monkeypatch.setattr(kit_session, "missing", lambda extras: ["seaborn>=0.13"] if not extras else [])
    monkeypatch.setattr(kit_session, "check_hardware", lambda: None)
    kit_session.setup()
    assert "Not installed: seaborn>=0.13" in capsys.readouterr().out


@pytest.mark.parametrize(("version", "kcf"), [("5.0.0", True), ("4.14.0", False), ("4.14.0", True)])
def test_an_opencv_that_lacks_something_is_told_at_once(monkeypatch, capsys, version, kcf):
    import cv2

    monkeypatch.setattr(cv2, "__version__", version)
    if not kcf:
        monkeypatch.delattr(cv2, "TrackerKCF")
    kit_session.check_opencv()
    said = capsys.readouterr().out
    assert ("pip uninstall -y" in said) == (version == "5.0.0" or not kcf)
    assert not said or said.startswith("For lessons 12 to 14: OpenCV")


@pytest.mark.parametrize(
    ("system", "machine", "card", "backend", "expected"),
    [
        ("win32", "AMD64", True, "tensorflow", "within WSL"),
        ("darwin", "arm64", False, "tensorflow", "KERAS_BACKEND=torch"),
        ("darwin", "x86_64", False, "tensorflow", ""),
        ("linux", "x86_64", True, "tensorflow", 'pip install "tensorflow[and-cuda]"'),
        ("linux", "x86_64", False, "tensorflow", ""),
        ("linux", "x86_64", True, "jax", ""),
    ],
)
def test_a_gpu_that_is_not_found_gets_the_advice_of_its_system(
    monkeypatch, system, machine, card, backend, expected
):
    monkeypatch.setattr(kit_session.sys, "platform", system)
    monkeypatch.setattr(kit_session.platform, "machine", lambda: machine)
    monkeypatch.setattr(kit_session.shutil, "which", lambda _: "/usr/bin/nvidia-smi" if card else None)
    monkeypatch.setattr(settings, "backend", lambda: backend)
    monkeypatch.setattr(settings, "host", lambda: "")
    advice = kit_session.gpu_advice()
    assert expected in advice and bool(expected) == bool(advice)
