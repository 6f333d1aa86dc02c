"""Pictures of studies: what dropping an emotion did, the imbalance toolbox, data size, and the gap."""

import numpy as np
import seaborn as sns

from fer_kit.plots.base import GREY, grid, stamp, titled

FIRST = "#0072B2"
SECOND = "#D55E00"
THIRD = "#009E73"


def compare_histories(histories, title="Validation", source=""):
    """Draw validation accuracy and loss per epoch of several runs in the same panels (murphy-fig5).

    Args:
        histories: A dict from name to `Run.history`; at most four are drawn.
        title: Written above each panel, before "accuracy" and "loss".
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, axes = grid(2, panel=(5.5, 4))
    for axis, column, scale in ((axes[0], "val_accuracy", 100), (axes[1], "val_loss", 1)):
        for (name, history), colour in zip(histories.items(), (FIRST, SECOND, THIRD, GREY), strict=False):
            axis.plot(history.index, scale * history[column], color=colour, marker=".", label=name)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set_xlabel("epoch")
    axes[0].set(title=f"{title}: accuracy", ylabel="accuracy (%)")
    axes[1].set(title=f"{title}: loss", ylabel="loss (cross-entropy, nats)")
    axes[1].legend()
    return stamp(figure, source)


def fair_comparison(drop, title="What dropping {} did"):
    """Draw what dropping emotions did: as reported, on one task, and the difference taken apart.

    Left, each network on its own task. Middle, both on the same faces and answers, with Wilson's 95 %
    intervals. Right, the three parts of the reported difference in points; the last, with the paired 95 %
    interval, is the effect of training without the emotions.

    Args:
        drop: A `drop_emotion.Drop`.
        title: Written over all panels; {} stands for the names of the dropped emotions.

    Returns:
        The Figure.
    """
    figure, axes = grid(3, panel=(4.35, 4.4), gridspec_kw={"width_ratios": (1, 1, 1.5)})
    many = len(drop.full.scored.names)
    few = len(drop.reduced.scored.names)
    _two_bars(axes[0], {f"{many} emotions": drop.full, f"{few} emotions": drop.reduced})
    axes[0].set_title("As reported: two tasks")
    _two_bars(axes[1], {f"trained on {many},\nmasked": drop.masked, f"trained\non {few}": drop.reduced})
    axes[1].set_title("Fairly: one task")
    axes[1].set_xlabel(f"the same {drop.reduced.faces:,} faces")
    _parts(axes[2], drop)
    titled(figure, f"{title.format(' and '.join(drop.dropped))} ({drop.full.usage})")
    return stamp(figure, drop.full.scored.source)


def _two_bars(axis, scores):
    values = np.array([s.accuracy for s in scores.values()])
    error = 100 * np.abs(np.array([s.interval for s in scores.values()]).T - values)
    axis.bar(list(scores), 100 * values, width=0.6, color=[FIRST, SECOND])
    axis.errorbar(list(scores), 100 * values, error, fmt="none", color="black", capsize=4)
    for name, value in zip(scores, values, strict=True):
        axis.text(name, 2, f"{value:.1%}", ha="center", color="white", weight="bold")
    axis.grid(axis="x", visible=False)
    axis.set(ylabel="accuracy (%)", ylim=(0, 100))


def _parts(axis, drop):
    fair = drop.fair
    parts = 100 * drop.parts[::-1]
    axis.barh(parts.index, parts, color=[SECOND, GREY, GREY], height=0.55)
    below = 100 * (fair["points"] - fair["low"])
    above = 100 * (fair["high"] - fair["points"])
    error = [[max(below, 0)], [max(above, 0)]]
    axis.errorbar(parts.iloc[:1], [0], xerr=error, fmt="none", color="black", capsize=4)
    axis.set_yticks(range(3), [f"{name}\n{points:+.2f}" for name, points in parts.items()])
    axis.axvline(0, color="black", linewidth=0.8)
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="points of accuracy", title=f"{100 * drop.reported:+.2f} points taken apart")


def imbalance_heatmap(table, names, title="Recall per emotion, by method", source=""):
    """Draw the recall of each emotion (column) by method (row), and accuracy and macro-F1 beside it.

    Args:
        table: A DataFrame as `imbalance.compare_methods` returns it.
        names: The emotions.
        title: Written above the recalls.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    ratios = {"width_ratios": (len(names), 3)}
    figure, axes = grid(2, panel=(6, 0.55 * len(table) + 1.8), gridspec_kw=ratios)
    means = table[["accuracy", "balanced_accuracy", "macro_f1"]]
    means = means.set_axis(["accuracy", "mean\nrecall", "macro-F1"], axis=1)
    look = {"annot": True, "fmt": ".0f", "vmin": 0, "vmax": 100, "cmap": "Blues", "linewidths": 0.5}
    bar = {"label": "% of the true emotion"}
    sns.heatmap(100 * table[list(names)].astype(float), ax=axes[0], cbar_kws=bar, **look)
    sns.heatmap(100 * means.astype(float), ax=axes[1], cbar=False, yticklabels=False, **look | {"fmt": ".1f"})
    axes[0].set(title=title, xlabel="true emotion", ylabel="")
    axes[1].set(title="All emotions (%)", xlabel="", ylabel="")
    for axis in axes:
        axis.tick_params(axis="both", rotation=0)
    return stamp(figure, source)


def learning_curve(table, laws, title="Accuracy against training faces", source=""):
    """Draw accuracy with its 95 % interval against training faces, and against seconds of training.

    Args:
        table: A DataFrame as `data_size.study_sizes` returns it (murphy-size).
        laws: A dict from label to `PowerLaw`, drawn to four times the largest size; at most three.
        title: Written above the left panel.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    figure, axes = grid(2, panel=(6, 4.4), sharey=True)
    value = 100 * table.accuracy
    error = np.abs(100 * table[["low", "high"]].to_numpy().T - value.to_numpy())
    for axis, column in zip(axes, ("faces", "seconds"), strict=True):
        axis.errorbar(table[column], value, error, fmt="o", color=FIRST, capsize=4, label="measured")
        for size, x, y in zip(table.index, table[column], value, strict=True):
            axis.annotate(size, (x, y), (6, -12), textcoords="offset points", fontsize=9, color=GREY)
        axis.margins(x=0.15)
    axes[0].set_xscale("log")
    faces = np.geomspace(table.faces.min(), 4 * table.faces.max())
    for (label, law), colour, dashes in zip(
        laws.items(), (SECOND, THIRD, GREY), ("--", ":", "-."), strict=False
    ):
        axes[0].plot(faces, 100 * law.accuracy(faces), color=colour, linestyle=dashes, label=label)
    axes[0].legend()
    axes[0].set(title=title, xlabel="training faces (log scale)", ylabel="accuracy (%)")
    axes[1].set(title="and against time", xlabel="seconds of training")
    return stamp(figure, source)


def gap_bars(table, reported=None, title="What opens a gap between validation and test?", source=""):
    """Draw validation and test accuracy for each candidate cause, the largest gap on top.

    The gap, in points with its 95 % interval, is written beside each pair.

    Args:
        table: A DataFrame as `gap.study_gap` returns it.
        reported: The gap to explain, 0-1; written into the title.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    table = table.sort_values("gap")
    figure, (axis,) = grid(1, panel=(11, 0.62 * len(table) + 1.6))
    rows = np.arange(len(table))
    axis.barh(rows + 0.19, 100 * table.validation, 0.36, color=FIRST, label="validation")
    axis.barh(rows - 0.19, 100 * table.test, 0.36, color=SECOND, label="test")
    for row, gap, margin in zip(rows, table.gap, table.margin, strict=True):
        axis.text(101, row, f"{100 * gap:+.1f} ± {100 * margin:.1f}", va="center", fontsize=11)
    aim = "" if reported is None else f" ({100 * reported:.1f} points to explain)"
    axis.set_yticks(rows, table.index)
    axis.grid(axis="y", visible=False)
    axis.set(title=title + aim, xlabel="accuracy (%); at the right the gap in points", xlim=(0, 100))
    axis.legend(loc="lower right")
    return stamp(figure, source)
