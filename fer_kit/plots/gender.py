"""Pictures of two networks side by side, and of whom one of them fails."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch

from fer_kit.plots.base import GREY, colours, stamp
from fer_kit.plots.results import TRAINING, VALIDATION

PLACES = {
    "frame": (0, 0.5),
    "MTCNN\ndetect 1 frame": (1.35, 0.5),
    "KCF\ntrack 5 frames": (2.7, 0.5),
    "align, crop,\ngrey 48x48": (4.05, 0.5),
    "network 1\n7 expressions": (5.5, 1.05),
    "network 2\ngender": (5.5, -0.05),
}
"""The boxes of zhao-fig1: text and middle."""


def framework(title="zhao's framework"):
    """Draw zhao-fig1: detect, track, crop, then two networks side by side on the same crops."""
    figure, axis = plt.subplots(figsize=(11, 3.4))
    for text, (x, y) in PLACES.items():
        style = {"boxstyle": "round,pad=0.04", "facecolor": "#E8F1F8", "edgecolor": TRAINING}
        axis.add_patch(FancyBboxPatch((x - 0.48, y - 0.25), 0.96, 0.5, **style))
        axis.text(x, y, text, ha="center", va="center", fontsize=10)
    places = list(PLACES.values())
    for start, end in [*zip(places[:3], places[1:4], strict=True), *((places[3], p) for p in places[4:])]:
        arrow = {"arrowstyle": "-|>", "color": "#333333"}
        axis.annotate("", xy=(end[0] - 0.52, end[1]), xytext=(start[0] + 0.52, start[1]), arrowprops=arrow)
    back = {"arrowstyle": "-|>", "color": GREY, "connectionstyle": "arc3,rad=-0.35"}
    axis.annotate("", xy=(1.35, 0.22), xytext=(2.7, 0.22), arrowprops=back)
    axis.text(2.02, -0.28, "every sixth frame, or when lost", ha="center", color=GREY, fontsize=9)
    axis.set(xlim=(-0.6, 6.1), ylim=(-0.5, 1.5), title=title)
    axis.axis("off")
    return stamp(figure, "")


def gender_side_by_side(images, answers, columns=8, title="Two answers for each face", source=""):
    """Draw faces with what each network says of them and how sure it is.

    `images` uint8 (N, 48, 48); `answers` a dict from question to (probabilities (N, K), names).
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.45 * columns, (1.45 + 0.25 * len(answers)) * rows + 0.5), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for i, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        said = [(names[p[i].argmax()], p[i].max()) for p, names in answers.values()]
        text = "\n".join(f"{name} {sure:.0%}" for name, sure in said)
        axis.set_title(text, fontsize=9, weight="normal", loc="center", pad=3)
    figure.suptitle(f"{title} ({', '.join(answers)})", x=0.01, ha="left", weight="bold")
    figure.tight_layout()
    return stamp(figure, source)


def gender_errors(table, title="Errors", source=""):
    """Draw a table of `gender.errors_by`: one bar of errors per part, its 95 % interval and its faces.

    The dashed line is the error on all faces together.
    """
    figure, axis = plt.subplots(figsize=(9, 0.5 * len(table) + 2))
    parts = [f"{part} ({faces:,})" for part, faces in zip(table.index, table.faces, strict=True)]
    rows, share = np.arange(len(table))[::-1], 100 * table.error.to_numpy()
    axis.barh(rows, share, color=TRAINING, height=0.6)
    ends = np.maximum([share - 100 * table.low, 100 * table.high - share], 0)
    axis.errorbar(share, rows, xerr=ends, fmt="none", color="black", capsize=4, label="95 % interval")
    overall = 100 * table.wrong.sum() / table.faces.sum()
    axis.axvline(overall, color=VALIDATION, linestyle="--", label=f"all faces, {overall:.1f} %")
    axis.set_yticks(rows, parts)
    axis.grid(axis="y", visible=False)
    axis.set(title=title, xlabel="faces labelled wrongly (%)", ylabel=table.index.name)
    axis.set_xlim(0, min(100, 1.08 * 100 * table.high.max()))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=9, frameon=False)
    figure.tight_layout()
    return stamp(figure, source)


def gender_histogram(scores, title="How sure is it?", source="", bins=20):
    """Draw the probability of the second label for faces of each label, from the `Scores` of two labels."""
    names = scores.scored.names
    figure, axis = plt.subplots(figsize=(9, 3.6))
    edges = np.linspace(0, 100, bins + 1)
    for label, (name, colour) in enumerate(zip(names, colours(names), strict=True)):
        values = 100 * scores.predictions[scores.scored.labels == label, 1]
        axis.hist(values, edges, color=colour, alpha=0.55, label=f"labelled {name} ({len(values):,})")
    axis.axvline(50, color=GREY, linestyle=":")
    axis.set(title=title, xlabel=f"probability of {names[1]} (%)", ylabel="faces")
    axis.legend()
    figure.tight_layout()
    return stamp(figure, source)
