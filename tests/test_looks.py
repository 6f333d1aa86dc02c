"""Figures that everybody can read: colour-blind people, the back row, grey print, dark pages."""

import ast
import io
import itertools
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from house import ROOT, complain

from fer_kit.data.emotions import COLOURS, EMOTIONS
from fer_kit.plots import base, data

SEEN = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What linear RGB looks like with one kind of cone missing (Machado, Oliveira and Fernandes 2009)."""

TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colour, seen="normal"):
    """Return a colour such as `#D55E00` in CIE L*a*b*, as somebody sees it: L* is its grey, 0 to 100."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(SEEN[seen] @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("seen", SEEN)
def test_emotions_differ_to_all_readers(seen):
    """A distance of 2.3 in L*a*b* is just noticeable; bars side by side want several times that."""
    problems = []
    for one, other in itertools.combinations(EMOTIONS, 2):
        distance = np.linalg.norm(lab(COLOURS[one], seen) - lab(COLOURS[other], seen))
        if distance < 11:
            problems.append(f"{one} and {other} differ by {distance:.1f}")
    complain(problems, "move one of the two colours in fer_kit/data/emotions.py, in lightness first")


def test_emotions_differ_in_grey_print_and_on_white():
    greys = sorted((lab(COLOURS[emotion])[0], emotion) for emotion in EMOTIONS)
    problems = [f"{b} is as light as {a}" for (x, a), (y, b) in itertools.pairwise(greys) if y - x < 3]
    problems += [f"{emotion} is hard to see on white" for lightness, emotion in greys if lightness > 80]
    complain(problems, "change the lightness of one of them in fer_kit/data/emotions.py")


def test_one_colour_per_emotion_whatever_the_order():
    assert base.colours(EMOTIONS[::-1]) == [COLOURS[emotion] for emotion in EMOTIONS[::-1]]
    assert len(set(base.colours([*EMOTIONS[:2], "contempt"]))) == 3


def test_figures_are_opaque_white_and_large_enough(faces):
    with plt.rc_context():
        base.use_style()
        figure = data.count_plot(faces)
        sizes = [plt.rcParams[f"{name}.labelsize"] for name in ("axes", "xtick", "ytick")]
        file = io.BytesIO()
        figure.savefig(file, format="png")
        assert figure.get_facecolor() == (1, 1, 1, 1), "a transparent figure is unreadable on a dark page"
    corner = plt.imread(io.BytesIO(file.getvalue()))[0, 0]
    assert corner[:3].min() == 1 and corner[3:].sum() in (0, 1) and len(corner[3:]) == corner[3:].sum()
    assert min(sizes) >= 11, f"labels of {min(sizes)} points cannot be read in the back row"


def test_no_text_is_tiny():
    size = re.compile(r"\b(?:fontsize|labelsize)=([\d.]+)")
    problems = [
        f"{path.name}:{number} {line.strip()}"
        for path in sorted((ROOT / "fer_kit" / "plots").glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for found in size.findall(line)
        if float(found) < 8
    ]
    complain(problems, "8 points is the least, for captions under small pictures; 9 or more for the rest")


def test_progress_does_not_flood():
    """Keras draws a bar for every call unless it is told to be quiet or to print a line per epoch."""
    problems = []
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type == "code":
                problems += [f"{path.name}, cell {number}: {call}" for call in noisy_calls(cell.source)]
    complain(problems, "say verbose=0, or verbose=2 for one line per epoch")


def noisy_calls(source):
    """The calls of Keras' fit with epochs, and of a model's predict, without `verbose`."""
    tree = ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        told = {keyword.arg for keyword in call.keywords}
        trains = name.endswith(".fit") and "epochs" in told and not name.startswith("fer_kit")
        predicts = name in {"model.predict", "model.evaluate"}
        if (trains or predicts) and "verbose" not in told:
            yield ast.unparse(call)[:80]


@pytest.mark.parametrize(
    ("source", "noisy"),
    [
        ("model.fit(x, y, epochs=3)", True),
        ("model.fit(x, y, epochs=3, verbose=2)", False),
        ("model.predict(x)", True),
        ("svm.fit(x, y)", False),
        ("fer_kit.fit('kit-small', faces, epochs=2)", False),
    ],
)
def test_noisy_calls_are_found(source, noisy):
    assert bool(list(noisy_calls(source))) == noisy


def test_figures_of_lessons_have_no_colours_of_their_own_for_emotions():
    """An emotion keeps its colour in every lesson because none is named there."""
    shared = {"#D55E00", "#0072B2"}  # also the kit's colours of Training and validation
    theirs = re.compile("|".join(set(COLOURS.values()) - shared))
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")}
    strangers = [name for name, text in texts.items() if theirs.search(text)]
    complain(strangers, "take fer_kit.plots.colours(names)")
