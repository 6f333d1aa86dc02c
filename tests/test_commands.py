"""The command line as one who types it sees it: its own words only, options as options, and no long wait."""

import json
import os
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from fer_kit.camera import detection, frames
from fer_kit.runtime import devices
from fer_kit.runtime.extras import EXTRAS
from fer_kit.runtime.names import by_door, command_line
from fer_kit.runtime.stderr import quiet
from fer_kit.tools import cli, watch
from fer_kit.training.records import find_model, recorded
from fer_kit.training.records.folders import begin

WITHOUT_KERAS = """
import json, sys, time
sys.modules |= dict.fromkeys(("keras", "tensorflow"))  # importing them fails
from fer_kit.tools.cli import main
began = time.process_time()
statuses = [main(command.split()) for command in json.loads(sys.argv[1])]
print(json.dumps([statuses, time.process_time() - began]))
"""
WRONG = {
    "train kit-smal --recipe kit-small --out x": "did you mean 'kit-small'",
    "train kit-small --recipe kit --out x": "did you mean 'kit-best'",
    "train kit-small --recipe kit-small-taught --teacher kit-bets --out x": "no trained model 'kit-bets'",
    "evaluate kit-smal": "did you mean 'kit-small'",
    "evaluate somewhere/x.onnx": "x.onnx is an exported network",
    "export x.tflite --to onnx": "x.tflite is an exported network",
    "export nowhere.keras --to onnx": "there is no model nowhere.keras",
    "watch demo --model kit-smal": "did you mean 'kit-small'",
    "watch demo --detector har": "there are haar, haar-alt2, mtcnn",
}


def test_wrong_names_are_refused_before_keras_is_imported():
    command = [sys.executable, "-c", WITHOUT_KERAS, json.dumps(list(WRONG))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    statuses, seconds = json.loads(done.stdout)
    assert statuses == [2] * len(WRONG) and seconds < 0.5 * len(WRONG)
    for line, expected in zip(done.stderr.splitlines(), WRONG.values(), strict=True):
        assert line.startswith("fer_kit: ") and expected in line


# ---- what libraries say ----


def said(code, **options):
    """What a Python process wrote to its error stream."""
    code = f"import os\nfrom fer_kit.runtime.stderr import quiet\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options).stderr


def test_greetings_are_kept_away_and_what_follows_is_not():
    assert said("with quiet(): os.write(2, b'hello')\nos.write(2, b'mine')") == "mine"


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), 9)", "os._exit(1)"])
def test_the_last_words_of_a_process_that_dies_are_shown(end):
    assert said(f"with quiet():\n    os.write(2, b'no AVX here')\n    {end}") == "no AVX here"


def test_without_an_error_stream_nothing_is_kept():
    if sys.platform != "win32":
        assert said("os.close(2)\nwith quiet(): pass\nprint('on', flush=True)") == ""


def test_an_error_passes_and_leaves_the_stream_as_it_was(capfd):
    with pytest.raises(KeyError), quiet():
        os.write(2, b"greeting")
        raise KeyError
    os.write(2, b"mine")
    assert capfd.readouterr().err == "mine"


def test_tensorflow_greets_nobody_who_computes_elsewhere():
    for package in ("jax", "tensorflow"):
        pytest.importorskip(package)
    code = """
from fer_kit.runtime.stderr import start_keras
start_keras()
import keras
keras.saving.serialize_keras_object(keras.layers.Dense(1))
"""
    variables = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables, check=True
    )
    assert done.stderr == ""


def test_a_command_that_succeeds_leaves_the_error_stream_empty():
    variables = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "fer_kit", "evaluate", "kit-small", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=True)
    assert done.stderr == "" and 0 < json.loads(done.stdout)["accuracy"] < 1


def test_a_warning_is_a_sentence_without_code(capsys):
    said = warnings.formatwarning("left out", UserWarning, "watch.py", 68)

    def command(options):
        print(warnings.formatwarning("left out", UserWarning, "watch.py", 68), end="")

    assert cli.run_command(types.SimpleNamespace(command=command)) == 0
    assert capsys.readouterr().out == "Warning: left out\n"
    assert warnings.formatwarning("left out", UserWarning, "watch.py", 68) == said != "Warning: left out\n"


# ---- words of the door ----


@pytest.mark.parametrize(("call", "option"), [("retrain=True", "--retrain"), ("as out", "--out")])
def test_another_run_is_refused_in_the_words_of_the_reader(tmp_path, call, option):
    config = recorded("hejslet-light").config
    begin(tmp_path, config)
    with pytest.raises(ValueError, match=call):
        begin(tmp_path, config | {"seed": 1})
    with command_line(), pytest.raises(ValueError, match=option):
        begin(tmp_path, config | {"seed": 1})
    assert by_door("here", "there") == "here", "the block is over"


def test_an_interrupted_training_is_told_to_the_shell_and_goes_on(tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    out = str(tmp_path / "run")
    command = ["train", "kit-small", "--recipe", "kit-small", "--data", "sample", "--out", out]
    command += ["--per-emotion", "4", "--epochs", "1"]
    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "fit", interrupt)
        assert cli.main(command) == 130
    assert "the same command resumes" in capsys.readouterr().out
    assert cli.main(command) == 0 and cli.main(command) == 0
    assert "To train again: --retrain" in capsys.readouterr().out


# ---- what is missing ----

HIDDEN = """
import importlib, json, sys
sys.modules |= dict.fromkeys(json.loads(sys.argv[1]))
import fer_kit
def module(name):
    return importlib.import_module(f"fer_kit.{name}")
def lbp():
    return fer_kit.studies.classical.find_descriptor("lbp")
def tried(call):
    try:
        return str(call())
    except (ImportError, ConnectionError) as error:
        return str(error)
"""


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("tensorflow", "fer_kit.load_pretrained()"),
        ("tensorflow", "fer_kit.fit"),
        ("skimage", "lbp().transform(fer_kit.load_faces('sample').images[:1])"),
        ("kagglehub", "module('data.fetch').fetch()"),
        ("anywidget", "fer_kit.camera.BrowserCamera(print)"),
        ("optuna", "module('studies.tuning.results').import_optuna()"),
    ],
)
def test_a_missing_package_names_its_extra(module, call):
    code = f"{HIDDEN}print(tried(lambda: {call}))"
    done = subprocess.run([sys.executable, "-c", code, json.dumps([module])], capture_output=True, text=True)
    assert f"fer-kit[{EXTRAS[module]}]" in done.stdout, done


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("tensorflow", "evaluate kit-small --data sample"),
        ("tensorflow", "watch demo --out x.webm"),
        ("nbformat", "run --only 00"),
        ("nbclient", "run --only 00"),
        ("nbconvert", "labs --out x"),
        ("jinja2", "run --only 00"),
    ],
)
def test_so_does_a_command(module, command, tmp_path):
    code = f"{HIDDEN}from fer_kit.tools.cli import main\nsys.exit(main({command.split()}))"
    script = [sys.executable, "-c", code, json.dumps([module])]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"fer-kit[{EXTRAS[module]}]" in done.stderr and not list(tmp_path.iterdir())


def test_before_the_installation_one_line_says_how():
    kit = {"PYTHONPATH": os.fspath(Path(cli.__file__).parents[2])}
    script = [sys.executable, "-S", "-m", "fer_kit", "doctor", "sample"]  # -S: without what pip installs
    done = subprocess.run(script, capture_output=True, text=True, env=os.environ | kit, check=False)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.count("\n") == 1 and "pip install -r requirements.txt" in done.stderr


@pytest.mark.parametrize("wheel", ["opencv-contrib-python-headless", "opencv-contrib-python"])
def test_without_a_window_one_is_told_what_to_install(wheel, monkeypatch):
    monkeypatch.setattr(watch, "installed_wheels", lambda: [wheel])
    told = watch.no_window()
    assert ("pip uninstall -y opencv-contrib-python-headless" in told) == wheel.endswith("headless")
    assert ("no display" in told) != wheel.endswith("headless") and "--out FILE.webm" in told


def test_what_find_model_finds(tmp_path):
    assert find_model("kit-small").name == "kit-small.keras"
    with pytest.raises(FileNotFoundError, match="no run record"):
        find_model(tmp_path)
    assert detection.check_detector("haar") is None


# ---- other systems, by imitation ----


@pytest.mark.parametrize("command", ["doctor sample", "--help", "train --help", "labs --out labs --only 00"])
def test_a_terminal_of_another_alphabet_is_no_error(command, tmp_path):
    variables = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    script = [sys.executable, "-m", "fer_kit", *command.split()]
    done = subprocess.run(script, capture_output=True, env=variables, cwd=tmp_path, check=False)
    assert done.returncode == 0 and not done.stderr and done.stdout.decode("cp1252")


@pytest.fixture
def ascii_only(monkeypatch):
    """An OpenCV that opens no path with letters beyond ASCII, as on Windows."""

    def only(function):
        return lambda path, *more: function(path, *more) if path.isascii() else None

    for name in ("haveImageReader", "imread"):
        monkeypatch.setattr(cv2, name, only(getattr(cv2, name)))


@pytest.mark.parametrize("name", ["Grüße", "顔", "Кадры", "a b"])
def test_pictures_lie_in_folders_of_any_name(ascii_only, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    _, encoded = cv2.imencode(".png", np.full((30, 40, 3), 90, np.uint8))
    for picture in ("1.png", "ü.PNG"):
        (folder / picture).write_bytes(encoded.tobytes())
    (folder / "notes.txt").write_text("no picture")
    assert [frame.shape for _, frame in frames(folder)] == [(30, 40, 3)] * 2
    assert frames(folder / "ü.PNG").kind == "pictures"


def test_the_cascades_lie_in_a_home_of_any_name(monkeypatch, tmp_path):
    home = tmp_path / "Jürgen"
    shutil.copytree(cv2.data.haarcascades, home)
    monkeypatch.setattr(cv2.data, "haarcascades", str(home))
    face = next(iter(frames("demo")))[1]
    found = detection.find_detector("haar-alt2")(face)
    monkeypatch.undo()
    assert found == detection.find_detector("haar-alt2")(face) and len(found) >= 1


def test_apples_gpu_is_one(monkeypatch):
    torch = types.ModuleType("torch")
    torch.backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: True))
    jax = types.ModuleType("jax")
    cpu, metal = (types.SimpleNamespace(platform=name, device_kind=name) for name in ("cpu", "METAL"))
    jax.devices = lambda: [cpu, metal]
    for name, module, expected in (("torch", torch, "Apple GPU"), ("jax", jax, "METAL")):
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(keras.backend, "backend", lambda name=name: name)
        assert devices.gpus() == [(expected, None)]
