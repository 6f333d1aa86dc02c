"""The bricks that the networks are built of: few lines each, named as in the reports.

Each takes feature maps (B, H, W, C) and returns feature maps, unless it says otherwise. `name` names the
layer that gives the result.
"""

from keras import layers


def conv(x, filters, size=3, strides=1, activation="relu", name=None):
    """Convolve, normalise over the batch, activate."""
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    return activate(x, activation, name)


def separable(x, filters, strides=1, activation="relu", name=None):
    """The same, cheaper: a 3x3 convolution in each channel alone, then a 1x1 across channels."""
    x = layers.SeparableConv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    return activate(x, activation, name)


def activate(x, activation="relu", name=None):
    """Normalise over the batch, then activate; None activates nothing."""
    # Keras' momentum of .99 needs hundreds of batches before a score means anything; a class has fewer.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation, name=name)(x) if activation else x


def residual(x, filters, strides=1, brick=conv, name=None):
    """Add the input to the result of two bricks (He et al. 2016)."""
    fits = strides == 1 and x.shape[-1] == filters
    shortcut = x if fits else project(x, filters, strides)
    x = brick(x, filters, strides=strides)
    x = brick(x, filters, activation=None)
    return layers.Activation("relu", name=name)(layers.Add()([x, shortcut]))


def project(x, filters, strides=1):
    """Make a shortcut fit: a 1x1 convolution of every `strides`-th pixel."""
    # A 1x1 convolution with strides computes the same, but with few channels its gradient crashes
    # TensorFlow 2.21 on CPUs (oneDNN writes past its memory).
    x = layers.AveragePooling2D(1, strides)(x)
    return conv(x, filters, size=1, activation=None)


def pool(x):
    """Halve height and width, keeping the strongest of every 2x2."""
    return layers.MaxPooling2D(2)(x)


def average(x):
    """Average every feature map (B, H, W, C) to one number: the embedding (B, C)."""
    return layers.GlobalAveragePooling2D(name="embedding")(x)


def dense(x, *widths):
    """One fully connected ReLU layer per width; the last is the embedding (B, widths[-1])."""
    for width in widths[:-1]:
        x = layers.Dense(width, activation="relu")(x)
    return layers.Dense(widths[-1], activation="relu", name="embedding")(x)
