"""Trained weights that come with the kit, each with a card that says what it is good for and what not."""

import contextlib
import re
import tempfile
import zipfile
from pathlib import Path

from fer_kit.data.files.kinds import HEAD, in_words, kind_of
from fer_kit.models.portable import about_file, class_names, copy_portable, own_classes, written_by
from fer_kit.runtime.extras import extras_named
from fer_kit.runtime.files import file_digest, read_json
from fer_kit.runtime.names import unknown

EXPORTED = (".tflite", ".onnx")
"""The suffixes of files for other runtimes, which Keras cannot read."""

WEIGHTS = Path(__file__).parent / "weights"
"""Where NAME.keras lies, with its card NAME.json and the same in words, NAME.md."""


def shipped():
    """Return the names of the models that come with the kit, as a sorted list; it may be empty."""
    return sorted(path.stem for path in WEIGHTS.glob("*.keras"))


def load_pretrained(name="kit-small"):
    """Return the trained Keras model `name`, from uint8 (N, 48, 48, 1) to probabilities float32 (N, 7).

    It comes with the kit: nothing is downloaded. Raises ValueError for a name that is not shipped, and for a
    file that is not the one its card was written for.
    """
    return load_model(shipped_file(name))


def card(name="kit-small"):
    """Return the card of a shipped model as a dict: data, protocol, scores, cost, intended use and limits.

    Raises ValueError for a name that is not shipped.
    """
    return read_json(shipped_file(name, ".json"))


def load_model(path):
    """Return the Keras model of a `.keras` file without running any Python code that came with it.

    What the kit wrote into the file stands in the model's `about`, a dict, with the emotions of the outputs
    as `emotions`; of a file from elsewhere it is empty. Files of a newer Keras are read too, unless they need
    what is new in it. Raises FileNotFoundError, or ValueError, naming the file and the two versions of Keras,
    when it is corrupt, truncated or no Keras model, or holds a Lambda layer.
    """
    with extras_named():
        import keras

    if not Path(path).exists():
        raise FileNotFoundError(f"there is no model {path}")
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder; of a run, open its best.keras")
    if class_names(path) & {"Lambda", "__lambda__"}:
        raise ValueError(
            f"{path} has a Lambda layer: Python code of whoever wrote the file. It is not run; "
            "ask for a model made of ordinary layers"
        )
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        with contextlib.suppress(Exception):
            return _load_portable(path)
        raise ValueError(_unreadable(path, str(error))) from error
    model.about = _about(path)
    return model


def _about(path):
    """Return what is known of a `.keras` file: what it says itself, and of a shipped one what its card says.

    Raises ValueError when the card is another file's.
    """
    path = Path(path)
    shown = path.with_suffix(".json")
    if path.parent != WEIGHTS or not shown.exists():
        return about_file(path)
    told = read_json(shown)
    if told.get("sha256") not in (None, file_digest(path)):
        raise ValueError(f"{path} is damaged, or not the file that its card describes; install the kit again")
    facts = {name: told[name] for name in ("emotions", "protocol") if name in told}
    if "selected on" in told:
        facts["selected_on"] = told["selected on"]["usage"]
    return {"record": f"shipped {path.stem}"} | facts | about_file(path)


def _load_portable(path):
    """Return the model of a `.keras` file that a newer Keras wrote."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.keras"
        copy_portable(path, copy)
        model = keras.saving.load_model(copy, compile=False, safe_mode=True)
    model.about = _about(path)
    return model


def _unreadable(path, reason):
    import keras

    other = _in_place_of_a_model(Path(path))
    if other:
        return f"{path} cannot be read as a Keras model: {other}"
    writer = written_by(path)
    reason = reason if len(reason) < 300 else f"{reason[:300]} ..."
    between = f" (written by Keras {writer}, read by Keras {keras.__version__})" if writer else ""
    advice = "it may be cut off. Copy or train it again"
    if writer and _number(writer) > _number(keras.__version__):
        advice = f"install keras>={writer}, or train it again here"
    return f"{path} cannot be read as a Keras model{between}; {advice} ({reason})"


def _in_place_of_a_model(path):
    """Return what a file is that Keras cannot read, and what to do, None where nothing tells."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    kind = "HDF5" if head.startswith(b"\x89HDF") else kind_of(head)
    if kind == "HDF5":
        import h5py

        if path.suffix not in (".h5", ".hdf5"):
            return "it is an HDF5 file, as older Keras wrote them; give it a name that ends with .h5"
        with contextlib.suppress(OSError), h5py.File(path) as file:
            if "model_config" not in file.attrs:
                return (
                    "it holds weights alone: build their network in Python, load_weights, save it as .keras"
                )
    elif kind != "zip":
        return f"it is {in_words(kind)}"
    elif not zipfile.is_zipfile(path):
        return "it is no whole archive, but cut off; copy it again"
    if own := own_classes(path):
        return (
            f"it has layers of its author's own ({', '.join(sorted(own))}), which only Python that imports "
            "them can open; ask for a network of Keras' layers"
        )
    return None


def refuse_other_folder(folder):
    """Raise ValueError for a folder that is a network, but none that Keras 3 opens."""
    if (folder / "saved_model.pb").exists():
        raise ValueError(f"{folder} is a SavedModel, which Keras 3 does not open; save the network as .keras")
    if (folder / "model.weights.h5").exists():
        raise ValueError(f"{folder} is an unpacked .keras file: pack what is in it as a zip named .keras")


def _number(version):
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def shipped_file(name, suffix=".keras"):
    """Return the Path of a shipped model, or of its card. Raises ValueError for a name not shipped."""
    names = shipped()
    if name not in names:
        if not names:
            raise ValueError(f"no trained weights come with this copy of the kit, so there is no {name!r}")
        raise ValueError(unknown("trained model", name, names))
    return WEIGHTS / f"{name}{suffix}"
