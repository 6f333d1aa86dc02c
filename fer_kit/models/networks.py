"""The networks of the reports and the kit's own: from standardised faces to their embedding.

Each is a function that reads like its report. It takes standardised faces (B, 48, 48, 1) and returns the
input of the softmax layer. All name their last feature maps "last_conv" and their embedding "embedding".

Where a report is silent we chose: convolutions pad to keep the size, batch normalisation comes before
ReLU, and the convolution in front of it has no bias.

The blocks that they are built of (`conv`, `residual`, `pool`, ...) stand below them. A block takes feature
maps (B, H, W, C) and returns feature maps, unless it says otherwise; `name` names the layer with the result.
"""

from keras import layers


def zhao_cnn(x):
    """Three convolutions; nine parameters in ten lie between the flattened maps and 4096 units."""
    for filters, name in ((64, None), (128, None), (256, "last_conv")):
        x = pool(conv(x, filters, name=name))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(4096, activation="relu")(x)
    return dense(layers.Dropout(0.5)(x), 1024, 256)


def zhao_vgg(x):
    """Blocks of small convolutions instead of single ones, as VGG; two layers of 4096 units."""
    for filters, convs in ((32, 2), (64, 3), (128, 3)):
        for _ in range(convs - 1):
            x = conv(x, filters)
        x = pool(conv(x, filters, name="last_conv" if filters == 128 else None))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return dense(x, 4096, 4096, 1024, 256)


def zhao_resnet(x):
    """ResNet-18. The report is silent on the first stride: 2, as in He et al. 2016."""
    x = conv(x, 64, size=7, strides=2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for filters in (64, 128, 256, 512):
        x = residual(x, filters, strides=1 if filters == 64 else 2)
        x = residual(x, filters, name="last_conv" if filters == 512 else None)
    return average(x)


def zhao_sepconv(x):
    """The report names no layers: we follow the mini-Xception family (Arriaga et al. 2017)."""
    x = conv(conv(x, 8), 8)
    for filters in (16, 32, 64, 128):
        shortcut = project(x, filters, strides=2)
        x = separable(separable(x, filters), filters, activation=None)
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
        x = layers.Add(name="last_conv" if filters == 128 else None)([x, shortcut])
    return average(x)


def choudhari_cnn(x):
    """The report names the kinds of layers; their number and widths are ours."""
    for filters, name in ((32, None), (64, None), (128, "last_conv")):
        x = layers.Dropout(0.25)(pool(conv(x, filters, name=name)))
    return layers.Dropout(0.5)(dense(layers.Flatten()(x), 128))


def hejslet_large(x):
    """Phase 1: enough parameters to learn the Training faces by heart."""
    return _hejslet(x, blocks=((64, 64), (128, 128), (256,)), rate=0.25, width=512)


def hejslet_light(x):
    """Phase 2. The report gives 1.5 million parameters and no widths; these are ours and have as many."""
    return _hejslet(x, blocks=((32, 32), (64, 64), (128, 128)), rate=0.4, width=256)


def _hejslet(x, blocks, rate, width):
    for block in blocks:
        for filters in block[:-1]:
            x = conv(x, filters)
        x = conv(x, block[-1], name="last_conv" if block is blocks[-1] else None)
        x = layers.Dropout(rate)(pool(x))
    x = layers.Dense(width, use_bias=False)(layers.Flatten()(x))
    return layers.Dropout(0.5)(activate(x, name="embedding"))


def kit_small(x):
    """Many thin separable layers with shortcuts: depth is what 60,000 parameters buy best."""
    x = conv(conv(x, 16), 32, strides=2)
    for filters in (32, 64):
        x = residual(x, filters, block=separable)
        x = residual(x, filters, block=separable)
        x = pool(separable(x, 64 if filters == 32 else 88))
    x = residual(x, 88, block=separable, name="last_conv")
    return layers.Dropout(0.1)(average(x))


def kit_compact(x):
    """`kit_best` with half the multiply-accumulates: the wide maps are halved before they get expensive."""
    return _kit_vgg(pool(conv(x, 64)), (96, 192, 384))


def kit_best(x):
    """The VGG trunk that has worked best on FER-2013, with averaging in place of flattening."""
    return _kit_vgg(x, (64, 128, 256, 512))


def _kit_vgg(x, widths):
    for filters in widths:
        last = filters == widths[-1]
        x = conv(x, filters)
        x = conv(x, filters, name="last_conv" if last else None)
        x = layers.Dropout(0.1)(x if last else pool(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(256, use_bias=False)(x)
    return layers.Dropout(0.4)(activate(x, name="embedding"))


# ---- the blocks that they are built of ----


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


def residual(x, filters, strides=1, block=conv, name=None):
    """Add the input to the result of two blocks (He et al. 2016)."""
    fits = strides == 1 and x.shape[-1] == filters
    shortcut = x if fits else project(x, filters, strides)
    x = block(x, filters, strides=strides)
    x = block(x, filters, activation=None)
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
