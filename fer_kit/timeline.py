"""Emotions over time: the table of what was seen, face by face and frame by frame, and its plot."""

import contextlib
import csv
from pathlib import Path

import matplotlib.pyplot as plt

from fer_kit.emotions import COLOURS, EMOTIONS
from fer_kit.plots import stamp

COLUMNS = ("time", "face", "x", "y", "width", "height", "emotion", *EMOTIONS)
"""Of the table: seconds, the face's id, its box in pixels, its emotion, and the seven probabilities, 0-1."""


def rows(seconds, results):
    """Return one dict with the keys `COLUMNS` for each `FaceResult` of a frame."""
    return [dict(zip(COLUMNS, _row(seconds, result), strict=True)) for result in results]


def _row(seconds, result):
    probabilities = [round(float(p), 4) for p in result.probabilities]
    return round(float(seconds), 3), result.id, *result.box, result.emotion, *probabilities


@contextlib.contextmanager
def table(path):
    """Open a CSV file and return the function that adds the faces of a frame: `write(seconds, results)`.

    Rows are written as they come, so that an hour takes no memory. The file appears under its name when it
    is whole, also when the block is left by an exception. Raises OSError when it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    file = partial.open("w", newline="", encoding="utf-8")
    try:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        yield lambda seconds, results: writer.writerows(rows(seconds, results))
    finally:
        file.close()
        partial.replace(path)


def emotions_over_time(seen, title="Emotions over time", source="", most=4):
    """Draw the probabilities of each face over time, one line per emotion, one panel per face.

    `seen` is a DataFrame with the columns `COLUMNS`, as read from the table; the `most` faces that were
    seen longest are drawn, in the order of their ids. Raises ValueError when no face was seen.
    """
    if not len(seen):
        raise ValueError("no face was seen, so there is nothing to draw")
    faces = sorted(seen.face.value_counts().index[:most])
    size = (9, 1.2 + 2.1 * len(faces))
    figure, axes = plt.subplots(len(faces), 1, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axis, face in zip(axes[:, 0], faces, strict=True):
        one = seen[seen.face == face]
        for emotion in EMOTIONS:
            axis.plot(one.time, 100 * one[emotion], color=COLOURS[emotion], label=emotion, linewidth=2)
        axis.set(title=f"face {face}", ylabel="probability (%)", ylim=(-3, 103))
    axes[-1, 0].set_xlabel("time (s)")
    axes[0, 0].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout()
    return stamp(figure, source)
