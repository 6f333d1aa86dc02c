"""Plots of faces and their counts. Every function takes data and returns the matplotlib Figure."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.patches import FancyBboxPatch

from fer_kit.data.emotions import COLOURS
from fer_kit.runtime.settings import Source

GREY = "#7F7F7F"  # for text, edges and whatever is no emotion; reads on white and on dark pages
_FALLBACK = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#332288", "#CC79A7", "#56B4E9")


def use_style():
    """Set the kit's look for all figures: large type for a projector, no frames, a light grid."""
    sns.set_theme(style="whitegrid", context="notebook", font_scale=1.05)
    plt.rcParams.update(
        {
            "figure.figsize": (9, 4.5),
            "figure.dpi": 100,
            "savefig.bbox": "tight",
            "savefig.facecolor": "white",
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#E4E4E4",
            "image.cmap": "gray",
        }
    )


def colours(names):
    """Return one colour per name, str (len(names),): the emotion's own, or the next free one."""
    spare = iter(_FALLBACK)
    return [COLOURS.get(name) or next(spare) for name in names]


def stamp(figure, source):
    """Write dataset and profile in small type under a figure: a smoke run must not look like a result.

    `source` is the dataset's name (`faces.source`), to which the profile in force is added, or a `Source`,
    which names its own (`Run.source`). Nothing is written for "".
    Also takes the figure out of pyplot's hands: a notebook shows it once, where a cell ends with it.
    """
    if source:
        named = source if isinstance(source, Source) else Source(source)
        figure.text(0.995, -0.005, str(named), ha="right", va="top", fontsize=8, color=GREY)
    plt.close(figure)
    return figure


def face_grid(faces, captions=None, columns=8, title="", colour=None):
    """Draw faces in a grid, row by row.

    `faces` is a `FaceSet` or uint8 (N, 48, 48); `captions` (N,) str, by default the emotions of a FaceSet;
    `colour` (N,) gives each caption its colour (murphy-fig7: green when right, red when wrong).
    """
    images = getattr(faces, "images", faces)
    if captions is None and hasattr(faces, "labels"):
        captions = [faces.names[k] for k in faces.labels]
    columns = min(columns, max(len(images), 1))
    rows = -(-len(images) // columns)
    two = captions is not None and any("\n" in str(caption) for caption in captions)
    size = (1.25 * columns, (1.7 if two else 1.5) * rows + 0.5)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for i, axis in enumerate(axes.flat):
        axis.axis("off")
        if i < len(images):
            axis.imshow(images[i], cmap="gray", vmin=0, vmax=255)
            if captions is not None:
                axis.set_title(captions[i], fontsize=8 if two else 9, weight="normal", loc="center", pad=3)
                axis.title.set_color(colour[i] if colour is not None else "#333333")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout()
    return stamp(figure, getattr(faces, "source", ""))


def one_per_emotion(faces, seed=0, title="One face per emotion"):
    """Draw one random face of each emotion side by side (hejslet-fig1)."""
    return face_grid(faces.per_emotion(1, seed), columns=len(faces.names), title=title)


def emotions_by_rows(faces, columns=10, seed=0, title="Faces of each emotion"):
    """Draw one row of random faces per emotion, the emotion's name at the left (choudhari-eda)."""
    names = faces.names
    figure, axes = plt.subplots(len(names), columns, figsize=(columns, 1.05 * len(names)), squeeze=False)
    for k, name in enumerate(names):
        chosen = faces[faces.labels == k].per_emotion(columns, seed)
        for axis, image in zip(axes[k], _padded(chosen.images, columns), strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[], frame_on=False)
        axes[k, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout(h_pad=0.1, w_pad=0.1)
    return stamp(figure, faces.source)


def _padded(images, count):
    blank = np.full((count, *images.shape[1:]), 255, np.uint8)
    blank[: len(images)] = images
    return blank


def count_plot(faces, title="Faces per emotion", split_by_usage=False):
    """Draw how many faces each emotion has, as bars with their numbers (choudhari-fig3, murphy-fig1).

    With `split_by_usage` there is one bar per usage.
    """
    counts = faces.counts()
    figure, axis = plt.subplots()
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
    """Draw the distribution of pixel values; `values` any shape, or a dict from name to values."""
    series = values if isinstance(values, dict) else {"": values}
    figure, axes = plt.subplots(1, len(series), figsize=(9, 3.5), squeeze=False)
    labels = xlabel if isinstance(xlabel, (list, tuple)) else [xlabel] * len(series)
    for axis, (name, data), label in zip(axes.flat, series.items(), labels, strict=True):
        axis.hist(np.ravel(data), bins=64, color="#0072B2")
        axis.set(title=name, xlabel=label, ylabel="pixels")
        axis.yaxis.set_major_formatter("{x:,.0f}")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout()
    return stamp(figure, source)


def flow_diagram(steps, title):
    """Draw a system as boxes joined by arrows; `steps` is a list of (name, detail) (choudhari-fig1)."""
    figure, axis = plt.subplots(figsize=(2.2 * len(steps), 1.9))
    for i, (name, detail) in enumerate(steps):
        style = {"boxstyle": "round,pad=0.04", "facecolor": "#E8F1F8", "edgecolor": "#0072B2"}
        axis.add_patch(FancyBboxPatch((i - 0.34, 0), 0.68, 0.5, **style))
        axis.text(i, 0.25, name, ha="center", va="center", weight="bold", fontsize=11)
        axis.text(i, -0.15, detail, ha="center", va="top", fontsize=9, color="#555555")
        if i:
            arrow = {"arrowstyle": "-|>", "color": "#333333"}
            axis.annotate("", xy=(i - 0.37, 0.25), xytext=(i - 0.63, 0.25), arrowprops=arrow)
    axis.set(xlim=(-0.45, len(steps) - 0.55), ylim=(-0.7, 0.6), title=title)
    axis.axis("off")
    return stamp(figure, "")
