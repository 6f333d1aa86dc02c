"""One writer at a time in a folder: who holds it is told, and a killed holder's lock is free."""

import errno
import subprocess
import sys
import threading

import pytest

from fer_kit.runtime import locks
from fer_kit.runtime.locks import locked

HOLD = """
import sys, time
from fer_kit.runtime.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def refused(folder):
    with pytest.raises(BlockingIOError) as error, locked(folder):
        pass
    return str(error.value)


def test_the_second_process_is_told_who_and_since_when(holder, tmp_path):
    told = refused(tmp_path)
    assert f"process {holder.pid} of " in told and "since 20" in told and "as out" in told


def test_a_killed_holder_leaves_the_folder_free(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        assert str(locks._about_me()["process"]) in (tmp_path / locks.HOLDER).read_text()


def test_the_holder_enters_again_and_another_thread_does_not(tmp_path):
    told = []
    with locked(tmp_path / "new"), locked(tmp_path / "new", patience=5):
        thread = threading.Thread(target=lambda: told.append(refused(tmp_path / "new")))
        thread.start()
        thread.join()
    assert "is being written to by process" in told[0]
    with locked(tmp_path / "new"):
        pass


def test_an_error_in_the_block_frees_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        assert (tmp_path / locks.HOLDER).exists()
    assert not (tmp_path / locks.HOLDER).exists()


@pytest.mark.parametrize("told", ["", "[1]", '{"process": 3}', '"text"'])
def test_an_unreadable_note_of_the_holder_is_no_error_of_its_own(holder, tmp_path, told):
    (tmp_path / locks.HOLDER).write_text(told)
    assert "another process" in refused(tmp_path)


def test_a_folder_that_cannot_be_written_needs_no_lock(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    with locked(tmp_path):
        assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_to_write_in(tmp_path):
    (tmp_path / "faces.npz").write_text("mine")
    with (
        pytest.raises(NotADirectoryError, match=r"faces.npz is a file; give a folder"),
        locked(tmp_path / "faces.npz"),
    ):
        pass
    assert (tmp_path / "faces.npz").read_text() == "mine"
