"""Sliders below a figure, and the same figure where there are none."""

import sys

import IPython.display
import matplotlib.pyplot as plt
import pytest

from fer_kit.plots import turn


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook shows: a list of the displayed things, to which updates of the first are added."""
    shown = []

    class Handle:
        def update(self, thing):
            shown.append(thing)

    def display(thing, display_id=None):
        shown.append(thing)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    return shown


def test_a_slider_draws_anew_with_its_value(notebook):
    turn(
        lambda angle, zoom, kind: (angle, zoom, kind),
        angle=(0, 90, 15),
        zoom=(0.5, 2.0, 1.0),
        kind=["a", "b"],
    )
    first, box = notebook
    angle, zoom, kind = box.children
    assert first == (15, 1.0, "a") and (angle.min, angle.max, angle.step) == (0, 90, 1)
    assert zoom.step == pytest.approx(0.015) and kind.options == ("a", "b")
    angle.value = 30
    kind.value = "b"
    assert notebook[2:] == [(30, 1.0, "a"), (30, 1.0, "b")]


def test_a_figure_is_shown_once(notebook):
    def draw(height):
        figure, axis = plt.subplots()
        axis.plot([0, height])
        return figure

    before = plt.get_fignums()
    turn(draw, height=(1, 5, 2))
    notebook[1].children[0].value = 4
    assert notebook[2].axes[0].lines[0].get_ydata()[1] == 4 and plt.get_fignums() == before


def test_without_widgets_the_first_picture_is_shown(notebook, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    turn(lambda margin: margin, margin=(0.0, 1.0, 0.2))
    assert notebook == [0.2] and "Install ipywidgets" in capsys.readouterr().out


@pytest.mark.parametrize("values", [(0, 10, 11), (0.0, 1.0, -0.1), []])
def test_a_first_value_that_is_not_there_is_refused(notebook, values):
    with pytest.raises(ValueError, match="share"):
        turn(lambda share: share, share=values)
    assert not notebook
