"""Emotions over time: the table of what was seen, face by face and frame by frame."""

import contextlib
import csv
from pathlib import Path

from fer_kit.data.emotions import EMOTIONS
from fer_kit.runtime.files import check_free, partial_of

COLUMNS = ("time", "face", "x", "y", "width", "height", "emotion", *EMOTIONS)
"""Of the table: seconds, the face's id, its box in pixels, its emotion, and the seven probabilities, 0-1."""


def rows(seconds, results):
    """Return one dict with the keys `COLUMNS` for each `FaceResult` of a frame."""
    return [dict(zip(COLUMNS, _row(seconds, result), strict=True)) for result in results]


def _row(seconds, result):
    probabilities = [round(float(p), 4) for p in result.probabilities]
    return round(float(seconds), 3), result.id, *result.box, result.emotion, *probabilities


@contextlib.contextmanager
def table(path, overwrite=False):
    """Open a CSV file and return the function that adds the faces of a frame: `write(seconds, results)`.

    Rows are written as they come, so that an hour takes no memory. The file appears under its name when it
    is whole, also when the block is left by an exception.

    Raises FileExistsError for a file that is there, unless `overwrite`; OSError where it can't be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_free(path, overwrite)
    partial = partial_of(path)
    file = partial.open("w", newline="", encoding="utf-8")
    try:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        yield lambda seconds, results: writer.writerows(rows(seconds, results))
    finally:
        file.close()
        partial.replace(path)
