"""Emotions over time: the table of what was seen, face by face and frame by frame."""

import contextlib
import csv
from pathlib import Path

from fer_kit.data.emotions import EMOTIONS
from fer_kit.runtime.files import check_free, partial_of

PLACE = ("time", "face", "x", "y", "width", "height", "emotion")
COLUMNS = (*PLACE, *EMOTIONS)
"""Of the table: seconds, the face's id, its box in pixels, its emotion, and the seven probabilities, 0-1."""


def columns_of(names=EMOTIONS, files=False):
    """Return the columns of a table for other emotions than the seven, or with the picture's file first."""
    return (*(("file",) if files else ()), *PLACE, *names)


def rows(seconds, results, file=None):
    """Return one dict for each `FaceResult` of a frame, with `file` as its first column unless it is None."""
    return [_row(seconds, result, {} if file is None else {"file": str(file)}) for result in results]


def _row(seconds, result, begin):
    place = (round(float(seconds), 3), result.id, *result.box, result.emotion)
    probabilities = {
        name: round(float(p), 4) for name, p in zip(result.names, result.probabilities, strict=True)
    }
    return begin | dict(zip(PLACE, place, strict=True)) | probabilities


@contextlib.contextmanager
def table(path, names=EMOTIONS, files=False, overwrite=False):
    """Open a CSV file and return the function that adds the faces of a frame: `write(seconds, results)`.

    Rows are written as they come, so that an hour takes no memory. The file appears under its name when it
    is whole, also when the block is left by an exception.

    Args:
        path: The file.
        names: The emotions that the network tells apart, each a column.
        files: Whether the first column is the picture's file: `write(seconds, results, file)`.
        overwrite: Replace a file that is there.

    Raises:
        FileExistsError: For a file that is there, unless `overwrite`.
        OSError: When it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_free(path, overwrite)
    partial = partial_of(path)
    file = partial.open("w", newline="", encoding="utf-8", errors="replace")  # a picture may have any name
    try:
        writer = csv.DictWriter(file, columns_of(names, files))
        writer.writeheader()
        yield lambda *frame: writer.writerows(rows(*frame))
    finally:
        file.close()
        partial.replace(path)
