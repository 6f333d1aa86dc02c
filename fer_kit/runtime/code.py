"""What a function or class of the reader's own is known by: its code, not its name."""

import ast
import hashlib
import inspect
import textwrap
from functools import partial


def code_digest(thing):
    """Return 16 hexadecimal digits that change with the code of a function or class.

    That is its source without comments and spacing, or its bytecode where there is no source. An object that
    can be called is known by its class's `__call__`, a class by its functions and those of the classes that
    it is made of, but for libraries'. What the code calls is not in it, nor what a `partial` gives it.
    """
    while isinstance(thing, partial):
        thing = thing.func
    if isinstance(thing, type):
        texts = [_text(function) for one in thing.__mro__ if is_own(one) for function in _functions(one)]
        return _digest("\n".join(texts))
    if not hasattr(thing, "__code__"):  # an object that can be called
        thing = type(thing).__call__
    return _digest(_text(thing))


def is_own(thing):
    """Return whether a function or class is neither Python's, nor Keras', nor the kit's."""
    return thing.__module__.partition(".")[0] not in ("builtins", "keras", "tensorflow", "fer_kit")


def _functions(one):
    """The functions that a class itself defines, in the order of their names."""
    members = [getattr(member, "__func__", member) for _, member in sorted(vars(one).items())]
    return [member for member in members if inspect.isfunction(member)]


def _text(function):
    try:
        source = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # typed into a console; a lambda amid a call
        return _without_source(function)
    if function.__name__ != "<lambda>":
        return ast.unparse(source)
    lambdas = [node for node in ast.walk(source) if isinstance(node, ast.Lambda)]  # of a whole statement
    return ast.unparse(lambdas[0]) if len(lambdas) == 1 else _without_source(function)


def _without_source(function):
    """A text of a function's bytecode, its defaults that are plain values, and the names it closes over."""
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    plain = [repr(value) for value in defaults if isinstance(value, (int, float, str, bytes, type(None)))]
    more = [*plain, *function.__code__.co_freevars]
    return _bytecode(function.__code__) + (repr(more) if more else "")


def _bytecode(code):
    constants = [_bytecode(value) if inspect.iscode(value) else repr(value) for value in code.co_consts]
    return repr((code.co_code, code.co_names, constants))


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
