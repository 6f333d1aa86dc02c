"""What all studies share: training a fresh network into a folder of its own.

A study trains several networks that differ in one thing. Each run has a folder of its own below the
study's `out`, so an interrupted study resumes and a finished run is never trained again.
Studies that are given the same `out` share the run in `PLAIN`: all Training faces, the recipe as it is.

A network is named, one of `models.MODELS`, or made by a function that takes the number of emotions and
returns a fresh Keras model, uint8 (B, 48, 48, 1) to probabilities: `lambda emotions: my_network(emotions)`.
"""

from pathlib import Path

import keras
import pandas as pd

from fer_kit.runtime.seeds import seeded
from fer_kit.runtime.settings import Source, choose_seed
from fer_kit.training.loop import fit

PLAIN = "plain"
"""The folder of the run that nothing was changed in."""


def train(network, faces, recipe, folder, seed=None, **options):
    """Return the finished `Run` of a fresh network in `folder`; `options` are those of `training.fit`.

    Raises TypeError for a Keras model, which a second run would train further, and KeyboardInterrupt when
    training was interrupted; the same call resumes it.
    """
    if isinstance(network, keras.Model):
        raise TypeError(
            f"a study trains a fresh network each time, not {network.name} again and again; "
            "pass a name of models.MODELS or a function that takes the number of emotions and builds one"
        )
    seed = choose_seed(seed)
    if not isinstance(network, str):
        with seeded(seed):
            network = network(len(faces.names))
    return go_on(fit(network, faces, recipe, Path(folder), seed=seed, **options))


def go_on(run):
    """Return a `Run` that finished. Raises KeyboardInterrupt for one that was interrupted.

    `fit` catches Ctrl-C and saves the run; whatever has more to do than this run stops by this, too.
    """
    if not run.finished:
        raise KeyboardInterrupt(f"{run.folder} is not finished; the same call resumes it")
    return run


def recorded_in_lab(name, records):
    """Return (DataFrame, `Source`) of a study that was run in `lab` on FER-2013 with several seeds, or None.

    `name` is that of its table among `records`.
    """
    path = Path(records) / name
    if not path.exists():
        return None
    return pd.read_csv(path), Source("fer2013.zip", name, "lab")
