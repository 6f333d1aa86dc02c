"""Looking inside a network: the output of any layer, and which pixels support an emotion.

A layer of a nested backbone does not belong to the outer model's graph, so `Model(inputs, layer.output)`
fails for it. Here a layer's output is recorded while the model runs, which works for all of them.
"""

from contextlib import ExitStack, contextmanager

import keras
import numpy as np
from keras import layers, ops

from fer_kit.models.layers import all_layers, answers_of, find_layer


def last_convolution(model):
    """Return the layer whose maps Grad-CAM explains: "last_conv", else the last with feature maps.

    Raises ValueError for a model without convolutions.
    """
    deep = list(all_layers(model))
    first = deep.index(_first_convolution(model))
    maps = [layer for layer in deep[first:] if len(getattr(layer.output, "shape", ())) == 4]
    return next((layer for layer in deep if layer.name == "last_conv"), maps[-1])


def activations(model, images, layer, batch_size=256):
    """Return the output of one layer for faces; the model runs as in prediction.

    Args:
        model: A Keras model.
        images: uint8 (N, 48, 48) or (N, 48, 48, 1), 0-255.
        layer: A layer or its name, nested or not.
        batch_size: How many faces are computed at once.

    Returns:
        float32 (N, ...).

    Raises:
        ValueError: For an unknown name, with the nearest ones.
    """
    layer = find_layer(model, layer) if isinstance(layer, str) else layer
    batches = []

    def keep(output):
        batches.append(ops.convert_to_numpy(ops.cast(output, "float32")))
        return output

    with _after(layer, keep):
        for start in range(0, len(images), batch_size):
            answers_of(model, _input(images[start : start + batch_size]))
    return np.concatenate(batches)


def grad_cam(model, images, emotion=None, layer=None):
    """Return where in each face the evidence for an emotion lies, by Grad-CAM (Selvaraju et al. 2017).

    The maps of the last convolution are weighted with the mean gradient of the emotion's score before the
    softmax and added up; negative values are set to 0, and the sum is scaled to the size of the face.

    Args:
        model: A Keras model.
        images: uint8 (N, 48, 48), 0-255.
        emotion: The label to explain, int or int (N,); by default the predicted one.
        layer: A layer of feature maps or its name; by default `last_convolution`.

    Returns:
        Heat float32 (N, 48, 48), 0 to 1.

    Raises:
        ValueError: For an unknown layer or emotion, or a model without convolutions.
    """
    layer = find_layer(model, layer) if isinstance(layer, str) else layer or last_convolution(model)
    maps = activations(model, images, layer)
    slope = _slope(model, images, emotion, lambda change: _after(layer, change), maps.shape)
    heat = np.maximum((maps * slope.mean((1, 2), keepdims=True)).sum(-1), 0)
    heat = ops.image.resize(heat[..., None], np.shape(images)[1:3], interpolation="bilinear")
    return _to_one(ops.convert_to_numpy(heat)[..., 0])


def guided_backpropagation(model, images, emotion=None):
    """Return which pixels, made lighter (+) or darker (-), raise the score of an emotion.

    Guided back-propagation (Springenberg et al. 2015; zhao-related): the gradient of the emotion's score
    with respect to the standardised face, where every ReLU passes back only positive gradients, and only
    where it was active. It is taken at the input of the first convolution, as uint8 pixels have no gradient.

    Args:
        model: A Keras model with a convolution.
        images: uint8 (N, 48, 48), 0-255.
        emotion: The label to explain, int or int (N,); by default the predicted one.

    Returns:
        float32 (N, 48, 48), -1 to 1.

    Raises:
        ValueError: For an unknown emotion, or a model without convolutions.
    """
    first = _first_convolution(model)
    shape = (len(images), *first.input.shape[1:])
    with ExitStack() as gates:
        for layer in filter(_is_relu, all_layers(model)):
            gates.enter_context(_after(layer, _positive_gradients_only))
        slope = _slope(model, images, emotion, lambda change: _before(first, change), shape)
    if slope.shape[1:3] != images.shape[1:3]:
        slope = ops.convert_to_numpy(ops.image.resize(slope, images.shape[1:3], antialias=True))
    slope = slope.sum(-1)
    return slope / np.maximum(np.abs(slope).max((1, 2), keepdims=True), 1e-12)


def occlusion(model, images, emotion=None, patch=8, stride=4):
    """Return how much of an emotion's probability a grey patch at each place takes away.

    Occlusion sensitivity (Zeiler & Fergus 2014) needs no gradients: hide a patch, predict, move on. Pixels
    under several patches get the mean.

    Args:
        model: A Keras model.
        images: uint8 (N, 48, 48), 0-255.
        emotion: The label to explain, int or int (N,); by default the predicted one.
        patch: The side of the patch in pixels.
        stride: How far it moves each time, in pixels.

    Returns:
        float32 (N, 48, 48), differences of probabilities; 0 at an edge that no patch reaches.

    Raises:
        ValueError: For an unknown emotion.
    """
    images = _input(images)
    rows = np.arange(len(images))
    before = model.predict(images, verbose=0)
    emotion = before.argmax(1) if emotion is None else _checked_emotion(emotion, before.shape)
    loss = np.zeros(images.shape[:3], np.float32)
    times = np.zeros(images.shape[1:3], np.float32)
    for top in range(0, images.shape[1] - patch + 1, stride):
        for left in range(0, images.shape[2] - patch + 1, stride):
            place = (slice(None), slice(top, top + patch), slice(left, left + patch))
            hidden = images.copy()
            hidden[place] = 128
            after = model.predict(hidden, verbose=0)
            loss[place] += (before - after)[rows, emotion][:, None, None]
            times[place[1:]] += 1
    return loss / np.maximum(times, 1)


_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


def _first_convolution(model):
    """The first layer that convolves. Raises ValueError where there is none."""
    for layer in all_layers(model):
        if isinstance(layer, _CONVOLUTIONS):
            return layer
    raise ValueError(f"{model.name} has no convolution, so no feature maps to look at")


def _checked_emotion(emotion, shape):
    """Labels int (N,) for `shape` (N, K). Raises ValueError for what is no label."""
    count, emotions = shape
    labels = np.broadcast_to(emotion, count)
    if labels.dtype.kind not in "iu" or not ((labels >= 0) & (labels < emotions)).all():
        raise ValueError(
            f"emotion is {emotion!r}; give a whole number from 0 to {emotions - 1}, or one a face"
        )
    return labels


def _slope(model, images, emotion, listen, shape):
    """The gradient of the emotion's score with respect to the values that `listen` sees, float32 of `shape`.

    A zero is added to these values; the gradient with respect to that zero is the one wanted.
    """
    images = _input(images)

    def score(zero):
        with listen(lambda value: value + ops.cast(zero, value.dtype)):
            scores = answers_of(model, images)
        wanted = ops.argmax(scores, axis=-1) if emotion is None else _checked_emotion(emotion, scores.shape)
        return ops.sum(ops.cast(scores, "float32") * ops.one_hot(wanted, scores.shape[-1]))

    with _without_softmax(model):
        return ops.convert_to_numpy(_gradient(score, ops.zeros(shape, "float32")))


def _gradient(function, value):
    """Return d function / d value. Keras 3 has no backend-neutral gradient, hence three branches."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(value)
            result = function(value)
        return tape.gradient(result, value)
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)(value)
    import torch

    return torch.autograd.grad(function(value.requires_grad_()), value)[0]


def _is_relu(layer):
    rectified = (keras.activations.relu, keras.activations.relu6)
    return isinstance(layer, layers.ReLU) or getattr(layer, "activation", None) in rectified


@ops.custom_gradient
def _positive_gradients_only(x):
    def backward(*args, upstream=None):
        return ops.maximum(args[0] if upstream is None else upstream, 0)

    return ops.copy(x), backward


@contextmanager
def _after(layer, change):
    """While open, the output of `layer` goes through `change`."""
    call = layer.call
    with _called(layer, lambda *args, **options: change(call(*args, **options))):
        yield


@contextmanager
def _before(layer, change):
    """While open, the input of `layer` goes through `change`."""
    call = layer.call
    with _called(layer, lambda value, *args, **options: call(change(value), *args, **options)):
        yield


@contextmanager
def _called(layer, call):
    outer = vars(layer).get("call")
    layer.call = call
    try:
        yield
    finally:
        del layer.call
        if outer is not None:
            layer.call = outer


@contextmanager
def _without_softmax(model):
    """While open, the model returns scores: probabilities near 1 hardly change with the face.

    The softmax is a layer, an activation or `keras.ops.softmax`, behind which values are at most cast or
    reshaped.
    """
    last = next(step for step in _from_the_end(model) if not _passes_on(step))
    usual = getattr(last, "activation", None)
    if type(last).__name__ == "Softmax":  # a layer, or an operation, whose class Keras does not export
        with _called(last, lambda values, *args, **options: values):
            yield
    elif usual is keras.activations.softmax:
        last.activation = keras.activations.linear
        try:
            yield
        finally:
            last.activation = usual
    else:
        yield


def _from_the_end(model):
    """Yield a model's layers, and the operations between them, from output to input."""
    for step in reversed(getattr(model, "operations", model.layers)):  # a Sequential has layers alone
        if isinstance(step, keras.Model):
            yield from _from_the_end(step)
        else:
            yield step


def _passes_on(step):
    if isinstance(step, layers.Activation):
        return step.activation is keras.activations.linear
    return type(step).__name__ in ("Reshape", "Flatten", "Cast")


def _input(images):
    images = np.asarray(images)
    return images if images.ndim == 4 else images[..., None]


def _to_one(heat):
    return heat / np.maximum(heat.max((1, 2), keepdims=True), 1e-12)
