"""The layers of a model at any depth: all of them, one by its name, their precision, behind another input."""

import keras

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
