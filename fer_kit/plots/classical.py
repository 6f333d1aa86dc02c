"""Pictures of classical methods: eigenfaces, what HOG sees, and the baselines beside each other."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fer_kit.data.faceset import SIZE
from fer_kit.plots.base import GREY, caption, grid, stamp, titled

CLASSIFIER_COLOURS = {
    "knn": "#E69F00",
    "linear-svm": "#56B4E9",
    "rbf-svm": "#0072B2",
    "exact-rbf-svm": "#7A4FA3",
}
MARKERS = {"pixels": "s", "lbp": "^", "gabor": "D", "hog": "o", "sift": "v"}


def eigenfaces(mean, components, shares, title="Eigenfaces", source="", columns=8):
    """Draw the mean face and the principal components around it (Turk & Pentland 1991; choudhari-pca).

    Red pixels grow lighter, blue ones darker, as the component grows; a component's sign means nothing.

    Args:
        mean: float (2304,) or (48, 48).
        components: float (K, 2304), each of unit length.
        shares: (K,) floats, 0-1, of the variance.
        title: Written over all pictures.
        source: What was drawn, see `stamp`.
        columns: At most so many pictures in a row.

    Returns:
        The Figure.
    """
    figure, axes = grid(len(components) + 1, columns, panel=(1.35, 1.65), room=0.5)
    axes[0].imshow(np.reshape(mean, (SIZE, SIZE)), cmap="gray")
    caption(axes[0], "mean face")
    limit = np.abs(components).max()
    for k, (component, share) in enumerate(zip(components, shares, strict=True), 1):
        axes[k].imshow(np.reshape(component, (SIZE, SIZE)), cmap="RdBu_r", vmin=-limit, vmax=limit)
        caption(axes[k], f"{k}: {share:.1%}")
    for axis in axes:
        axis.axis("off")
    titled(figure, title)
    return stamp(figure, source)


def hog_glyphs(cells, images=None, captions=None, title="What HOG sees", source=""):
    """Draw each cell's histogram as a star of lines along the edges, the brighter the stronger.

    Each face has its own scale of brightness.

    Args:
        cells: float (N, rows, columns, 9) of `Hog.cells`; negative values are left out.
        images: uint8 (N, 48, 48), drawn above, or None.
        captions: (N,) str.
        title: Written over all pictures.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    count = len(cells)
    rows = 1 if images is None else 2
    figure, axes = grid(rows * count, count, panel=(1.75, 1.75), room=0.7)
    for k, axis in enumerate(axes[-count:]):
        _draw_glyphs(axis, np.maximum(cells[k], 0))
    if images is not None:
        for image, axis in zip(images, axes[:count], strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
    if captions is not None:
        for axis, text in zip(axes[:count], captions, strict=True):
            caption(axis, text, fontsize=10)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    titled(figure, title)
    return stamp(figure, source)


def _draw_glyphs(axis, cells):
    """One star per cell. An edge runs at right angles to the gradient that HOG counts."""
    size = SIZE / len(cells)
    middles = size * (np.arange(len(cells)) + 0.5)
    y, x, bin_ = np.meshgrid(middles, middles, np.arange(9), indexing="ij")
    angle = np.deg2rad(20 * bin_ + 10 + 90)
    step = 0.47 * size * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    centre = np.stack([x, y], axis=-1)
    lines = np.stack([centre - step, centre + step], axis=-2).reshape(-1, 2, 2)
    strength = cells.ravel() / max(cells.max(), 1e-12)
    order = np.argsort(strength)  # strong lines on top
    shades = plt.get_cmap("gray")(strength[order])
    axis.add_collection(LineCollection(lines[order], colors=shades, linewidths=size / 5))
    axis.set(xlim=(0, SIZE), ylim=(SIZE, 0), aspect="equal", facecolor="black")


def accuracy_grid(table, title="PrivateTest accuracy", source=""):
    """Draw accuracies as a heat map: each row a descriptor, each column a classifier.

    Args:
        table: A DataFrame as of `classical.table`; baselines that were not fitted remain empty.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    parts = table.index.str.partition("-")
    classifiers = set(parts.get_level_values(2))
    known = [name for name in CLASSIFIER_COLOURS if name in classifiers]
    squares = (
        table.assign(descriptor=parts.get_level_values(0), classifier=parts.get_level_values(2))
        .pivot(index="descriptor", columns="classifier", values="accuracy")
        .reindex(columns=[*known, *sorted(classifiers - set(known))])
    )
    squares = 100 * squares.loc[squares.max(axis=1).sort_values(ascending=False).index]
    figure, (axis,) = grid(1, panel=(2 + 1.6 * squares.shape[1], 1.2 + 0.65 * len(squares)))
    bar = {"label": "accuracy (%)"}
    sns.heatmap(squares, ax=axis, annot=True, fmt=".1f", cmap="Blues", linewidths=1, cbar_kws=bar)
    axis.tick_params(axis="y", rotation=0)
    axis.grid(visible=False)
    axis.set(title=title, xlabel="classifier", ylabel="descriptor")
    return stamp(figure, source)


def accuracy_beside_cost(table, title="Accuracy beside the cost of a prediction", source="", human=None):
    """Draw accuracy against processor time per face (logarithmic), by classifier and descriptor.

    Args:
        table: A DataFrame as of `classical.table`.
        title: Written above.
        source: What was drawn, see `stamp`.
        human: An accuracy, 0-1, drawn as a dashed line.

    Returns:
        The Figure.
    """
    figure, (axis,) = grid(1, panel=(9, 5.5))
    colours = {}
    shapes = {}
    for name, row in table.iterrows():
        descriptor, _, kind = name.partition("-")
        shape = MARKERS.get(descriptor, "*")
        colour = CLASSIFIER_COLOURS.get(kind, "#D55E00")
        axis.scatter(row.predict_us, 100 * row.accuracy, s=70, color=colour, marker=shape)
        colours[kind] = Patch(color=colour, label=kind)
        shapes[descriptor] = Line2D([], [], color=GREY, marker=shape, linestyle="", label=descriptor)
    handles = [*colours.values(), *shapes.values()]
    if human is not None:
        handles.append(axis.axhline(100 * human, color=GREY, linestyle="--", label=f"human, {human:.0%}"))
    axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5))
    axis.set(xscale="log", title=title, ylabel="accuracy (%)")
    axis.set_xlabel("processor time per face, from pixels to label (µs)")
    axis.margins(x=0.15, y=0.1)
    return stamp(figure, source)
