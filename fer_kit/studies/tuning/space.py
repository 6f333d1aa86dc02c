"""What a tuning study varies: the reports' spaces, and the check that all of a space can be tried.

A space is a dict from a hyper-parameter's name to what it may be: a list of choices, or an Optuna
distribution for a range, such as `FloatDistribution(1e-4, 1e-1, log=True)`. A setting is one point of it,
a dict from name to value.
"""

import inspect
import math
from dataclasses import fields, replace

from fer_kit.models import zoo
from fer_kit.runtime.names import unknown
from fer_kit.training.recipes import Recipe

SPACES = {
    "choudhari-fig6": {
        "batch_size": [16, 32, 64, 128, 256],
        "learning_rate": [0.1, 0.01, 0.001, 0.0001],
        "epochs": [10, 20, 50, 100],
    },
    "murphy-tuning": {
        "batch_size": [16, 32, 64],
        "dropout": [0.5, 0.6],
        "schedule": ["constant", "plateau"],
    },
}
"""What the reports say they tried. Where choudhari is silent: the epochs between its 10 and its 100."""

OF_THE_RECIPE = [f.name for f in fields(Recipe) if f.name not in ("name", "source", "silent")]
"""The hyper-parameters that belong to a recipe; all others are options of the model."""


def check_space(space, recipe, model):
    """Return a space, or the one of `SPACES` of that name, when every value in it can be tried.

    `recipe` is the `Recipe` that it varies; `model` a name of `models.MODELS`, or a function that takes the
    number of emotions and returns a Keras model, whose other arguments may be varied too. NumPy numbers
    become Python's.

    Raises ValueError for an unknown name, suggesting the nearest, for a value that the recipe refuses, and
    for an empty space or list.
    """
    if isinstance(space, str):
        space = SPACES[_known(space, SPACES, "space")]
    options = list(inspect.signature(zoo.build if isinstance(model, str) else model).parameters)
    known = [*OF_THE_RECIPE, *options[2 if isinstance(model, str) else 1 :]]  # without name and emotions
    if not space:
        raise ValueError(f"the space is empty; name what to vary, for instance {known[1]!r}")
    checked = {_known(name, known, "hyper-parameter"): _values(name, v) for name, v in space.items()}
    for name, values in checked.items():
        for value in values if isinstance(values, list) else (values.low, values.high):
            _try_out(name, value, recipe)
    return checked


def check_choices(space):
    """Return the number of combinations of a space that has lists alone.

    Raises ValueError for a range, which has no end of values.
    """
    for name, values in space.items():
        if not isinstance(values, list):
            raise ValueError(f"a grid needs a list of choices for {name}, not {values}; or search instead")
    return math.prod(len(values) for values in space.values())


def suggest(trial, space):
    """Return the setting, {name: value}, that an `optuna.Trial` suggests from a space."""
    return {name: _suggest(trial, name, values) for name, values in space.items()}


def _suggest(trial, name, values):
    if isinstance(values, list):
        return trial.suggest_categorical(name, values)
    of_type = trial.suggest_int if isinstance(values.low, int) else trial.suggest_float
    step = {} if values.step is None else {"step": values.step}
    return of_type(name, values.low, values.high, log=values.log, **step)


def apply_setting(setting, recipe):
    """Return (the recipe with its part of a setting, the other part: options of the model)."""
    of_recipe = {name: value for name, value in setting.items() if name in OF_THE_RECIPE}
    return replace(recipe, **of_recipe), {n: v for n, v in setting.items() if n not in of_recipe}


def describe(setting):
    """Return a setting in words: `batch_size 64, learning_rate 0.001`."""
    return ", ".join(f"{n} {v:.3g}" if isinstance(v, float) else f"{n} {v}" for n, v in setting.items())


def _known(name, known, kind):
    if name not in known:
        raise ValueError(unknown(kind, name, known))
    return name


def _values(name, values):
    """Return a list of choices, or a range of Optuna's as it is."""
    values = getattr(values, "choices", values)
    if hasattr(values, "low") and hasattr(values, "high"):
        return values
    if isinstance(values, str | dict) or not hasattr(values, "__iter__"):
        raise ValueError(f"{name} is {values!r}; give a list of choices, or an Optuna distribution")
    choices = [value.item() if hasattr(value, "item") else value for value in values]
    if not choices:
        raise ValueError(f"{name} has no choices; give at least one")
    for row, choice in enumerate(choices):
        if choice in choices[:row]:
            raise ValueError(f"{name} has the choice {choice!r} twice; give it once")
    return choices


def _try_out(name, value, recipe):
    try:
        apply_setting({name: value}, recipe)
        if name == "dropout" and not 0 <= value < 1:
            raise ValueError(f"dropout is {value}; it has to be in [0, 1)")
    except TypeError as error:
        raise ValueError(f"{name} cannot be {value!r} ({error})") from error
