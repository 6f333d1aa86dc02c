"""The layers of a model at any depth, their precision, what identifies them; another input before them."""

import hashlib
import json
import re
import sys
import warnings

import keras

from fer_kit.models.portable import without_newer
from fer_kit.runtime.code import code_digest, is_own
from fer_kit.runtime.names import unknown


def all_layers(model):
    """Yield the layers of a model from input to output, a nested model replaced by its layers."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        else:
            yield layer


def find_layer(model, name):
    """Return the layer called `name`, nested or not. Raises ValueError, with the nearest names."""
    found = {layer.name: layer for layer in all_layers(model)}
    if name not in found:
        raise ValueError(f"{model.name}: {unknown('layer', name, found)}")
    return found[name]


def answers_of(model, x):
    """Return what a model says of a batch, without training and without the graph that `predict` traces."""
    with warnings.catch_warnings():
        # A model that was made with a list of one input warns when it is called without the list.
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        return model(x, training=False)


def takes_floats(model):
    """Return the same layers behind an input of float32, which rounds no pixel to whole numbers."""
    functional = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    pixels = keras.Input(model.inputs[0].shape[1:], dtype="float32")
    return keras.models.clone_model(functional, input_tensors=pixels, clone_function=lambda layer: layer)


def precision_of(model):
    """Return the name of the dtype policy that most of the model's layers with weights were built under."""
    learning = [layer for layer in all_layers(model) if layer.trainable_variables]
    holding = [layer for layer in all_layers(model) if layer.weights]  # where all layers are frozen
    policies = [layer.dtype_policy.name for layer in learning or holding]
    return max(set(policies), key=policies.count) if policies else "float32"


def weights_digest(model):
    """Return 16 hexadecimal digits that change with any weight of a model."""
    return _digest(weight.tobytes() for weight in model.get_weights())


def configuration_digest(model):
    """Return 16 hexadecimal digits that change with anything a model is built of.

    That is every layer with its settings and what it is joined to, and the weights of frozen layers. The
    names that Keras counts up (`dense_3`) do not matter, nor the version of Keras, nor weights that train.
    """
    config = without_newer(keras.Model(model.inputs, model.outputs, name="model").get_config())
    text = json.dumps(_renamed(config, {}), sort_keys=True, default=str)
    frozen = [layer for layer in all_layers(model) if layer.weights and not layer.trainable]
    return _digest([text.encode(), *(weight.tobytes() for layer in frozen for weight in layer.get_weights())])


def own_code_digest(model):
    """Return 16 hexadecimal digits that change with the code of a model's own layers and functions.

    A configuration names them, and keeps nothing of what they do. The digest is "" where all are Keras' own.
    """
    config = keras.Model(model.inputs, model.outputs, name="model").get_config()
    own = {name: code_digest(thing) for name, thing in _named(config) if is_own(thing)}
    return _digest([json.dumps(own, sort_keys=True).encode()]) if own else ""


def _named(node):
    """Yield (name, class or function) of all that a configuration names by what it is registered as."""
    if isinstance(node, dict):
        is_function = node.get("class_name") == "function"
        name = node.get("config" if is_function else "registered_name")
        if isinstance(name, str) and (thing := _find(node, name)) is not None:
            yield name, thing
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _named(item)


def _find(node, name):
    """The class or function that a configuration names; one that is not registered lies in its module."""
    known = keras.saving.get_registered_object(name)
    return known or getattr(sys.modules.get(node.get("module")), str(node.get("class_name")), None)


def _renamed(node, names):
    """Return a configuration with the names that Keras made up numbered from the model's input on."""
    if isinstance(node, dict):
        inside = node.get("config")
        name = node.get("name") or (inside.get("name") if isinstance(inside, dict) else None)
        made_of = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(node.get("class_name"))).lower()
        made_up = re.sub(r"_\d+$", "", str(name)).replace("_", "") == made_of.replace("_", "")
        if made_up:
            names.setdefault(name, f"#{len(names)}")
        return {key: _renamed(value, names) for key, value in node.items() if key != "build_config"}
    if isinstance(node, (list, tuple)):
        return [_renamed(item, names) for item in node]
    return names.get(node, node) if isinstance(node, str) else node


def _digest(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
