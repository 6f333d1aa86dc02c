"""Writing files so that nothing is ever half-written."""

import contextlib
import json
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


def read_json(path):
    """Return what a JSON file holds. Raises ValueError, naming the file, when it is cut off."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged ({error}); train again with retrain=True") from error


def write_json(path, data):
    """Write `data` as JSON, all or nothing."""
    with replacing(path) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())
