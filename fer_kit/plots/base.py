"""What all figures share: the kit's look, colours, panels and titles, the line that names the source."""

import matplotlib.pyplot as plt
import seaborn as sns

from fer_kit.data.emotions import colours_of
from fer_kit.runtime.settings import Source

GREY = "#7F7F7F"  # for text, edges and whatever is no emotion; reads on white and on dark pages


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
    names = list(names)
    table = colours_of(names)
    return [table[name] for name in names]


def grid(count, columns=None, panel=(1.25, 1.45), room=0.0, **options):
    """Return (a figure, an array of its `count` axes), the panels filled row by row.

    The layout is matplotlib's "constrained": titles, labels and legends beside the panels find their place.
    It is set here and not for all figures, so that `tight_layout()` in a cell of one's own does not warn.

    Args:
        count: How many panels; at least one is made.
        columns: At most so many panels in a row; by default all of them.
        panel: Width and height of a panel in inches.
        room: Inches of height added for a title above all panels.
        options: Those of `plt.subplots`, such as `sharey`.
    """
    columns = max(1, min(columns or count, count))
    rows = max(1, -(-count // columns))
    size = (panel[0] * columns, panel[1] * rows + room)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)
    for axis in axes.flat[count:]:
        axis.axis("off")
    return figure, axes.ravel()[:count]


def titled(figure, title):
    """Write a title over all panels of a figure, at the left as those of single axes."""
    figure.suptitle(title, x=0.01, ha="left", weight="bold")


def caption(axis, text, fontsize=9, pad=3):
    """Write a caption above a picture: in the middle, in normal type."""
    axis.set_title(text, fontsize=fontsize, weight="normal", loc="center", pad=pad)


def stamp(figure, source):
    """Write dataset and profile in small type under a figure: a smoke run must not look like a result.

    The figure is closed for pyplot as well, so that a notebook shows it once, where a cell ends with it.

    Args:
        figure: A matplotlib Figure.
        source: The dataset's name (`faces.source`), to which the current profile is added, or a `Source`,
            which names its own (`Run.source`). Nothing is written for "".

    Returns:
        The figure.
    """
    if source:
        named = source if isinstance(source, Source) else Source(source)
        figure.text(0.995, -0.005, str(named), ha="right", va="top", fontsize=8, color=GREY)
    plt.close(figure)
    return figure
