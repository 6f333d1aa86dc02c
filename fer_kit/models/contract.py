"""What a network has to keep to: faces uint8 (B, 48, 48, 1) in, probabilities (B, emotions) out, and a file.

`check` tries all of it before a training begins, `check_from_elsewhere` before a network is asked that the
kit did not train, and `adapt` wraps one that takes or returns other things.
"""

import math
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

from fer_kit.data.emotions import EMOTIONS, emotion_of
from fer_kit.data.faceset import SIZE
from fer_kit.models.layers import all_layers, answers_of, takes_floats
from fer_kit.models.portable import copy_portable
from fer_kit.models.pretrained import load_model
from fer_kit.runtime.devices import require_channels_last
from fer_kit.runtime.names import by_door

FACE = (SIZE, SIZE, 1)
"""The shape of a face."""

RANGES = {"0 to 1": (1 / 255, 0), "-1 to 1": (1 / 127.5, -1), "0 to 65,025": (255, 0)}
"""Other ranges that a network may expect, as (factor, summand) of 0 to 255; the last is divided twice."""

MOST_ALIKE = 0.6
"""Where fewer faces than this share get the same answer, other ranges are not tried."""

CLEARLY_MORE = 0.1
"""How much more the answers say about the labels in the right range (adjusted mutual information, 0-1)."""

TRIED = 500
"""On how many faces the ranges are tried at most."""

FEWEST = 50
"""Of fewer faces, chance alone makes some range look right."""


def adapt(network, values=(0, 255), logits=False):
    """Wrap a network that takes pictures of another size or in another range, or returns logits.

        models.adapt(theirs, values=(0, 1)).save("wrapped.keras")

    Args:
        network: A Keras model with one input, pictures (B, S, S, 1) or (B, S, S, 3) of any size, grey or RGB,
            or 2,304 pixels in any other shape, such as (B, 48, 48), and one output (B, K).
        values: What the network was trained to see as black and as white: (0, 1), (-1, 1) or (0, 255).
        logits: Whether its outputs are logits; a softmax is put behind them.

    Returns:
        A `keras.Model` from uint8 (B, 48, 48, 1), 0-255, to what the network returns. It holds the network
        itself, not a copy.

    Raises:
        ValueError: For a network with several inputs or outputs, or an input that is no picture.
    """
    shape = _shape_of_input(network)
    other_shape = shape != FACE and None not in shape and math.prod(shape) == math.prod(FACE)
    if not other_shape and (len(shape) != 3 or shape[-1] not in (1, 3)):
        raise ValueError(f"{network.name} takes {shape}, no grey or RGB picture: it cannot be wrapped")
    black, white = values
    x = faces = keras.Input(FACE, dtype="uint8", name="faces")
    x = layers.Rescaling((white - black) / 255, black, dtype="float32", name="values")(x)
    if other_shape:
        x = layers.Reshape(shape, dtype="float32", name="shape")(x)
    elif shape[:2] not in ((None, None), FACE[:2]):
        x = layers.Resizing(*shape[:2], dtype="float32", name="size")(x)
    if shape[-1] == 3 and not other_shape:
        x = layers.Concatenate(dtype="float32", name="grey_to_rgb")([x, x, x])
    x = network(x)
    if logits:
        x = layers.Softmax(dtype="float32", name="probabilities_of_logits")(x)
    return keras.Model(faces, x, name=network.name)


def check(network, faces):
    """Raise ValueError, saying what to do, unless a network can be trained on faces and kept.

    It has to be built, to take one input of the faces' shape and dtype, to return one row of as many
    probabilities as there are emotions, and to answer the same after it was saved and loaded. `faces` is a
    FaceSet, or the like with features in place of images.
    """
    require_channels_last()
    shape = faces.x.shape[1:]
    check_input(network, shape)
    takes = keras.backend.standardize_dtype(network.inputs[0].dtype)
    if takes != faces.x.dtype:
        raise ValueError(
            f"{network.name} takes {takes}, the faces are {faces.x.dtype}. Where its first layer rescales, "
            f"begin it with keras.Input({shape}, dtype={str(faces.x.dtype)!r}); else wrap it: "
            "models.adapt(network, values=(0, 1))"
        )
    outputs = network.outputs[0].shape[1:]
    if outputs != (len(faces.names),):
        raise ValueError(
            f"{network.name} has {_in_words(outputs)} outputs, the faces {len(faces.names)} emotions: "
            f"{', '.join(faces.names)}"
        )
    few = faces.x[:8]
    before = check_probabilities(network, few)
    after = keras.ops.convert_to_numpy(answers_of(_saved_and_loaded(network), few))
    if not np.allclose(before, after, atol=1e-2):
        raise ValueError(
            f"{network.name} answers differently after it was saved and loaded (by up to "
            f"{np.abs(before - after).max():.1g}): a layer has weights that Keras does not know. Make them "
            "with self.add_weight, or as layers that are attributes"
        )


def check_input(network, shape=FACE):
    """Raise ValueError unless a network takes one input of this shape; None fits any size."""
    takes = _shape_of_input(network)
    fits = len(takes) == len(shape) and all(n in (None, m) for n, m in zip(takes, shape, strict=True))
    if not fits:
        raise ValueError(
            f"{network.name} takes {network.inputs[0].dtype} {takes}, and a face is uint8 {tuple(shape)}. "
            f"{HOW_TO_WRAP}"
        )


HOW_TO_WRAP = (
    "Wrap it once, in Python, with what it was trained to see as black and white: "
    "models.adapt(models.load_model(path), values=(0, 1)).save('wrapped.keras')"
)


def check_probabilities(network, few):
    """Return what a network says of a few faces (B, ...). Raises ValueError unless they are probabilities."""
    try:
        answers = network.predict(few, verbose=0)
    except Exception as error:
        raise ValueError(
            f"{network.name} fails on faces {few.dtype} {few.shape} ({type(error).__name__}: {error}). Most "
            "layers want floats: begin with keras.layers.Rescaling(1 / 255)"
        ) from error
    sums = answers.astype(np.float32).sum(-1)
    if not np.isfinite(sums).all():
        raise ValueError(
            f"{network.name} returns numbers that are none (NaN or infinity): its training diverged, or its "
            "weights are damaged; take the weights of an earlier epoch"
        )
    if answers.ndim != 2 or not (answers >= -1e-3).all() or not np.allclose(sums, 1, atol=2e-2):
        raise ValueError(
            f"{network.name} returns numbers from {answers.min():.3g} to {answers.max():.3g} that add up to "
            f"{sums.min():.3g} to {sums.max():.3g}, and probabilities add up to 1: end it with "
            'activation="softmax"; or, where it returns logits, wrap it: models.adapt(network, logits=True)'
        )
    return answers


def _shape_of_input(network):
    """Return the shape of a network's input without the batch. Raises ValueError unless there is one."""
    if not isinstance(network, keras.Model):
        raise ValueError(f"this is no Keras model but {type(network).__name__}")
    if not getattr(network, "inputs", None):
        raise ValueError(
            f"{network.name} is not built, so nobody can know what it takes: make it of keras.Model(inputs, "
            f'outputs), or begin keras.Sequential with keras.Input({FACE}, dtype="uint8")'
        )
    for kind, several in (("inputs", network.inputs), ("outputs", network.outputs)):
        if len(several) != 1:
            raise ValueError(
                f"{network.name} has {len(several)} {kind}, and here a network has one: faces in, one row of "
                "probabilities out. Make keras.Model(input, output) of the parts that are needed"
            )
    if not isinstance(network, keras.Sequential) and dict in map(type, (network.input, network.output)):
        raise ValueError(
            f"{network.name} takes or returns a dict, and here a network takes faces and returns one row of "
            "probabilities: keras.Model(network.inputs[0], network.outputs[0]) does that"
        )
    return tuple(network.inputs[0].shape[1:])


def _saved_and_loaded(network):
    """Return a network as it comes back from its file. Raises ValueError when it does not."""
    if any(isinstance(layer, layers.Lambda) for layer in all_layers(network)):
        raise ValueError(
            f"{network.name} has a Lambda layer: Keras would keep it as Python code, which is not run when "
            "the network is opened, and the training would be lost. Take an ordinary layer (Rescaling "
            f"multiplies and adds) or a layer of your own: {_REGISTER}"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "untrained.keras"
        try:
            # As training keeps it: the layers, whatever class of model holds them.
            kept = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
            keras.saving.save_model(kept, path)
            copy_portable(path, path)
            return load_model(path)
        except OSError:  # the disk's fault
            raise
        except Exception as error:
            raise ValueError(
                f"{network.name} cannot be saved and opened again, so its training would be lost. Layers of "
                f"your own have to be known to Keras: {_REGISTER} ({error})"
            ) from error


_REGISTER = (
    "write @keras.saving.register_keras_serializable() above its class, and get_config() where its __init__ "
    "takes arguments"
)


def _in_words(shape):
    return str(shape[0]) if len(shape) == 1 else str(tuple(shape))


# ---- a network from elsewhere ----


def is_built_here(network):
    """Return whether `build` or `classifier` made a network: by the names of its layers."""
    return {"embedding", "probabilities"} <= {layer.name for layer in network.layers}


def agreed_names(network, told, given):
    """Return the emotions of a network's outputs: `told` by itself, else `given`, a tuple, or None.

    Raises ValueError when both are there and differ; `network` is what the message calls it.
    """
    one, other = ([emotion_of(name) or name for name in names or ()] for names in (told, given))
    if one and other and one != other:
        raise ValueError(
            f"the outputs of {network} are {', '.join(told)}, as it says itself, and not "
            f"{', '.join(given)}; leave out {by_door('names', '--outputs')}"
        )
    return tuple(told or given or ()) or None


def check_names(network, names, outputs):
    """Return `names`, the emotions of a network's outputs, as a tuple.

    Raises ValueError, asking for them, when they are None, not as many as the `outputs` or not all different.
    `network` is what a message calls the network.
    """
    if names is None:
        raise ValueError(
            f"{network} does not say which emotion each of its {outputs} outputs stands for. Give them in "
            f"their order: {by_door('names=(...)', '--outputs A,B,...')}. Networks trained on folders mostly "
            f"have them by the alphabet, {','.join(sorted(EMOTIONS))}; those trained on fer2013.csv "
            f"in its order, {','.join(EMOTIONS)}"
        )
    if len(names) != outputs or len(set(names)) != outputs:
        raise ValueError(
            f"{network} has {outputs} outputs, and their names are {len(set(names))}: {', '.join(names)}. "
            "Give one name for each output, in their order"
        )
    return tuple(names)


def check_from_elsewhere(network, faces):
    """Raise ValueError unless a network that the kit did not train can be asked about `faces`, a FaceSet.

    It has to take them, to return probabilities, and to expect pixels from 0 to 255.
    """
    if not is_built_here(network):
        check_input(network)
        check_probabilities(network, faces.x[:8])
        refuse_other_range(network, faces)


def refuse_other_range(network, faces):
    """Raise ValueError when a network can tell faces apart, but in another range of values than 0 to 255.

    It then gives one answer to almost all faces, and its score says nothing about it. `faces` is a FaceSet,
    of which at most `TRIED` are looked at; fewer than `FEWEST`, or faces of one emotion, tell nothing.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    some = faces.sample(TRIED)
    if len(some) < FEWEST or len(np.unique(some.labels)) == 1:
        return
    pixels = some.x.astype(np.float32)
    floats = takes_floats(network)
    answers = floats.predict(pixels, batch_size=256, verbose=0).argmax(1)
    share = np.bincount(answers).max() / len(answers)
    if share < MOST_ALIKE:
        return
    known = adjusted_mutual_info_score(some.labels, answers)
    telling = {}
    for words, (factor, summand) in RANGES.items():
        others = floats.predict(pixels * factor + summand, batch_size=256, verbose=0).argmax(1)
        telling[words] = adjusted_mutual_info_score(some.labels, others)
    best = max(telling, key=telling.get)
    if telling[best] > known + CLEARLY_MORE:
        raise ValueError(
            f"{network.name} gives {share:.0%} of the faces the same answer when pixels go from 0 to 255, "
            f"and tells them apart when they go from {best}: a score would say nothing about it. "
            f"{HOW_TO_WRAP}"
        )
