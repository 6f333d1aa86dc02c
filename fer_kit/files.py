"""Writing files so that nothing is ever half-written."""

import contextlib
import json
from pathlib import Path

import numpy as np


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
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged ({error}); train again with retrain=True") from error


def read_predictions(path):
    """Return what `write_predictions` wrote, as a dict of arrays."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def write_predictions(path, faces, probabilities, **more):
    """Write probabilities (N, K) of `faces` with their labels, usages and file names, all or nothing.

    Probabilities are rounded to 5 decimals, which halves the file.
    """
    known = {"labels": faces.labels, "usage": faces.usage, "files": faces.files}
    rounded = np.round(probabilities, 5).astype(np.float32)
    with replacing(path) as file:
        np.savez_compressed(file, probabilities=rounded, **known, **more)


def write_json(path, data):
    """Write `data` as JSON, all or nothing."""
    with replacing(path) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())
