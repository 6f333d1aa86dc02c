"""Figures about data: faces in a grid, faces per emotion, pixel values, and a system as boxes and arrows."""

import numpy as np
from matplotlib.patches import FancyBboxPatch

from fer_kit.plots.base import caption, colours, grid, stamp, titled

BOX = {"boxstyle": "round,pad=0.04", "facecolor": "#E8F1F8", "edgecolor": "#0072B2"}
ARROW = {"arrowstyle": "-|>", "color": "#333333"}


def face_grid(faces, captions=None, columns=8, title="", colour=None):
    """Draw faces in a grid, row by row.

    Args:
        faces: A `FaceSet`, or uint8 (N, 48, 48).
        captions: (N,) str, by default the emotions of a FaceSet; two lines at most.
        columns: At most so many faces in a row.
        title: Written over all faces.
        colour: (N,) str, the colour of each caption (murphy-fig7: green when right, red when wrong).

    Returns:
        The Figure.
    """
    images = getattr(faces, "images", faces)
    if captions is None and hasattr(faces, "labels"):
        captions = [faces.names[k] for k in faces.labels]
    two_lines = captions is not None and any("\n" in str(text) for text in captions)
    panel = (1.25, 1.7 if two_lines else 1.5)
    figure, axes = grid(len(images), columns, panel, room=0.5)
    for i, axis in enumerate(axes):
        axis.imshow(images[i], cmap="gray", vmin=0, vmax=255)
        axis.axis("off")
        if captions is not None:
            caption(axis, captions[i], fontsize=8 if two_lines else 9)
            axis.title.set_color(colour[i] if colour is not None else "#333333")
    titled(figure, title)
    return stamp(figure, getattr(faces, "source", ""))


def one_per_emotion(faces, seed=0, title="One face per emotion"):
    """Draw one random face of each emotion side by side (hejslet-fig1); `faces` is a `FaceSet`."""
    return face_grid(faces.per_emotion(1, seed), columns=len(faces.names), title=title)


def emotions_by_rows(faces, columns=10, seed=0, title="Faces of each emotion"):
    """Draw one row of random faces per emotion, the emotion's name at the left (choudhari-eda).

    Args:
        faces: A `FaceSet`.
        columns: How many faces of each emotion; where there are fewer the row ends early.
        seed: The same seed draws the same faces.
        title: Written over all rows.

    Returns:
        The Figure.
    """
    names = faces.names
    figure, axes = grid(columns * len(names), columns, panel=(1.08, 1.02))
    rows = axes.reshape(len(names), columns)
    for k, name in enumerate(names):
        chosen = faces[faces.labels == k].per_emotion(columns, seed)
        for axis, image in zip(rows[k], chosen.images, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        rows[k, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    for axis in axes:
        axis.set(xticks=[], yticks=[], frame_on=False)
    titled(figure, title)
    return stamp(figure, faces.source)


def count_plot(faces, title="Faces per emotion", split_by_usage=False):
    """Draw how many faces each emotion has, as bars with their numbers (choudhari-fig3, murphy-fig1).

    Args:
        faces: A `FaceSet`.
        title: Written above the bars.
        split_by_usage: Draw one bar per emotion and usage instead of one per emotion.

    Returns:
        The Figure.
    """
    counts = faces.counts()
    figure, (axis,) = grid(1, panel=(9, 4.5))
    if split_by_usage:
        counts = counts.loc[:, counts.sum() > 0]
        counts.plot.bar(ax=axis, width=0.8, color=["#0072B2", "#56B4E9", "#E69F00"][: counts.shape[1]], rot=0)
        axis.legend(title="usage")
    else:
        total = counts.sum(axis=1)
        axis.bar(total.index, total, color=colours(faces.names))
    for bars in axis.containers:
        axis.bar_label(bars, fmt="{:,.0f}", fontsize=8 if split_by_usage else 10, padding=2)
    axis.grid(axis="x", visible=False)
    axis.margins(y=0.1)  # the tallest bar's number stays below the title
    axis.set(title=title, xlabel="emotion", ylabel="faces")
    return stamp(figure, faces.source)


def pixel_histogram(values, title, xlabel, source=""):
    """Draw the distribution of pixel values, as bars of 64 bins.

    Args:
        values: An array of any shape, or a dict from name to array: one panel each.
        title: Written over all panels.
        xlabel: Unit of the values; a list of units, one per panel, where they differ.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    series = values if isinstance(values, dict) else {"": values}
    labels = xlabel if isinstance(xlabel, (list, tuple)) else [xlabel] * len(series)
    figure, axes = grid(len(series), panel=(9 / len(series), 3.5))
    for axis, (name, data), label in zip(axes, series.items(), labels, strict=True):
        axis.hist(np.ravel(data), bins=64, color="#0072B2")
        axis.set(title=name, xlabel=label, ylabel="pixels")
        axis.yaxis.set_major_formatter("{x:,.0f}")
    titled(figure, title)
    return stamp(figure, source)


def flow_diagram(steps, title):
    """Draw a system as boxes joined by arrows (choudhari-fig1).

    Args:
        steps: A list of (name, detail): what stands in each box and below it.
        title: Written above.

    Returns:
        The Figure.
    """
    figure, (axis,) = grid(1, panel=(1.75 * len(steps), 1.6))
    for i, (name, detail) in enumerate(steps):
        axis.add_patch(FancyBboxPatch((i - 0.34, 0), 0.68, 0.5, **BOX))
        axis.text(i, 0.25, name, ha="center", va="center", weight="bold", fontsize=11)
        axis.text(i, -0.15, detail, ha="center", va="top", fontsize=9, color="#555555")
        if i:
            axis.annotate("", xy=(i - 0.37, 0.25), xytext=(i - 0.63, 0.25), arrowprops=ARROW)
    axis.set(xlim=(-0.45, len(steps) - 0.55), ylim=(-0.7, 0.6), title=title)
    axis.axis("off")
    return stamp(figure, "")
