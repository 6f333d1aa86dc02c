"""Pictures of results: training curves, confusion, calibration, scores per emotion and per model."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from fer_kit.evaluation import metrics
from fer_kit.plots.base import GREY, colours, stamp

TRAINING, VALIDATION = "#0072B2", "#D55E00"


def training_curves(history, title="Training", source="", selected_on="validation", best=None):
    """Draw accuracy and loss per epoch, training beside validation, the best epoch marked.

    `history` is a DataFrame with the columns accuracy, val_accuracy (0-1), loss and val_loss, its index
    the epoch from 1, as `Run.history`. `best` is the epoch to mark (`Run.best_epoch`), by default the one
    of the highest val_accuracy.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    best = best or history.val_accuracy.idxmax()
    for axis, measure, scale in ((axes[0], "accuracy", 100), (axes[1], "loss", 1)):
        for column, colour, label in (
            (measure, TRAINING, "Training"),
            (f"val_{measure}", VALIDATION, selected_on),
        ):
            axis.plot(history.index, scale * history[column], color=colour, label=label, marker=".")
        axis.axvline(best, color=GREY, linestyle=":", label=f"best epoch, {best}")
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set(xlabel="epoch", ylabel="accuracy (%)" if scale == 100 else "loss (cross-entropy, nats)")
    axes[0].set_title("accuracy")
    axes[1].set_title("loss")
    axes[1].legend()
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.tight_layout()
    return stamp(figure, source)


def transfer_stages(histories, source="", selected_on="validation"):
    """Draw the training curves of several runs side by side on common axes (murphy-base, murphy-finetune).

    `histories` is a dict from title to a DataFrame as in `training_curves`: one column of panels per run,
    accuracy above loss.
    """
    size = (5.5 * len(histories), 7)
    figure, axes = plt.subplots(2, len(histories), figsize=size, sharey="row", squeeze=False)
    for column, (title, history) in zip(axes.T, histories.items(), strict=True):
        for axis, measure, scale in zip(column, ("accuracy", "loss"), (100, 1), strict=True):
            training, validation = scale * history[measure], scale * history[f"val_{measure}"]
            axis.plot(history.index, training, color=TRAINING, label="Training", marker=".")
            axis.plot(history.index, validation, color=VALIDATION, label=selected_on, marker=".")
            axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axis.set(xlabel="epoch", title=f"{title}: {measure}")
    axes[0, 0].set_ylabel("accuracy (%)")
    axes[1, 0].set_ylabel("loss (cross-entropy, nats)")
    axes[0, 0].legend()
    figure.tight_layout()
    return stamp(figure, source)


def confusion(counts, names, title="Confusion matrix", normalise=True, source=""):
    """Draw a confusion matrix: each row a true emotion, each column a predicted one.

    `counts` (K, K) faces. With `normalise` each row is divided by its sum: the share, in %, of a true
    emotion's faces that went to each prediction, so that the diagonal is the recall; rare emotions become
    as visible as frequent ones. A matrix that is in shares already is drawn with normalise=False.
    """
    counts = np.asarray(counts)
    whole = np.issubdtype(counts.dtype, np.integer)
    rows = [f"{name} ({n:,})" for name, n in zip(names, counts.sum(1), strict=True)] if whole else names
    shown, unit, written = counts, "faces" if whole else "share", "d" if whole else ".2f"
    if normalise:
        shown = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        unit, written = "% of the true emotion", ".0f"
    figure, axis = plt.subplots(figsize=(7.2, 6))
    bar = {"label": unit, "shrink": 0.8}
    look = {"cmap": "Blues", "square": True, "linewidths": 0.5, "annot_kws": {"size": 11}, "cbar_kws": bar}
    limits = {"vmin": 0, "vmax": 100 if normalise else None}
    sns.heatmap(
        shown, ax=axis, annot=True, fmt=written, xticklabels=names, yticklabels=rows, **look, **limits
    )
    axis.tick_params(axis="x", rotation=45)
    axis.tick_params(axis="y", rotation=0)
    axis.set(
        title=title, xlabel="predicted emotion", ylabel="true emotion (faces)" if whole else "true emotion"
    )
    figure.tight_layout()
    return stamp(figure, source)


def reliability(table, title="Reliability", source=""):
    """Draw accuracy against confidence from a `metrics.calibration_table`, and the faces in each bin.

    On the diagonal a model that says 80 % is right 80 times out of 100; below it, it is too sure.
    """
    figure, (axis, below) = plt.subplots(
        2, 1, figsize=(6, 6.5), sharex=True, gridspec_kw={"height_ratios": (3, 1)}
    )
    full = table[table.faces > 0]
    middle, width = (full.low + full.high) / 2, full.high - full.low
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
    figure.tight_layout()
    return stamp(figure, source)


def per_emotion(counts, names, title="Recall per emotion", source=""):
    """Draw recall with its 95 % Wilson interval as bars, and F1 as a dot, from a confusion matrix (K, K)."""
    table = metrics.emotion_table(np.asarray(counts), names)
    found = np.diagonal(counts)
    low, high = np.array([metrics.wilson(*pair) for pair in zip(found, table.faces, strict=True)]).T
    recall = table.recall.fillna(0)
    figure, axis = plt.subplots(figsize=(9, 4.5))
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
    figure.tight_layout()
    return stamp(figure, source)


def compare_models(scores, title="Accuracy", source="", human=None):
    """Draw accuracies (0-1) with their intervals, one row per model, best on top.

    `scores` is a dict from name to `Scores`, or to (accuracy, (low, high)). `human` draws a dashed line.
    """
    rows = {name: s if isinstance(s, tuple) else (s.accuracy, s.interval) for name, s in scores.items()}
    names = sorted(rows, key=lambda name: rows[name][0])
    values = np.array([rows[name][0] for name in names])
    ends = np.array([rows[name][1] for name in names]).T
    figure, axis = plt.subplots(figsize=(9, 0.6 * len(names) + 1.6))
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
    figure.tight_layout()
    return stamp(figure, source)
