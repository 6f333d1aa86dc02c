"""Pictures of results: training curves, confusion, calibration, scores per emotion and per model."""

import textwrap

import numpy as np
import seaborn as sns

from fer_kit.evaluation import metrics
from fer_kit.plots.base import GREY, colours, grid, stamp, titled

TRAINING = "#0072B2"
VALIDATION = "#D55E00"


def training_curves(
    history, title="Training", source="", selected_on="validation", best=None, loss="cross-entropy"
):
    """Draw accuracy and loss per epoch, training beside validation, the best epoch marked.

    Args:
        history: A DataFrame with the columns accuracy, val_accuracy (0-1), loss and val_loss; its index is
            the epoch from 1, as in `Run.history`.
        title: Written over both panels.
        source: What was drawn, see `stamp`.
        selected_on: Name of the validation faces, for the legend.
        best: The epoch to mark, as `Run.best_epoch`; by default that of the highest val_accuracy.
        loss: What the loss is, as `Run.loss_name`.

    Returns:
        The Figure.
    """
    figure, axes = grid(2, panel=(5.5, 4))
    labels = "accuracy (%)", textwrap.fill(f"loss ({loss}, nats)", 30)
    best = best or history.val_accuracy.idxmax()
    for axis, measure, scale, words in zip(axes, ("accuracy", "loss"), (100, 1), labels, strict=True):
        for column, colour, label in (
            (measure, TRAINING, "Training"),
            (f"val_{measure}", VALIDATION, selected_on),
        ):
            axis.plot(history.index, scale * history[column], color=colour, label=label, marker=".")
        axis.axvline(best, color=GREY, linestyle=":", label=f"best epoch, {best}")
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set(xlabel="epoch", ylabel=words)
    axes[0].set_title("accuracy")
    axes[1].set_title("loss")
    axes[1].legend()
    titled(figure, title)
    return stamp(figure, source)


def transfer_stages(histories, source="", selected_on="validation"):
    """Draw the training curves of several runs side by side on common axes (murphy-base, murphy-finetune).

    Args:
        histories: A dict from title to a DataFrame as in `training_curves`: one column of panels per run,
            accuracy above loss.
        source: What was drawn, see `stamp`.
        selected_on: Name of the validation faces, for the legend.

    Returns:
        The Figure.
    """
    figure, axes = grid(2 * len(histories), len(histories), panel=(5.5, 3.5), sharey="row")
    axes = axes.reshape(2, len(histories))
    for column, (title, history) in zip(axes.T, histories.items(), strict=True):
        for axis, measure, scale in zip(column, ("accuracy", "loss"), (100, 1), strict=True):
            training = scale * history[measure]
            axis.plot(history.index, training, color=TRAINING, label="Training", marker=".")
            validation = scale * history[f"val_{measure}"]
            axis.plot(history.index, validation, color=VALIDATION, label=selected_on, marker=".")
            axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axis.set(xlabel="epoch", title=f"{title}: {measure}")
    axes[0, 0].set_ylabel("accuracy (%)")
    axes[1, 0].set_ylabel("loss (cross-entropy, nats)")
    axes[0, 0].legend()
    return stamp(figure, source)


def confusion(counts, names, title="Confusion matrix", normalise=True, source=""):
    """Draw a confusion matrix: each row a true emotion, each column a predicted one.

    Args:
        counts: (K, K) faces, ints; or fractions, to be drawn with normalise=False.
        names: The K emotions.
        title: Written above.
        normalise: Divide each row by its sum: the percentage of a true emotion's faces that went to each
            prediction. The diagonal is then the recall, and rare emotions are as visible as frequent ones.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    counts = np.asarray(counts)
    whole = np.issubdtype(counts.dtype, np.integer)
    rows = [f"{name} ({n:,})" for name, n in zip(names, counts.sum(1), strict=True)] if whole else names
    figure, (axis,) = grid(1, panel=(7.2, 6))
    look = {"cmap": "Blues", "square": True, "linewidths": 0.5, "annot": True, "annot_kws": {"size": 11}}
    look |= {"xticklabels": names, "yticklabels": rows, "vmin": 0}
    if normalise:
        percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        bar = {"label": "% of the true emotion", "shrink": 0.8}
        sns.heatmap(percent, ax=axis, fmt=".0f", vmax=100, cbar_kws=bar, **look)
    else:
        bar = {"label": "faces" if whole else "fraction", "shrink": 0.8}
        sns.heatmap(counts, ax=axis, fmt="d" if whole else ".2f", cbar_kws=bar, **look)
    axis.tick_params(axis="x", rotation=45)
    axis.tick_params(axis="y", rotation=0)
    axis.set(
        title=title, xlabel="predicted emotion", ylabel="true emotion (faces)" if whole else "true emotion"
    )
    return stamp(figure, source)


def reliability(table, title="Reliability", source=""):
    """Draw accuracy against confidence, and the faces in each bin of confidence below.

    On the diagonal a model that says 80 % is right 80 times out of 100; below it the model is overconfident.

    Args:
        table: A DataFrame as `metrics.calibration_table` returns it.
        title: Written above, with the calibration error.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    ratios = {"height_ratios": (3, 1)}
    figure, (axis, below) = grid(2, 1, panel=(6, 3.25), sharex=True, gridspec_kw=ratios)
    full = table[table.faces > 0]
    middle = (full.low + full.high) / 2
    width = full.high - full.low
    axis.bar(middle, full.accuracy, width, color=TRAINING, edgecolor="white", label="accuracy")
    gap = {"height": full.confidence - full.accuracy, "bottom": full.accuracy}
    hatched = {"facecolor": "none", "edgecolor": VALIDATION, "hatch": "///", "linewidth": 1}
    axis.bar(middle, width=width, label="gap to confidence", **gap, **hatched)
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    error = metrics.calibration_error(table)
    axis.set(
        title=f"{title} (calibration error {error:.1%})", ylabel="accuracy (share of faces)", ylim=(0, 1)
    )
    axis.legend(loc="upper left")
    below.bar(middle, full.faces, width, color=GREY, edgecolor="white")
    below.set(xlabel="confidence (probability of the predicted emotion)", ylabel="faces", xlim=(0, 1))
    return stamp(figure, source)


def per_emotion(counts, names, title="Recall per emotion", source=""):
    """Draw the recall of each emotion with its 95 % Wilson interval as bars, and F1 as a dot.

    Args:
        counts: Confusion matrix (K, K) in faces: rows true, columns predicted.
        names: The K emotions.
        title: Written above.
        source: What was drawn, see `stamp`.

    Returns:
        The Figure.
    """
    table = metrics.emotion_table(np.asarray(counts), names)
    found = np.diagonal(counts)
    low, high = np.array([metrics.wilson(*pair) for pair in zip(found, table.faces, strict=True)]).T
    recall = table.recall.fillna(0)
    figure, (axis,) = grid(1, panel=(9, 4.5))
    axis.bar(names, 100 * recall, color=colours(names), label="_")
    error = 100 * np.array([np.maximum(recall - low, 0), np.maximum(high - recall, 0)])
    axis.errorbar(
        names, 100 * recall, error, fmt="none", color="black", capsize=4, label="95 % interval of recall"
    )
    axis.scatter(names, 100 * table.f1, color="white", edgecolor="black", zorder=3, label="F1", clip_on=False)
    axis.set_xticks(
        range(len(names)), [f"{n}\n{faces:,} faces" for n, faces in zip(names, table.faces, strict=True)]
    )
    axis.grid(axis="x", visible=False)
    axis.set(title=title, xlabel="true emotion", ylabel="recall, F1 (%)", ylim=(0, 100))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=2, frameon=False, fontsize=10, borderaxespad=0)
    return stamp(figure, source)


def compare_models(scores, title="Accuracy", source="", human=None):
    """Draw accuracies with their intervals, one row per model, best on top.

    Args:
        scores: A dict from name to `Scores`, or to (accuracy, (low, high)), all 0-1.
        title: Written above.
        source: What was drawn, see `stamp`.
        human: An accuracy, 0-1, drawn as a dashed line.

    Returns:
        The Figure.
    """
    rows = {name: s if isinstance(s, tuple) else (s.accuracy, s.interval) for name, s in scores.items()}
    names = sorted(rows, key=lambda name: rows[name][0])
    values = np.array([rows[name][0] for name in names])
    ends = np.array([rows[name][1] for name in names]).T
    figure, (axis,) = grid(1, panel=(9, 0.6 * len(names) + 1.6))
    axis.barh(names, 100 * values, color=TRAINING, height=0.6)
    axis.errorbar(100 * values, names, xerr=100 * np.abs(ends - values), fmt="none", color="black", capsize=4)
    for name, value, (low, high) in zip(names, values, ends.T, strict=True):
        x, colour = (1.5, "white") if low > 0.12 else (100 * high + 1.5, "black")  # clear of the interval
        axis.text(x, name, f"{value:.1%}", color=colour, weight="bold", va="center")
    if human is not None:
        axis.axvline(100 * human, color=VALIDATION, linestyle="--", label=f"human, {human:.0%}")
        axis.legend(loc="lower right")
    axis.grid(axis="y", visible=False)
    axis.set(title=title, xlabel="accuracy (%), with its 95 % interval", xlim=(0, 100))
    return stamp(figure, source)
