"""What can be set from outside: the profile, and where data, cache and output lie.

This is the only module that reads environment variables.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Profile:
    """How much work a notebook does: `faces` per usage at most (None: all) and `epochs` at most."""

    name: str
    faces: int | None
    epochs: int
    meaning: str


PROFILES = {
    "smoke": Profile("smoke", 600, 2, "a check that everything runs; its numbers mean nothing"),
    "lab": Profile("lab", 8000, 8, "fits a two-hour class on a CPU or a small GPU"),
    "full": Profile("full", None, 100, "reproduces the reports; hours on a CPU"),
}


def profile():
    """Return the `Profile` named by FER_PROFILE, `lab` when it is not set.

    Raises ValueError for a name that is not smoke, lab or full.
    """
    name = os.environ.get("FER_PROFILE", "lab")
    if name not in PROFILES:
        raise ValueError(f"FER_PROFILE is {name!r}; set it to one of {', '.join(PROFILES)}")
    return PROFILES[name]


def data_path():
    """Return the Path where the dataset should lie: FER_DATA, else `data/` beside the package or here.

    FER_DATA=sample asks for the built-in sample even when there is data. Returns None when neither
    variable nor folder points anywhere.
    """
    if os.environ.get("FER_DATA"):
        return Path(os.environ["FER_DATA"]).expanduser()
    beside = Path(__file__).parents[2] / "data"
    return next((p for p in (Path("data"), Path("../data"), beside) if p.is_dir()), None)


def cache_dir():
    """Return the Path of the cache folder: FER_CACHE, else `~/.cache/fer_kit`. It may not exist yet."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FER_CACHE") or Path(home) / "fer_kit").expanduser()


def output_dir():
    """Return the Path where runs and figures go: FER_OUT, else `output` in the current folder."""
    return Path(os.environ.get("FER_OUT", "output")).expanduser()


def is_set(name):
    """Return whether the environment variable `name`, such as FER_DATA, has a value."""
    return bool(os.environ.get(name))


def backend():
    """Return the Keras backend asked for by KERAS_BACKEND, `tensorflow` when it is not set."""
    return os.environ.get("KERAS_BACKEND", "tensorflow")
