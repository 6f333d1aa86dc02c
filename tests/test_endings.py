"""Bounds and endings: stopped jobs, closed terminals, no home, a terminal without UTF-8."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest

from fer_kit.runtime import settings
from fer_kit.runtime.signals import as_interrupts
from fer_kit.training.records import Run

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def python(*arguments, **environment):
    """Run Python with these variables; return the finished process."""
    command = [sys.executable, *arguments]
    options = {"capture_output": True, "text": True, "errors": "replace", "check": False}
    return subprocess.run(command, env=os.environ | environment, **options)


@UNIX
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_is_answered_like_control_c_once(name):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)  # whatever started the tests may ignore it, as nohup does
    try:
        with pytest.raises(KeyboardInterrupt), as_interrupts():
            try:
                os.kill(os.getpid(), number)
            finally:
                os.kill(os.getpid(), number)  # while something is saved: no second interruption
                saved = True
        assert saved and signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


@UNIX
def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_nothing_is_changed():
    seen = []

    def work():
        with as_interrupts():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


TRAIN = "import sys; from fer_kit.tools import cli; sys.exit(cli.main(sys.argv[1:]))"


@UNIX
def test_a_stopped_training_can_be_resumed(few, tmp_path):
    few.training.sample(16).join(few.public_test.sample(8)).save(tmp_path / "few.npz")
    run = tmp_path / "run"
    options = ["zhao-sepconv", "--recipe", "zhao", "--epochs", "500", "--data", str(tmp_path / "few.npz")]
    options += ["--allow-missing"]
    command = [sys.executable, "-c", TRAIN, "train", *options, "--out", str(run)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | {"PYTHONIOENCODING": "ascii"}, **pipes) as process:
        limit = time.monotonic() + 300
        while not (run / "best.keras").exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        try:
            told, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # or leaving the block would wait for it forever
    assert process.returncode == 130, errors
    assert "the same command resumes from there" in told
    kept = Run.open(run)
    assert kept.metrics["status"] == "interrupted" and len(kept.history) >= 1 and (run / "state.npz").exists()


HOMELESS = {"FER_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/dev/null/nobody"}


@UNIX
@pytest.mark.parametrize(
    "variables", [HOMELESS, {"FER_CACHE": "/dev/null/cache"}, {"FER_CACHE": "", "XDG_CACHE_HOME": "/proc/x"}]
)
def test_without_a_folder_for_the_cache_a_temporary_one_is_used(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings._temporary_cache.cache_clear()
    with pytest.warns(UserWarning, match="no folder for a cache .*until this program ends. Set FER_CACHE"):
        folder = settings.cache_dir()
    (folder / "x").write_text("can be written")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert settings.cache_dir() == folder, "and this is said once"


def test_a_user_without_a_home(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("FER_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(settings.Path, "home", nobody)
    settings._temporary_cache.cache_clear()
    with pytest.warns(UserWarning, match="Could not determine home directory"):
        assert settings.cache_dir().is_dir()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "ascii:strict"])
def test_a_terminal_without_utf8_shows_what_it_can(tmp_path, encoding):
    folder = tmp_path / "Gesichter Łódź 表情" / "train" / "happy"
    folder.mkdir(parents=True)
    done = python("-m", "fer_kit", "doctor", str(folder), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    told = done.stdout + done.stderr
    assert "/Gesichter " in told and "? ??/train/happy holds no dataset" in told and "Traceback" not in told
