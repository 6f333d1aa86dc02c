"""Figures of what the doctor found. Every function takes faces and data and returns the Figure."""

import matplotlib.pyplot as plt
import numpy as np

from fer_kit.emotions import USAGES
from fer_kit.plots import face_grid, stamp

USAGE_COLOURS = ("#0072B2", "#56B4E9", "#E69F00")


def show(report, faces, count=16):
    """Return the list of Figures that fit a `Report` on `faces`: galleries of at most `count` faces each."""
    figures = [show_measures(report, faces)]
    rows = report.rows
    if len(rows["blank"]):
        figures.append(show_faces(faces, rows["blank"][:count], "Blank faces and their labels"))
    if len(rows["conflicting"]):
        figures.append(show_conflicts(report, faces, count))
    for name, title in (("near", "Nearly the same picture"), ("mirrored", "A face and its mirror image")):
        if len(rows[name]):
            pairs = np.ravel(rows[name][: count // 2])
            figures.append(show_faces(faces, pairs, f"{title}: pairs, side by side"))
    for name, title in (
        ("relabelled", "Faces with another label than in FER-2013"),
        ("likely_wrong", "Labels that look wrong to the model"),
    ):
        if len(rows.get(name, ())):
            figures.append(show_faces(faces, rows[name][:count], title))
    return figures


def show_faces(faces, rows, title):
    """Draw the faces `rows` with emotion and usage beneath one another as captions."""
    some = faces[np.asarray(rows)]
    captions = [f"{some.names[k]}\n{usage}" for k, usage in zip(some.labels, some.usage, strict=True)]
    return face_grid(some, captions=captions, title=title)


def show_conflicts(report, faces, count=16):
    """Draw pixel-identical faces that carry different labels, group beside group."""
    rows = report.rows["conflicting"]
    rows = rows[np.argsort(report.rows["groups"][rows], kind="stable")]
    return show_faces(faces, rows[:count], "One picture, several labels")


def show_measures(report, faces):
    """Draw the distribution of brightness, contrast and sharpness, one curve per usage.

    Curves of one set lie on one another; one that stands apart was treated differently.
    """
    units = {
        "brightness": "mean grey level (0-255)",
        "contrast": "standard deviation (grey levels)",
        "sharpness": "log2(1 + variance of the Laplacian)",
    }
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    for axis, (name, unit) in zip(axes, units.items(), strict=True):
        values = report.measures[name].to_numpy()
        bins = np.linspace(*np.percentile(values, [0.2, 99.8]), 40) if len(values) else 40
        for usage, colour in zip(USAGES, USAGE_COLOURS, strict=True):
            mine = values[faces.usage == usage]
            if len(mine):
                axis.hist(mine, bins, density=True, histtype="step", lw=2, color=colour, label=usage)
        axis.set(title=name.capitalize(), xlabel=unit, ylabel="share of faces per unit")
    axes[0].legend()
    figure.tight_layout()
    return stamp(figure, faces.source)
