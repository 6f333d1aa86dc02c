"""Sliders below a figure: turn a number and see what changes."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def turn(draw, **numbers):
    """Show what `draw` returns, with a slider or a list below it for each of its arguments, six to a column.

    The first values are drawn at once, as an ordinary output: a page without a running kernel, or a kernel
    without ipywidgets, shows that picture.

    Args:
        draw: A function that returns a matplotlib Figure or anything else that a notebook shows.
        **numbers: For each argument of `draw` either (lowest, highest, first), a slider in steps of 1 for
            ints and of a hundredth of the range for floats, or a list of choices, of which the first is shown
            first.

    Returns:
        None: the figure and the controls are displayed.

    Raises:
        ValueError: For a first value outside of its range, or an empty list.
    """
    from IPython.display import display

    first = {name: _first(name, values) for name, values in numbers.items()}
    shown = display(_finished(draw(**first)), display_id=True)
    try:
        import ipywidgets
    except ModuleNotFoundError:
        print("Install ipywidgets for sliders; until then, call the function with other numbers.")
        return
    controls = {name: _control(ipywidgets, name, values) for name, values in numbers.items()}

    def redraw(_change):
        shown.update(_finished(draw(**{name: control.value for name, control in controls.items()})))

    for control in controls.values():
        control.observe(redraw, "value")
    columns = {"grid_template_rows": "repeat(6, auto)", "grid_auto_flow": "column"}
    display(ipywidgets.GridBox(list(controls.values()), layout=columns | {"justify_content": "flex-start"}))


def _first(name, values):
    if isinstance(values, list):
        if not values:
            raise ValueError(f"{name} has no choices; give a list of at least one")
        return values[0]
    low, high, first = values
    if not low <= first <= high:
        raise ValueError(f"{name} begins at {first}, which is not between {low} and {high}")
    return first


def _control(widgets, name, values):
    """Return the widget that sets an argument."""
    label = {"description": name.replace("_", " "), "style": {"description_width": "10em"}}
    if isinstance(values, list):
        return widgets.Dropdown(options=values, **label)
    low, high, first = values
    about = {"min": low, "max": high, "value": first, "continuous_update": False, **label}
    if all(isinstance(value, int) for value in values):
        return widgets.IntSlider(**about)
    return widgets.FloatSlider(step=(high - low) / 100, **about)


def _finished(drawn):
    """Take a figure from pyplot, which would show it once more at the end of the cell."""
    if isinstance(drawn, Figure):
        plt.close(drawn)
    return drawn
