"""Writing files so that nothing is ever half-written."""

import contextlib
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Open a binary file that takes the place of `path` at the end, or leaves `path` as it was on any error.

    Missing folders are made. Raises OSError as `open` does; a full disk loses nothing that was there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
