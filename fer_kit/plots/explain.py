"""Pictures of what a network sees: true against predicted, heat over faces, feature maps, points of a PCA."""

import matplotlib.pyplot as plt
import numpy as np

from fer_kit.plots.base import colours, face_grid, stamp

RIGHT, WRONG = "#007A4D", "#C0392B"


def true_against_predicted(scores, rows, title="True against predicted", columns=8):
    """Draw faces with a caption, green when predicted right, red when wrong (murphy-fig7).

    `rows` (M,) are rows of `scores.scored`. The caption gives true > predicted and the probability in %.
    """
    names, faces = scores.scored.names, scores.scored[rows]
    sure = 100 * scores.predictions[rows].max(1)
    captions = [
        names[true] + (f"\n{p:.0f} %" if true == guess else f" > {names[guess]}\n{p:.0f} %")
        for true, guess, p in zip(faces.labels, scores.predicted[rows], sure, strict=True)
    ]
    colour = np.where(scores.right[rows], RIGHT, WRONG)
    return face_grid(faces, captions, columns, title, colour)


def heat_over_faces(faces, heats, captions=None, title="", source=None):
    """Draw faces in the top row and each map of heat over them in a row below.

    `faces` is a `FaceSet` of N; `heats` a dict from name to float (N, 48, 48). Maps with negative values are
    drawn red (+) and blue (-) by themselves, others over the face, so that both remain visible.
    """
    count = len(faces)
    figure, axes = plt.subplots(
        1 + len(heats), count, figsize=(1.5 * count + 1, 1.6 * (1 + len(heats)) + 0.6), squeeze=False
    )
    for i, axis in enumerate(axes[0]):
        axis.imshow(faces.images[i], vmin=0, vmax=255)
        label = captions[i] if captions is not None else faces.names[faces.labels[i]]
        axis.set_title(label, fontsize=9, weight="normal", loc="center")
    for row, (name, heat) in zip(axes[1:], heats.items(), strict=True):
        for i, axis in enumerate(row):
            _heat(axis, faces.images[i], heat[i])
        row[0].set_ylabel(name)
    axes[0, 0].set_ylabel("face")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout(w_pad=0.3)
    figure.subplots_adjust(hspace=0.03)  # tight_layout lets rows without ticks overlap
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

    `maps` float (channels, H, W), as of `explain.feature_maps`, or filters of the same shape; `captions`
    (channels,) str, by default the channel's number.
    """
    columns = min(columns, len(maps))
    strongest = np.sort(np.argsort(-maps.std((1, 2)), kind="stable")[:count])
    rows = -(-len(strongest) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.25 * columns, 1.45 * rows + 0.5), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, channel in zip(axes.flat, strongest, strict=False):
        axis.imshow(maps[channel], cmap="viridis")
        label = captions[channel] if captions is not None else f"channel {channel}"
        axis.set_title(label, fontsize=8, weight="normal", loc="center", pad=3)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout()
    return stamp(figure, source)


def scatter(points, labels, names, shares, title="Principal components", source=""):
    """Draw points (N, 2) or (N, 3), one colour per emotion (choudhari-pca).

    `shares` (2,) or (3,), 0-1: how much of the variance each axis explains.
    """
    dimensions = points.shape[1]
    figure = plt.figure(figsize=(8, 6))
    axis = figure.add_subplot(projection="3d" if dimensions == 3 else None)
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
    figure.tight_layout()
    return stamp(figure, source)
