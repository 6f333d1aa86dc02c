"""Names and options in messages: unknown ones refused with the nearest, known ones as the reader wrote them.

What a Python call names `retrain=True` is `--retrain` on the command line. A message uses the words of the
door that the reader came through.
"""

import contextlib
import difflib
import inspect

MOST = 40
"""How many names a message lists at most; a deep network has hundreds of layers."""

_doors = ["python"]


@contextlib.contextmanager
def command_line():
    """Let `by_door` speak as the command line does, in a `with` block."""
    _doors.append("command")
    try:
        yield
    finally:
        _doors.pop()


def by_door(python, command):
    """Return one of two texts: `python` after a call in Python, `command` within `command_line`."""
    return command if _doors[-1] == "command" else python


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
