"""How much memory the running process took at most."""

import sys


def peak():
    """Return it in MB, NaN on Windows, where Python does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
