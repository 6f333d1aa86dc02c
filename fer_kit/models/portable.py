"""`.keras` files that every Keras from 3.10 on can read, whichever version wrote them.

A newer Keras writes configuration keys that an older one refuses, even where they stand at their defaults
and so change nothing. Such keys are left out.
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


def copy_portable(source, target):
    """Copy a `.keras` file, a path, to the path `target`, without `NEWER` keys that stand at their defaults.

    The two may be the same. Raises zipfile.BadZipFile or ValueError for what is no `.keras` file.
    """
    with zipfile.ZipFile(source) as old, replacing(target) as file, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, portable_config(content) if entry.filename == "config.json" else content)


def portable_config(content):
    """Return the bytes of a `config.json` without `NEWER` keys at their defaults."""
    return json.dumps(_without_newer(json.loads(content))).encode()


def written_by(path):
    """Return the version of Keras that wrote a `.keras` file, as a string, or None where it does not say."""
    try:
        with zipfile.ZipFile(path) as stored:
            return json.loads(stored.read("metadata.json"))["keras_version"]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return None


def class_names(path):
    """Return the names of all classes in the configuration of a `.keras` file, as a set of str.

    It is empty for what is no `.keras` file.
    """
    try:
        with zipfile.ZipFile(path) as stored:
            config = json.loads(stored.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return set()
    return {node["class_name"] for node in _dicts(config) if isinstance(node.get("class_name"), str)}


def _dicts(node):
    """Yield every dict at any depth of a configuration."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _dicts(item)


def _without_newer(node):
    if isinstance(node, list):
        return [_without_newer(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if key not in NEWER or value != NEWER[key]:
            kept[key] = _without_newer(value)
    return kept
