"""Trained weights that come with the kit, each with a card that says what it is good for and what not."""

import contextlib
import difflib
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from fer_kit.models.portable import copy_portable, portable_config, written_by
from fer_kit.runtime.files import read_json, replacing, write_json

WEIGHTS = Path(__file__).parent / "weights"
"""Where NAME.keras lies, with its card NAME.json and the same in words, NAME.md."""


def shipped():
    """Return the names of the models that come with the kit, as a sorted list; it may be empty."""
    return sorted(path.stem for path in WEIGHTS.glob("*.keras"))


def load_pretrained(name="kit-small"):
    """Return the trained Keras model `name`, from uint8 (N, 48, 48, 1) to probabilities float32 (N, 7).

    It comes with the kit: nothing is downloaded. Raises ValueError for a name that is not shipped.
    """
    return load_model(_file(name, ".keras"))


def card(name="kit-small"):
    """Return the card of a shipped model as a dict: data, protocol, scores, cost, intended use and limits.

    Raises ValueError for a name that is not shipped.
    """
    return read_json(_file(name, ".json"))


def load_model(path):
    """Return the Keras model of a `.keras` file without running any Python code that came with it.

    Files of a newer Keras are read too, unless they need what is new in it. Raises FileNotFoundError, or
    ValueError, naming the file and the two versions of Keras, when it is corrupt, truncated or no Keras
    model, or holds a Lambda layer.
    """
    import keras

    if not Path(path).exists():
        raise FileNotFoundError(f"there is no model {path}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        if "ambda" in str(error):
            raise ValueError(
                f"{path} has a Lambda layer: Python code of whoever wrote the file. It is not run; "
                "ask for a model made of ordinary layers"
            ) from error
        with contextlib.suppress(Exception):
            return _load_portable(path)
        raise ValueError(_unreadable(path, str(error))) from error


def _load_portable(path):
    """Return the model of a `.keras` file that a newer Keras wrote."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.keras"
        copy_portable(path, copy)
        return keras.saving.load_model(copy, compile=False, safe_mode=True)


def _unreadable(path, reason):
    import keras

    writer = written_by(path)
    reason = reason if len(reason) < 300 else f"{reason[:300]} ..."
    between = f" (written by Keras {writer}, read by Keras {keras.__version__})" if writer else ""
    advice = "it may be cut off. Copy or train it again"
    if writer and _number(writer) > _number(keras.__version__):
        advice = f"install keras>={writer}, or train it again here"
    return f"{path} cannot be read as a Keras model{between}; {advice} ({reason})"


def _number(version):
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def ship(model, name, about, folder=WEIGHTS):
    """Write `model` as NAME.keras into `folder`, and the dict `about` as its card; return the Path.

    The model will compute in float32 wherever it is loaded. Its kernels are stored as float16, which halves
    the file; Keras casts them back when it loads them. Means and variances keep their precision.
    Raises ValueError when a kernel has a value that float16 cannot hold.
    """
    path = Path(folder) / f"{name}.keras"
    with tempfile.TemporaryDirectory() as drafts:
        draft = Path(drafts) / path.name
        model.save(draft)
        with replacing(path) as file:
            _halve(draft, file)
    write_json(path.with_suffix(".json"), about)
    return path


def _halve(source, target):
    """Copy a `.keras` file, a zip archive of config and weights, with float16 kernels and float32 layers."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".h5"):
                content = _halved_weights(content)
            if name == "config.json":
                content = portable_config(content)
                for half in (b"mixed_bfloat16", b"mixed_float16"):
                    content = content.replace(half, b"float32")
            # Without the time of day in the archive, so that shipping a model again changes nothing.
            if name == "metadata.json":
                content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _halved_weights(content):
    import h5py

    with h5py.File(io.BytesIO(content), "r") as old, h5py.File(result := io.BytesIO(), "w") as new:

        def copy(path, item):
            if isinstance(item, h5py.Group):
                new.require_group(path)
            elif item.dtype == np.float32 and item.ndim > 1:
                new[path] = _as_float16(path, item[()])
            else:
                new[path] = item[()]
            new[path].attrs.update(item.attrs)

        old.visititems(copy)
    return result.getvalue()


def _as_float16(path, values):
    largest = np.abs(values).max()
    if not largest <= np.finfo(np.float16).max:
        raise ValueError(f"{path} holds {largest:.3g}, which float16 cannot")
    return values.astype(np.float16)


def _file(name, suffix):
    names = shipped()
    if name not in names:
        if not names:
            raise ValueError(f"no trained weights come with this copy of the kit, so there is no {name!r}")
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise ValueError(f"no trained model {name!r}; {hint} {', '.join(names)}")
    return WEIGHTS / f"{name}{suffix}"
