"""`.keras` files that every Keras from 3.10 on can read, and that say what they are.

A newer Keras writes configuration keys that an older one refuses, even where they stand at their defaults
and so change nothing. Such keys are left out. What the kit knows of a model, above all the emotions of its
outputs, stands in the file's metadata, which Keras itself does not read.
"""

import json
import zipfile

from fer_kit.runtime.files import replacing

NEWER = {
    "input_axes": None,  # GlorotUniform and its like, since Keras 3.15
    "output_axes": None,
    "renorm": False,  # BatchNormalization, since Keras 3.14
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
    "quantization_config": None,  # Dense and convolutions, since Keras 3.13
}
"""Keys that Keras 3.10 does not know, with the default at which they may be left out."""


ABOUT = "fer_kit"
"""The key in a file's metadata.json under which the kit's own facts stand."""


def copy_portable(source, target, about=None):
    """Copy a `.keras` file, a path, to the path `target`, without `NEWER` keys that stand at their defaults.

    The two may be the same. `about`, a dict of plain values such as the `emotions` of the outputs, takes the
    place of what the file says of itself. Raises zipfile.BadZipFile or ValueError for what is no `.keras`
    file.
    """
    with zipfile.ZipFile(source) as old:  # closed before it is replaced: Windows replaces no open file
        entries = [(entry, old.read(entry)) for entry in old.infolist()]
    with replacing(target) as file, zipfile.ZipFile(file, "w") as new:
        for entry, content in entries:
            if entry.filename == "config.json":
                content = portable_config(content)
            if entry.filename == "metadata.json" and about is not None:
                content = json.dumps(json.loads(content) | {ABOUT: about}).encode()
            new.writestr(entry, content)


def about_file(path):
    """Return what the kit wrote of a model into its `.keras` file, a dict; empty where it wrote nothing."""
    return _metadata(path).get(ABOUT, {})


def portable_config(content):
    """Return the bytes of a `config.json` without `NEWER` keys at their defaults."""
    return json.dumps(without_newer(json.loads(content))).encode()


def written_by(path):
    """Return the version of Keras that wrote a `.keras` file, as a string, or None where it does not say."""
    return _metadata(path).get("keras_version")


def _metadata(path):
    """Return the metadata of a `.keras` file, a dict; empty for what is none."""
    try:
        with zipfile.ZipFile(path) as stored:
            metadata = json.loads(stored.read("metadata.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def class_names(path):
    """Return the names of all classes in the configuration of a `.keras` file, as a set of str.

    It is empty for what is no `.keras` file.
    """
    return {node["class_name"] for node in _classes(path)}


def own_classes(path):
    """Return the names of those classes that are not Keras' own, as `class_names` does."""
    others = [node for node in _classes(path) if str(node.get("module")).partition(".")[0] != "keras"]
    return {node["class_name"] for node in others if node.get("registered_name")}


def _classes(path):
    try:
        with zipfile.ZipFile(path) as stored:
            config = json.loads(stored.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return []
    return [node for node in _dicts(config) if isinstance(node.get("class_name"), str)]


def _dicts(node):
    """Yield every dict at any depth of a configuration."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _dicts(item)


def without_newer(node):
    """Return a configuration, dicts and lists at any depth, without `NEWER` keys at their defaults."""
    if isinstance(node, list):
        return [without_newer(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if key not in NEWER or value != NEWER[key]:
            kept[key] = without_newer(value)
    return kept
