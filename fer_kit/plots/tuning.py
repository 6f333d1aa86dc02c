"""Pictures of tuning: curves by hyper-parameter, slices, importance, parallel coordinates, finding a rate."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize

from fer_kit.plots.base import GREY, colours, grid, stamp, titled
from fer_kit.plots.results import TRAINING, VALIDATION

MOST_LINES = 7
"""How many values of a hyper-parameter can be told apart by colour in one figure."""

SHADES = "Blues"


def effect(curves, name, title="", source=""):
    """Draw training and PublicTest accuracy against epochs, one colour per value of a hyper-parameter.

    `curves` as `tuning.curves` returns it, `name` that of the hyper-parameter. Where several trials share
    a value, each is a thin line and their mean a thick one. Raises ValueError when there is nothing to
    draw, or more than seven values.
    """
    name = _column(curves, name)
    given = _named(curves[name]) if name in curves else pd.Series()
    values = _in_order(given.unique())
    if not 0 < len(values) <= MOST_LINES:
        raise ValueError(f"{name!r} has {len(values)} values in these curves; effect draws 1 to {MOST_LINES}")
    figure, axes = grid(2, panel=(5.5, 4), sharey=True)
    for axis, column, panel in ((axes[0], "accuracy", "training"), (axes[1], "val_accuracy", "PublicTest")):
        for value, colour in zip(values, colours(map(_text, values)), strict=True):
            trials = 100 * curves[given == value].pivot(index="epoch", columns="trial", values=column)
            if trials.shape[1] > 1:
                axis.plot(trials, color=colour, alpha=0.3, linewidth=1)
            axis.plot(trials.mean(axis=1), color=colour, marker=".", label=_text(value))
        _epochs_below(axis, curves)
        axis.set(title=f"{title or name}: {panel}", xlabel="epoch", ylabel="accuracy (%)")
    axes[1].legend(title=name, loc="center left", bbox_to_anchor=(1, 0.5))
    return stamp(figure, source)


def table_of_two(trials, row, column, title="Two hyper-parameters at once", source=""):
    """Draw the PublicTest accuracy of a grid in squares: rows by one hyper-parameter, columns by another.

    `trials` as `tuning.table` returns it, `row` and `column` names in it. Where several trials share a
    square it shows their mean; one without an accuracy stays white.
    """
    trials = _some(trials)
    row = _column(trials, row)
    column = _column(trials, column)
    trials = trials.assign(**{name: _named(trials[name]) for name in (row, column)})
    squares = 100 * trials.pivot_table(index=row, columns=column, values="accuracy", dropna=False)
    size = (1.2 * squares.shape[1] + 3, 0.6 * squares.shape[0] + 1.8)
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    bar = {"label": "PublicTest accuracy (%)"}
    sns.heatmap(squares, ax=axis, annot=True, fmt=".1f", cmap=SHADES, linewidths=0.5, cbar_kws=bar)
    axis.set_xticklabels([_text(value) for value in squares.columns], rotation=0)
    axis.set_yticklabels([_text(value) for value in squares.index], rotation=0)
    axis.grid(visible=False)
    axis.set(title=title, xlabel=column, ylabel=row)
    return stamp(figure, source)


def progress(curves, trials, title="A search with pruning", source=""):
    """Draw the PublicTest accuracy of every trial against epochs: the best, the finished, the pruned.

    `curves` and `trials` as `tuning.curves` and `tuning.table` return them.
    """
    best = _best(_some(trials))
    kinds = trials.state.to_dict() | {best: f"the best, trial {best}"}
    looks = {"finished": (TRAINING, "-", 2), "pruned": (GREY, "--", 2), kinds[best]: (VALIDATION, "-", 3)}
    accuracy = 100 * curves.pivot(index="epoch", columns="trial", values="val_accuracy")
    figure, axis = plt.subplots(figsize=(9, 4.5))
    for kind in dict.fromkeys(kinds[trial] for trial in accuracy):
        lines = accuracy[[trial for trial in accuracy if kinds[trial] == kind]]
        labels = [kind, *["_"] * (lines.shape[1] - 1)]  # one entry in the legend
        colour, dashes, above = looks.get(kind, (GREY, ":", 2))
        axis.plot(lines, dashes, color=colour, marker=".", label=labels, zorder=above)
    _epochs_below(axis, curves)
    axis.set(title=title, xlabel="epoch", ylabel="PublicTest accuracy (%)")
    axis.legend()
    return stamp(figure, source)


def history(study, title="The best so far", source=""):
    """Draw the accuracy of the finished trials in their order, and the best so far, by Optuna's own plot.

    `study` as `tuning.open_study` returns it.
    """
    from optuna.visualization.matplotlib import plot_optimization_history

    with plt.rc_context():  # Optuna switches to another style
        axis = plot_optimization_history(study, target_name="PublicTest accuracy (%)")
    axis.set(title=title, xlabel="trial", facecolor="white")
    axis.yaxis.set_major_formatter(lambda accuracy, _: f"{100 * accuracy:g}")
    axis.grid(color=plt.rcParams["grid.color"])
    plt.setp(axis.collections, color=TRAINING)
    plt.setp(axis.lines, color=VALIDATION)
    axis.legend(["a finished trial", "the best so far"])
    return stamp(axis.figure, source)


def slices(trials, title="Each hyper-parameter against the result", source=""):
    """Draw one panel per hyper-parameter: the accuracy of each trial against its value.

    `trials` as `tuning.table` returns it. Finished trials are full dots, pruned ones hollow, at what they
    had reached. Values that span two powers of ten or more have a logarithmic axis.
    """
    trials = _some(trials)
    names = _names(trials)
    figure, axes = grid(len(names), panel=(3.2, 3.3), room=0.5, sharey=True)
    for axis, name in zip(axes, names, strict=True):
        places, ticks = _places(trials[name])
        for state, face in (("finished", TRAINING), ("pruned", "none")):
            there = (trials.state == state).to_numpy()
            accuracy = 100 * trials.accuracy[there]
            axis.scatter(places[there], accuracy, facecolor=face, edgecolor=TRAINING, label=state)
        if ticks:
            axis.set_xticks(range(len(ticks)), ticks)
            axis.margins(x=0.2)
        elif _is_logarithmic(trials[name]):
            axis.set_xscale("log")
        axis.set_xlabel(name)
    axes[0].set_ylabel("PublicTest accuracy (%)")
    axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    titled(figure, title)
    return stamp(figure, source)


def importance(shares, title="What mattered", source=""):
    """Draw the share of each hyper-parameter as bars; `shares` as `tuning.importance` returns it."""
    shares = shares.share.sort_values()
    figure, axis = plt.subplots(figsize=(8, 0.5 * len(shares) + 1.4))
    bars = axis.barh(shares.index, 100 * shares, color=TRAINING, height=0.6)
    axis.bar_label(bars, fmt=lambda share: f"{share:.0f} %", padding=4)
    axis.grid(axis="y", visible=False)
    axis.set(title=title, xlabel="share of the importance (%, PED-ANOVA)", xlim=(0, 110))
    return stamp(figure, source)


def parallel(trials, title="Every trial as a line", source=""):
    """Draw parallel coordinates: one axis per hyper-parameter, one line per trial, the darker the better.

    `trials` as `tuning.table` returns it; the best finished trial is drawn in another colour.
    """
    trials = _some(trials[trials.accuracy.notna()])
    names = _names(trials)
    figure, axis = plt.subplots(figsize=(2.2 * len(names) + 2.5, 4.5))
    scale = Normalize(100 * trials.accuracy.min(), 100 * trials.accuracy.max())
    heights = np.column_stack([_heights(axis, x, trials[name]) for x, name in enumerate(names)])
    best = _best(trials)
    shades = ListedColormap(plt.get_cmap(SHADES)(np.linspace(0.25, 1, 256)))  # the lightest reads on white
    for row in np.argsort(trials.accuracy.to_numpy()):
        shade = shades(scale(100 * trials.accuracy.iloc[row]))
        axis.plot(heights[row], color=VALIDATION if trials.index[row] == best else shade, linewidth=2)
    axis.set_xticks(range(len(names)), names)
    axis.set(title=title, yticks=[], xlabel="hyper-parameter", ylabel="value, from low to high")
    axis.set_xlim(-0.2, len(names) - 0.6)
    axis.grid(visible=False)
    figure.colorbar(ScalarMappable(scale, shades), ax=axis, label="PublicTest accuracy (%)")
    return stamp(figure, source)


def finder(curve, suggestion=None, title="Which learning rate?", source=""):
    """Draw the loss against a rising learning rate, raw and smoothed, and the rate to begin with.

    `curve` as `learning_rate.find_learning_rate` returns it; `suggestion` a learning rate.
    """
    figure, axis = plt.subplots(figsize=(8, 4))
    axis.plot(curve.learning_rate, curve.loss, color=GREY, alpha=0.4, linewidth=1, label="one batch")
    axis.plot(curve.learning_rate, curve.smoothed, color=TRAINING, label="smoothed")
    if suggestion:
        axis.axvline(suggestion, color=VALIDATION, linestyle="--", label=f"begin with {suggestion:.2g}")
    top = 1.5 * curve.smoothed.iloc[: max(len(curve) // 2, 1)].max()
    axis.set(xscale="log", title=title, xlabel="learning rate", ylabel="loss (cross-entropy, nats)")
    axis.set_ylim(0.8 * curve.smoothed.min(), top)
    axis.legend()
    return stamp(figure, source)


def _epochs_below(axis, curves):
    axis.set_xlim(0.5, curves.epoch.max() + 0.5)
    axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _names(trials):
    return list(trials.columns[: trials.columns.get_loc("state")])


def _best(trials):
    finished = trials.accuracy[trials.state == "finished"]
    return None if finished.empty else finished.idxmax()


def _column(table, name):
    """The column of a hyper-parameter, also of one that is called like something measured."""
    return f"{name} (setting)" if f"{name} (setting)" in table else name


def _some(trials):
    """The trials that have begun."""
    if "state" in trials:
        trials = trials[trials.accuracy.notna() | ~trials.state.isin(("queued", "running"))]
    if trials.empty:
        raise ValueError("there is no trial to draw; let the study finish an epoch first")
    return trials


def _text(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _named(values):
    """Return the values of a hyper-parameter with None as a word: in a table it is a missing number."""
    if not values.isna().any():
        return values
    return values.convert_dtypes().astype(object).where(values.notna(), "None")  # 1024 is no 1024.0


def _in_order(values):
    return sorted(values, key=lambda v: (isinstance(v, str), v is None, v if v is not None else 0))


def _is_logarithmic(values):
    return values.min() > 0 and values.max() >= 100 * values.min()


def _places(values):
    """Return (where values lie on an axis, the names of its ticks or None for an axis of numbers)."""
    values = _named(values)
    distinct = _in_order(values.unique())
    words = any(isinstance(value, str) for value in distinct)
    drawn = any(isinstance(value, float) and value != float(_text(value)) for value in distinct)
    if not words and (drawn or len(distinct) > MOST_LINES):
        return values.to_numpy(), None
    return values.map(distinct.index).to_numpy(), [_text(value) for value in distinct]


def _heights(axis, x, values):
    """Write the values beside the axis at `x` and return their heights, 0-1."""
    places, ticks = _places(values)
    if ticks is None:
        ticks = [_text(values.min()), _text(values.max())]
        places = np.log(places) if _is_logarithmic(values) else places
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for height, text in zip(np.linspace(0, 1, len(ticks)), ticks, strict=True):
        axis.text(x + 0.03, height, text, fontsize=9, va="center", zorder=3, bbox=behind)
    axis.axvline(x, color=GREY, linewidth=0.8)
    return (places - places.min()) / max(np.ptp(places), 1e-12)
