"""What the tests of the house rules share."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def relative(path):
    """Return a path as the repository knows it."""
    return path.relative_to(ROOT).as_posix()


def complain(problems, remedy):
    """Fail with all problems, a line each, and what to do about them."""
    assert not problems, "\n".join([*problems, f"To mend: {remedy}"])
