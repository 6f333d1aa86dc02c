"""Unknown names and options: one way to refuse them, with the nearest one that exists."""

import difflib
import inspect

MOST = 40
"""How many names a message lists at most; a deep network has hundreds of layers."""


def unknown(kind, name, known):
    """Return a message: `no recipe 'hejslett'; did you mean 'hejslet'? There are hejslet, zhao, ...`."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, 1, 0.4)
    hint = f"did you mean {near[0]!r}? There are" if near else "there are"
    listed = known if len(known) <= MOST else [*known[:MOST], "..."]
    return f"no {kind} {name!r}; {hint} {', '.join(listed)}"


def keywords(function):
    """Return the names of the parameters of `function` that have a default, as a list of str."""
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is not parameter.empty]


def check_options(function, given, known):
    """Raise TypeError for the first name in `given` that is not among `known`, suggesting the nearest.

    `function` is the name of the function that has the options `known`.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(dict.fromkeys(known))}"
            raise TypeError(f"{function}() has no option {name!r}; {hint}")
