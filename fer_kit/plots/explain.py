"""Pictures of what a network sees: true against predicted, heat over faces, feature maps, points of a PCA."""

import numpy as np

from fer_kit.data.emotions import EMOTIONS
from fer_kit.plots.base import caption, colours, grid, stamp, titled
from fer_kit.plots.data import face_grid

RIGHT = "#007A4D"
WRONG = "#C0392B"


def true_against_predicted(scores, rows, title="True against predicted", columns=8):
    """Draw faces with a caption, green when predicted right, red when wrong (murphy-fig7).

    The caption gives true > predicted and the probability of the prediction in %.

    Args:
        scores: `Scores` of a model.
        rows: (M,) ints, which of `scores.scored` to draw.
        title: Written over all faces.
        columns: At most so many faces in a row.

    Returns:
        The Figure.
    """
    names = scores.scored.names
    faces = scores.scored[rows]
    sure = 100 * scores.predictions[rows].max(1)
    captions = [
        names[true] + (f"\n{p:.0f} %" if true == guess else f" > {names[guess]}\n{p:.0f} %")
        for true, guess, p in zip(faces.labels, scores.predicted[rows], sure, strict=True)
    ]
    colour = np.where(scores.right[rows], RIGHT, WRONG)
    return face_grid(faces, captions, columns, title, colour)


def face_and_answer(image, probabilities, title="", source="", names=EMOTIONS):
    """Draw a face, and beside it what a network says of it.

    Args:
        image: uint8 (H, W), 0-255.
        probabilities: float (K,), 0-1.
        title: Written over both.
        source: What was drawn, see `stamp`.
        names: The K emotions, by default the seven.

    Returns:
        The Figure.
    """
    figure, (left, right) = grid(2, panel=(4, 3), room=0.4)
    left.imshow(image, cmap="gray", vmin=0, vmax=255)
    left.grid(visible=False)
    left.set(title="the face", xlabel="column (pixel)", ylabel="row (pixel)")
    right.barh(names, 100 * np.asarray(probabilities), color=colours(names))
    right.set(title="the answer", xlabel="probability (%)", xlim=(0, 100))
    right.grid(axis="y", visible=False)
    right.invert_yaxis()
    titled(figure, title)
    return stamp(figure, source)


def heat_over_faces(faces, heats, captions=None, title="", source=None):
    """Draw faces in the top row and each heat map over them in a row below.

    Maps with negative values are drawn red (+) and blue (-) by themselves, others over the face, so that
    both remain visible.

    Args:
        faces: A `FaceSet` of N.
        heats: A dict from name to float (N, 48, 48).
        captions: (N,) str, by default the emotions.
        title: Written over all rows.
        source: What was drawn, see `stamp`; by default `faces.source`.

    Returns:
        The Figure.
    """
    count = len(faces)
    figure, axes = grid(count * (1 + len(heats)), count, panel=(1.5 + 1 / count, 1.6), room=0.6)
    rows = axes.reshape(1 + len(heats), count)
    for i, axis in enumerate(rows[0]):
        axis.imshow(faces.images[i], vmin=0, vmax=255)
        caption(axis, captions[i] if captions is not None else faces.names[faces.labels[i]])
    for row, (name, heat) in zip(rows[1:], heats.items(), strict=True):
        for i, axis in enumerate(row):
            _heat(axis, faces.images[i], heat[i])
        row[0].set_ylabel(name)
    rows[0, 0].set_ylabel("face")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    titled(figure, title)
    return stamp(figure, faces.source if source is None else source)


def _heat(axis, face, heat):
    if heat.min() < 0:
        limit = max(np.quantile(np.abs(heat), 0.995), 1e-12)
        axis.imshow(heat, cmap="RdBu_r", vmin=-limit, vmax=limit)
    else:
        axis.imshow(face, vmin=0, vmax=255)
        axis.imshow(heat, cmap="inferno", alpha=0.55)


def map_grid(maps, title="Feature maps", captions=None, columns=8, count=16, source=""):
    """Draw the `count` feature maps that vary most, each on its own scale from dark (low) to light (high).

    Args:
        maps: float (channels, H, W), as `explain.feature_maps` returns, or filters of the same shape.
        title: Written over all maps.
        captions: (channels,) str, by default the channel's number.
        columns: At most so many maps in a row.
        count: At most so many maps.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    strongest = np.sort(np.argsort(-maps.std((1, 2)), kind="stable")[:count])
    figure, axes = grid(len(strongest), columns, room=0.5)
    for axis, channel in zip(axes, strongest, strict=True):
        axis.imshow(maps[channel], cmap="viridis")
        axis.axis("off")
        text = captions[channel] if captions is not None else f"channel {channel}"
        caption(axis, text, fontsize=8)
    titled(figure, title)
    return stamp(figure, source)


def scatter(points, labels, names, shares, title="Principal components", source=""):
    """Draw points in two or three dimensions, one colour per emotion (choudhari-pca).

    Args:
        points: float (N, 2) or (N, 3).
        labels: (N,) ints, rows of `names`.
        names: The emotions.
        shares: (2,) or (3,) floats, 0-1: how much of the variance each axis explains.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    labels = np.asarray(labels)
    dimensions = points.shape[1]
    space = {"projection": "3d" if dimensions == 3 else None}
    figure, (axis,) = grid(1, panel=(8, 6), subplot_kw=space)
    flat = {"depthshade": False} if dimensions == 3 else {}
    for k, (name, colour) in enumerate(zip(names, colours(names), strict=True)):
        axis.scatter(*points[labels == k].T, s=9, alpha=0.6, color=colour, label=name, linewidths=0, **flat)
    words = " of variance" if dimensions == 2 else ""
    axes = [f"component {i + 1} ({share:.1%}{words})" for i, share in enumerate(shares)]
    axis.set(title=title, xlabel=axes[0], ylabel=axes[1])
    if dimensions == 3:
        axis.set_zlabel(axes[2], labelpad=8)
        axis.tick_params(labelsize=8, pad=1)
        axis.tick_params(axis="z", pad=4)
        axis.locator_params(nbins=4)
        axis.set_box_aspect(None, zoom=0.85)
    axis.legend(markerscale=2.5, loc="center left", bbox_to_anchor=(1.02 if dimensions == 2 else 1.1, 0.5))
    return stamp(figure, source)
