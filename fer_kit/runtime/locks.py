"""One writer at a time in a folder."""

import contextlib
import datetime
import errno
import getpass
import os
import platform
from pathlib import Path

from filelock import FileLock, Timeout

from fer_kit.runtime.files import read_json, write_json
from fer_kit.runtime.names import by_door

LOCK = "writer.lock"
HOLDER = "writer.json"
"""Beside the lock, which other processes may not be able to read: who holds it, and since when."""

READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def locked(folder, patience=0):
    """Keep other writers out of `folder`, made where it is missing, for as long as a block lasts.

    The lock is the operating system's: it is free as soon as its holder ends, also when it was killed. The
    thread that holds it may enter again. A folder in which nothing can be written gets no lock.

    Args:
        folder: The folder, such as that of a run.
        patience: How many seconds to wait for another writer to leave.

    Raises:
        BlockingIOError: Another process, or thread, writes there; says which one and since when.
    """
    folder = Path(folder).resolve()
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file; give a folder {by_door('as out', 'with --out')}")
    lock = FileLock(folder / LOCK, is_singleton=True)
    again = lock.is_locked
    if not _acquired(lock, folder, patience):
        yield
        return
    try:
        if not again:
            write_json(folder / HOLDER, _about_me())
        yield
    finally:
        if not again:
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _acquired(lock, folder, patience):
    """Take the lock of `folder`; return False where nothing can be written, so that nobody writes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience)
    except Timeout:
        raise BlockingIOError(
            f"{folder} is being written to by {_holder(folder)}. Wait for its end, stop it, or give another "
            f"folder {by_door('as out', 'with --out')}"
        ) from None
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        return False
    return True


def _about_me():
    user = "unknown"
    with contextlib.suppress(Exception):  # a container's user may have no name
        user = getpass.getuser()
    since = datetime.datetime.now(datetime.timezone.utc).isoformat(" ", "seconds")
    return {"process": os.getpid(), "user": user, "host": platform.node(), "since": since}


def _holder(folder):
    """Who holds the lock of `folder`, in words."""
    try:
        about = read_json(folder / HOLDER)
        return "process {process} of {user} on {host}, since {since}".format(**about)
    except (OSError, ValueError, LookupError, TypeError):  # it began, or ended, this very moment
        return "another process"
