"""What can be set from outside: the profile, and where data, cache and output lie.

This is the only module that reads environment variables.
"""

import functools
import numbers
import os
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

KAGGLE = Path("/kaggle")
"""Where Kaggle keeps what a notebook reads (`input`) and writes (`working`)."""


@dataclass(frozen=True)
class Profile:
    """How much work a notebook does: `faces` per usage at most (None: all) and `epochs` at most."""

    name: str
    faces: int | None
    epochs: int
    meaning: str

    def epochs_for(self, recipe):
        """Return how many epochs to train by a `Recipe`: those it asks for, at most those of the profile."""
        return min(recipe.epochs, self.epochs)


PROFILES = {
    "smoke": Profile("smoke", 128, 2, "a check that everything runs; its numbers mean nothing"),
    "lab": Profile("lab", 8000, 8, "fits a two-hour class on a CPU or a small GPU"),
    "full": Profile("full", None, 100, "reproduces the reports; hours to days on a CPU"),
}


def profile():
    """Return the `Profile` named by FER_PROFILE, `lab` when it is not set.

    Raises ValueError for a name that is not smoke, lab or full.
    """
    name = os.environ.get("FER_PROFILE", "lab")
    if name not in PROFILES:
        raise ValueError(f"FER_PROFILE is {name!r}; set it to one of {', '.join(PROFILES)}")
    return PROFILES[name]


def choose_seed(seed=None):
    """Return `seed`, or where it is None the one to train with by default: FER_SEED, or 0.

    Thirty students with thirty seeds see how far a score moves though nothing else has changed. Raises
    ValueError when FER_SEED is not a whole number from 0 to 2**31 - 1: NumPy takes twice as many, but lessons
    that compare seeds need some above this one; and for another `seed` than NumPy takes.
    """
    if seed is not None:
        if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
            raise ValueError(f"the seed is {seed!r}; give a whole number from 0 to {2**32 - 1}")
        return int(seed)
    text = os.environ.get("FER_SEED", "0")
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) >= 2**31:
        raise ValueError(f"FER_SEED is {text!r}; set it to a whole number from 0 to {2**31 - 1}")
    return int(text)


@dataclass(frozen=True)
class Source:
    """Where numbers come from, as the small print of a figure names it.

    `dataset` is what `FaceSet.source` says; `record` the run record they were read from, if any; `profile`
    the name of the profile they were made with, by default the one in force.
    """

    dataset: str
    record: str = ""
    profile: str = field(default_factory=lambda: profile().name)

    @property
    def data(self):
        """Dataset and record in words, without the profile."""
        return f"{self.dataset} · record {self.record}" if self.record else self.dataset

    def __str__(self):
        return f"{self.data} · profile {self.profile}"


def host():
    """Return "kaggle" or "colab" where Python runs on their machines, and "" anywhere else."""
    # Kaggle first: its machines hold Colab's packages as well.
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") or (KAGGLE / "working").is_dir():
        return "kaggle"
    return "colab" if "google.colab" in sys.modules else ""


def data_path():
    """Return the Path where the dataset should lie: FER_DATA, else `data/` here or in the kit's repository.

    FER_DATA=sample asks for the built-in sample even when there is data. Returns None when neither
    variable nor folder points anywhere.
    """
    if os.environ.get("FER_DATA"):
        return Path(os.environ["FER_DATA"]).expanduser()
    places = [Path("data"), Path("../data")]
    repository = Path(__file__).parents[2]
    if (repository / "pyproject.toml").exists():  # else it is the folder of all installed packages
        places.append(repository / "data")
    return next((place for place in places if place.is_dir()), None)


def cache_dir():
    """Return the Path of the cache folder: FER_CACHE, else `~/.cache/fer_kit`.

    Where nothing can be written there, or nobody has a home, it is a temporary folder that goes with the
    process, and a warning says so.
    """
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(os.environ.get("FER_CACHE") or Path(home) / "fer_kit").expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
        why = f"{folder} is read-only"
    except (OSError, RuntimeError) as error:  # RuntimeError: no home
        why = str(error)
    return Path(_temporary_cache(why).name)


@functools.cache
def _temporary_cache(why):
    """The temporary folder of this process, which is deleted at its end."""
    warnings.warn(
        f"no folder for a cache ({why}): a temporary one is used until this program ends. Set FER_CACHE to "
        "a folder that can be written",
        stacklevel=3,
    )
    return tempfile.TemporaryDirectory(prefix="fer_kit-")


def output_dir(faces=None, profile_name=None):
    """Return the Path where runs go: FER_OUT, else `output` in the current folder.

    Args:
        faces: A FaceSet: the folder of its runs is returned, `output/<data>/<profile>`, so that runs on other
            data or in another profile are never in the way. `<data>` is the dataset's name and the beginning
            of its fingerprint. With a FER_SEED other than 0 the folder is `<profile>-seed-<number>`.
        profile_name: Another profile than the one in force.
    """
    root = Path(os.environ.get("FER_OUT", "output")).expanduser()
    if faces is None:
        return root
    name = re.sub(r"[^a-z0-9]+", "-", Path(faces.source).stem.lower()).strip("-") or "faces"
    seed = choose_seed()
    part = (profile_name or profile().name) + (f"-seed-{seed}" if seed else "")
    return root / f"{name}-{faces.fingerprint[:8]}" / part


def study_server():
    """Return the URL of a database server for tuning studies: FER_STUDIES, None when it is not set."""
    return os.environ.get("FER_STUDIES") or None


def is_set(name):
    """Return whether the environment variable `name`, such as FER_DATA, has a value."""
    return bool(os.environ.get(name))


def set_default(name, value):
    """Set the environment variable `name` for this process, unless it has a value or `value` is None."""
    if value is not None and not is_set(name):
        os.environ[name] = str(value)


def backend():
    """Return the name of the backend that Keras is set to, by KERAS_BACKEND or in its own file keras.json."""
    import keras

    return keras.backend.backend()
