"""Trained weights that come with the kit, each with a card that says what it is good for and what not."""

import difflib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from fer_kit.files import read_json, replacing, write_json
from fer_kit.portable import portable_config
from fer_kit.records import Run, load_model

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


def open_model(model):
    """Return (the Keras model, its Run or None) for a model, a run folder, a `.keras` file or a shipped name.

    Where a path and a name are the same, the path wins. Raises FileNotFoundError when it is neither, and as
    `records.load_model` does.
    """
    if isinstance(model, Run):
        return model.model(), model
    if not isinstance(model, (str, Path)):
        return model, None
    if Path(model).is_dir():
        run = Run.open(model)
        return run.model(), run
    if Path(model).exists() or Path(model).suffix == ".keras":
        return load_model(model), None
    try:
        return load_pretrained(str(model)), None
    except ValueError as error:
        raise FileNotFoundError(f"there is no run folder or file {model}, and {error}") from None


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
