"""Pictures of finding and following faces. Every function takes data and returns the Figure."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from fer_kit.camera.boxes import overlap
from fer_kit.data.emotions import EMOTIONS, colours_of
from fer_kit.plots.base import GREY, caption, colours, grid, stamp, titled

FOUND = "#009E73"
WRONG = "#D55E00"
_TRACKS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def detections(pictures, found, truth=None, title="", source=""):
    """Draw what several detectors found (zhao-fig5): a row per detector, a column per picture.

    Args:
        pictures: A dict from name to uint8 RGB (H, W, 3).
        found: A dict from detector to a list with the boxes (x, y, width, height) in each picture.
        truth: A list with the true boxes in each picture, or None where nobody knows them. A box that
            overlaps a true one by more than 0.3 is green, any other orange; without `truth` all are green.
        title: Written over all pictures.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, axes = grid(len(found) * len(pictures), len(pictures), panel=(2.1, 2.1), room=0.5)
    rows = axes.reshape(len(found), len(pictures))
    for row, (detector, answers) in zip(rows, found.items(), strict=True):
        row[0].set_ylabel(detector)
        for k, (axis, picture) in enumerate(zip(row, pictures.values(), strict=True)):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[], frame_on=False)
            known = None if truth is None else truth[k]
            for box in answers[k]:
                _outline(axis, box, FOUND if known is None or is_right(box, known) else WRONG)
    for axis, name in zip(rows[0], pictures, strict=True):
        caption(axis, name, fontsize=14, pad=6)
    titled(figure, title)
    return stamp(figure, source)


def is_right(box, truth):
    """Return whether `box` overlaps one of the true boxes by more than 0.3."""
    return any(overlap(box, true) > 0.3 for true in truth)


def _outline(axis, box, colour):
    x, y, width, height = box
    rectangle = Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=2.5)
    rectangle.set_path_effects([withStroke(linewidth=4.5, foreground="white")])  # orange on an orange suit
    axis.add_patch(rectangle)


def strip(pictures, boxes=None, title="", source=""):
    """Draw a row of pictures with their names and at most one box of each colour.

    Args:
        pictures: A dict from name to uint8 RGB (H, W, 3) or grey (H, W).
        boxes: A dict from colour to a list with a box (x, y, width, height) or None for each picture.
        title: Written over all pictures.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    side = 2.4 if len(pictures) > 2 else 4.5
    figure, axes = grid(len(pictures), panel=(side, side))
    for k, (axis, (name, picture)) in enumerate(zip(axes, pictures.items(), strict=True)):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axis.set(xticks=[], yticks=[], frame_on=False)
        caption(axis, name, fontsize=10, pad=6)
        for colour, some in (boxes or {}).items():
            if some[k] is not None:
                _outline(axis, some[k], colour)
    titled(figure, title)
    return stamp(figure, source)


def traces(seen, events=None, title="Who is where", source=""):
    """Draw each face's horizontal place over the frames, a colour per id, detections as dots.

    Args:
        seen: For each frame a list of `TrackedFace`.
        events: A dict from name to (first frame, frame after the last), which is shaded.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, (axis,) = grid(1, panel=(11, 4.5))
    for number in sorted({face.id for faces in seen for face in faces}):
        places = [(k, face) for k, faces in enumerate(seen) for face in faces if face.id == number]
        colour = _TRACKS[(number - 1) % len(_TRACKS)]
        middle = np.full(len(seen), np.nan)
        for k, face in places:
            middle[k] = face.box[0] + face.box[2] / 2
        axis.plot(middle, color=colour, linewidth=2, label=f"face {number}")
        detected = [k for k, face in places if face.detected]
        axis.plot(detected, middle[detected], "o", color=colour, markersize=6)
    axis.margins(y=0.15)  # room for the events' names
    for name, (first, end) in (events or {}).items():
        axis.axvspan(first - 0.5, end - 0.5, color=GREY, alpha=0.2, linewidth=0)
        axis.text(
            (first + end - 1) / 2, 0.98, name, ha="center", va="top", transform=axis.get_xaxis_transform()
        )
    axis.set(title=title, xlabel="frame", ylabel="middle of the box (pixels from the left)")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return stamp(figure, source)


def over_time(series, title="", source=""):
    """Draw probabilities over the frames, one line per emotion, one panel per series.

    Args:
        series: A dict from name to probabilities, float (frames, 7), 0-1.
        title: Written over all panels.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, axes = grid(len(series), 1, panel=(11, 2.3), sharex=True)
    for axis, (name, probabilities) in zip(axes, series.items(), strict=True):
        for values, emotion, colour in zip(
            np.transpose(probabilities), EMOTIONS, colours(EMOTIONS), strict=True
        ):
            axis.plot(values, color=colour, label=emotion)
        axis.set(ylabel="probability", ylim=(0, 1))
        axis.set_title(name, fontsize=11, weight="normal")
    axes[-1].set_xlabel("frame")
    axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    titled(figure, title)
    return stamp(figure, source)


def tracking_stages(milliseconds, title="Where the time goes", source=""):
    """Draw how long each stage takes on average per frame, as stacked bars.

    Args:
        milliseconds: A DataFrame: a row per number of faces, a column per stage.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, (axis,) = grid(1, panel=(9, 0.8 * len(milliseconds) + 1.6))
    milliseconds.plot.barh(stacked=True, ax=axis, color=list(_TRACKS), width=0.6)
    axis.set(title=title, xlabel="milliseconds a frame (mean)", ylabel=milliseconds.index.name or "")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncol=milliseconds.shape[1], frameon=False)
    axis.grid(axis="y", visible=False)
    return stamp(figure, source)


def emotions_over_time(seen, title="Emotions over time", source="", most=4):
    """Draw the probabilities of each face over time, one line per emotion, one panel per face.

    Args:
        seen: A DataFrame with the columns `timeline.COLUMNS`, or other emotions, as read from the table.
        title: Written over all panels.
        source: What was drawn, see `stamp`.
        most: At most so many faces: those that were seen longest, in the order of their ids.

    Returns:
        The Figure.

    Raises:
        ValueError: No face was seen.
    """
    if not len(seen):
        raise ValueError("no face was seen, so there is nothing to draw")
    faces = sorted(seen.face.value_counts().index[:most])
    emotions = colours_of(list(seen.columns)[list(seen.columns).index("emotion") + 1 :])
    figure, axes = grid(len(faces), 1, panel=(9, 2.1), room=1.2, sharex=True, sharey=True)
    for axis, face in zip(axes, faces, strict=True):
        one = seen[seen.face == face]
        for emotion, colour in emotions.items():
            axis.plot(one.time, 100 * one[emotion], color=colour, label=emotion, linewidth=2)
        axis.set(title=f"face {face}", ylabel="probability (%)", ylim=(-3, 103))
    axes[-1].set_xlabel("time (s)")
    axes[0].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    titled(figure, title)
    return stamp(figure, source)
