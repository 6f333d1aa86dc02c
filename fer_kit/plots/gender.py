"""Pictures of two networks side by side, of whom one of them fails, and of what a remedy changes."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.patches import FancyBboxPatch

from fer_kit.plots.base import GREY, caption, colours, grid, stamp, titled
from fer_kit.plots.data import ARROW, BOX
from fer_kit.plots.results import TRAINING, VALIDATION
from fer_kit.studies import gender

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
    figure, (axis,) = grid(1, panel=(8.6, 2.8))
    for text, (x, y) in PLACES.items():
        axis.add_patch(FancyBboxPatch((x - 0.48, y - 0.25), 0.96, 0.5, **BOX))
        axis.text(x, y, text, ha="center", va="center", fontsize=10)
    places = list(PLACES.values())
    for start, end in [*zip(places[:3], places[1:4], strict=True), *((places[3], p) for p in places[4:])]:
        axis.annotate("", xy=(end[0] - 0.52, end[1]), xytext=(start[0] + 0.52, start[1]), arrowprops=ARROW)
    back = ARROW | {"color": GREY, "connectionstyle": "arc3,rad=-0.35"}
    axis.annotate("", xy=(1.35, 0.22), xytext=(2.7, 0.22), arrowprops=back)
    axis.text(2.02, -0.28, "every sixth frame, or when lost", ha="center", color=GREY, fontsize=9)
    axis.set(xlim=(-0.6, 6.1), ylim=(-0.5, 1.5), title=title)
    axis.axis("off")
    return stamp(figure, "")


def gender_side_by_side(images, answers, columns=8, title="Two answers for each face", source=""):
    """Draw faces with each network's answer and its probability.

    Args:
        images: uint8 (N, 48, 48).
        answers: A dict from question to (probabilities (N, K), the K names).
        columns: At most so many faces in a row.
        title: Written over all faces.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, axes = grid(len(images), columns, panel=(1.45, 1.45 + 0.25 * len(answers)), room=0.5)
    for i, (axis, image) in enumerate(zip(axes, images, strict=True)):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.axis("off")
        said = [(names[p[i].argmax()], p[i].max()) for p, names in answers.values()]
        caption(axis, "\n".join(f"{name} {sure:.0%}" for name, sure in said))
    titled(figure, f"{title} ({', '.join(answers)})")
    return stamp(figure, source)


def gender_errors(table, title="Errors", source=""):
    """Draw the errors on each part of the faces: a bar per part, its 95 % interval and its faces.

    The dashed line is the error on all faces together.

    Args:
        table: A DataFrame as `gender.errors_by` returns it.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, (axis,) = grid(1, panel=(9, 0.5 * len(table) + 2))
    parts = [f"{part} ({faces:,})" for part, faces in zip(table.index, table.faces, strict=True)]
    rows = np.arange(len(table))[::-1]
    axis.barh(rows, 100 * table.error, color=TRAINING, height=0.6)
    _intervals(axis, table, rows, fmt="none", color="black", label="95 % interval")
    overall = _overall(table)
    axis.axvline(overall, color=VALIDATION, linestyle="--", label=f"all faces, {overall:.1f} %")
    axis.set_yticks(rows, parts)
    axis.grid(axis="y", visible=False)
    axis.set(title=title, xlabel="faces labelled wrongly (%)", ylabel=table.index.name)
    axis.set_xlim(0, min(100, 1.08 * 100 * table.high.max()))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=9, frameon=False)
    return stamp(figure, source)


def gender_remedy(before, after, title="Before and after", source=""):
    """Draw the errors on each part of the faces before and after something was done about them.

    Args:
        before: A DataFrame as `gender.errors_by` returns it.
        after: One of the same parts.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, (axis,) = grid(1, panel=(9, 0.5 * len(before) + 1.6))
    rows = np.arange(len(before))[::-1]
    for table, name, colour, lift in ((before, "before", GREY, 0.15), (after, "after", VALIDATION, -0.15)):
        label = f"{name}, all faces {_overall(table):.1f} %"
        _intervals(axis, table.reindex(before.index), rows + lift, fmt="o", color=colour, label=label)
    axis.set_yticks(rows, [f"{part} ({n:,})" for part, n in before.faces.items()])
    axis.grid(axis="y", visible=False)
    axis.set(title=title, xlabel="faces labelled wrongly (%), with 95 % intervals", ylabel=before.index.name)
    axis.set_xlim(left=0)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=9, frameon=False)
    return stamp(figure, source)


def gender_abstention(scores, trait, threshold, title="If it may say nothing", source=""):
    """Draw on which part of the faces a network is silent, and the errors among the answers that it gives.

    Args:
        scores: `Scores` of faces with two labels.
        trait: (N,) Series, one value per scored face, such as `gender.traits(scores.scored).group`.
        threshold: It answers where the probability of its answer is at least this, 0.5 to 1.
        title: Written over both panels.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    sure = scores.predictions.max(axis=1) >= threshold
    said = replace(scores, scored=scores.scored[sure], predictions=scores.predictions[sure], twins=None)
    silent = pd.Series(~sure).groupby(np.asarray(trait)).mean().reindex(gender.errors_by(scores, trait).index)
    errors = gender.errors_by(said, trait[sure]).reindex(silent.index)
    figure, (left, right) = grid(2, panel=(4.6, 0.4 * len(silent) + 1.4), room=0.4, sharey=True)
    rows = np.arange(len(silent))[::-1]
    left.barh(rows, 100 * silent, color=GREY, height=0.6)
    left.set_yticks(rows, silent.index)
    left.set(title="no answer", xlabel="faces of the part (%)", ylabel=silent.index.name, xlim=(0, 100))
    right.barh(rows, 100 * errors.error, color=TRAINING, height=0.6)
    _intervals(right, errors, rows, fmt="none", color="black")
    right.set(title="wrong answers", xlabel="answered faces (%), with 95 % intervals")
    right.set_xlim(0, max(50, 100 * errors.high.max()))
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    wrong = f", {_overall(errors):.1f} % of them wrong" if sure.any() else ""
    titled(figure, f"{title}: answers to {100 * sure.mean():.0f} % of the faces{wrong}")
    return stamp(figure, source)


def _intervals(axis, table, rows, **look):
    """Draw the intervals of a table of errors, each in its row."""
    share = 100 * table.error.to_numpy()
    ends = np.maximum([share - 100 * table.low, 100 * table.high - share], 0)
    axis.errorbar(share, rows, xerr=ends, capsize=4, **look)


def _overall(table):
    """The error on all parts together, in per cent; nan where there are no faces."""
    return 100 * table.wrong.sum() / table.faces.sum()


def gender_histogram(scores, title="How sure is it?", source="", bins=20):
    """Draw how often the second of two labels gets which probability, for the faces of each label.

    Args:
        scores: `Scores` of faces with two labels.
        title: Written above.
        source: What was drawn, see `stamp`.
        bins: How many bars from 0 to 100 %.

    Returns:
        The Figure.
    """
    names = scores.scored.names
    figure, (axis,) = grid(1, panel=(9, 3.6))
    edges = np.linspace(0, 100, bins + 1)
    for label, (name, colour) in enumerate(zip(names, colours(names), strict=True)):
        values = 100 * scores.predictions[scores.scored.labels == label, 1]
        axis.hist(values, edges, color=colour, alpha=0.55, label=f"labelled {name} ({len(values):,})")
    axis.axvline(50, color=GREY, linestyle=":")
    axis.set(title=title, xlabel=f"probability of {names[1]} (%)", ylabel="faces")
    axis.legend(loc="upper center")
    return stamp(figure, source)
