"""Networks trained on other pictures (`keras.applications`), made to take the kit's faces.

A backbone wants large colour pictures in a range of its own. All that a face lacks for it stands inside the
model, so that 48x48 grey pixels travel to the device and nothing else:

    faces uint8 (48, 48, 1) -> augmentation -> grey to RGB -> the backbone's own range -> resize
          -> backbone -> average over the picture ("embedding") -> dropout -> softmax
"""

import difflib
import hashlib
import inspect
import re
from dataclasses import dataclass, field
from functools import cached_property

import keras
import numpy as np
from keras import layers

from fer_kit.data.augment import augmentation_layers
from fer_kit.data.faceset import SIZE
from fer_kit.data.sample.people import draw_sample
from fer_kit.models import statistics
from fer_kit.models.layers import precision_of
from fer_kit.models.weights_files import load_weights_file
from fer_kit.runtime import devices

RANDOM = "random (none given)"
"""What a record says of weights that nobody trained."""


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
        """How many features it has for a face."""
        return self.network.output_shape[-1]

    @property
    def record(self):
        """What a run's config has to say about it, as a dict of plain values."""
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
    """Return the frozen `Backbone` called `name` in `keras.applications`, for faces of `size` pixels.

    `weights`: "imagenet" downloads them through Keras; a path names a weights file of this architecture
    without its top (`.weights.h5`, or `.h5` as Keras distributes them); None, and nothing else, draws random
    weights from `seed`. `precision`: see `devices.choose_precision`. `options` go to keras.applications
    (`alpha=0.5` makes MobileNetV2 narrower). InceptionV3 at 224 is murphy-base, MobileNetV2 murphy-future.

    Raises ValueError for an unknown name, a size that the network is too deep for, and a weights file that
    is cut off, has a top or belongs to another architecture; FileNotFoundError where there is none;
    ConnectionError, saying where to get the file, when the download fails.
    """
    build, policy = _look_up(name), devices.choose_precision(precision)[0]
    if weights is None:
        keras.utils.set_random_seed(seed)
    downloaded = "imagenet" if str(weights) == "imagenet" else None
    with devices.precision_policy(policy):
        network = _build(build, size, downloaded, options)
    words = downloaded
    if weights is None:
        words = RANDOM
        _settle(network, name)
    elif not downloaded:
        words = load_weights_file(network, weights, name)
    network = keras.Model(network.input, network.output, name="backbone")
    network.trainable = False
    return Backbone(name, size, words, network, options)


def feature_extractor(backbone):
    """Return the model from faces uint8 (B, 48, 48, 1) to their features float32 (B, channels)."""
    faces, x = _embed(backbone)
    return keras.Model(faces, x, name="extractor")


def feature_head(backbone, classes=7, dropout=0.5, seed=0):
    """Return the model from features float32 (B, channels) to probabilities float32 (B, `classes`)."""
    features = keras.Input((backbone.channels,), name="features")
    return keras.Model(features, _classify(features, classes, dropout, seed), name=model_name(backbone))


def classifier(backbone, classes=7, dropout=0.5, augmentation=None, seed=0):
    """Return the whole model, from faces uint8 (B, 48, 48, 1) to probabilities float32 (B, `classes`).

    The backbone is frozen as it comes, see `transfer.unfreeze`. `augmentation`: see
    `augment.augmentation_layers`; it happens at 48x48. `seed` draws the last layer, and dropout's masks.
    """
    faces, x = _embed(backbone, augmentation)
    return keras.Model(faces, _classify(x, classes, dropout, seed), name=model_name(backbone))


def model_name(backbone):
    """Return a name for a model on this backbone, which says so where its weights are random."""
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
    # Resized last: on JAX, whole grey levels in would be whole grey levels out.
    x = backbone.network(resize(x))
    return faces, layers.GlobalAveragePooling2D(dtype="float32", name="embedding")(x)


def _classify(x, classes, dropout, seed):
    x = layers.Dropout(dropout, seed=seed, dtype="float32")(x)
    start = keras.initializers.GlorotUniform(seed)
    output = layers.Dense(
        classes, activation="softmax", kernel_initializer=start, dtype="float32", name="probabilities"
    )
    return output(x)


def own_range(name):
    """Return (scale, offset), each a list of three, that take grey 0-255 to what a backbone learnt from.

    Every network of keras.applications comes with a `preprocess_input` of its own (-1 to 1, or minus the
    mean of ImageNet's colours, with red and blue exchanged, ...). For a grey picture each of them is a
    straight line per channel: two points are enough to know it.
    """
    preprocess = inspect.getmodule(_look_up(name)).preprocess_input
    black, white = (preprocess(np.full((1, 1, 1, 3), grey, np.float32)).ravel() for grey in (0, 255))
    return ((white - black) / 255).tolist(), black.tolist()


def _look_up(name):
    found = vars(keras.applications)
    names = [n for n, value in found.items() if inspect.isfunction(value)]
    if name not in names:
        near = difflib.get_close_matches(str(name), names, 1, 0.4)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise ValueError(f"no backbone {name!r} in keras.applications; {hint} {', '.join(names)}")
    return found[name]


def _settle(network, name):
    """Give batch normalisation the statistics of a few drawn faces, as it has seen nothing.

    Without them the signal dies out on its way through random layers: to 1e-19 after MobileNet's.
    """
    size, (scale, offset) = network.input_shape[1], own_range(name)
    few = draw_sample(64).x[: max(4, 180_000 // size**2)]  # all their maps are in memory at once
    grey = keras.ops.image.resize(few.astype(np.float32), (size, size))
    normalisers, pictures = statistics.batch_normalisers(network), grey * np.array(scale) + np.array(offset)
    network = statistics.in_use(network)
    step = statistics.statistics_step(network, normalisers)
    own = statistics.measure_batch_statistics(network, step, pictures, len(few))
    statistics.assign(statistics.running_statistics(normalisers), own)


def _build(build, size, weights, options):
    try:
        return build(include_top=False, weights=weights, input_shape=(size, size, 3), **options)
    except ValueError as error:
        least = re.search(r"at least (\d+)x\d+", str(error))
        if not least:
            raise
        raise ValueError(
            f"{build.__name__} is too deep for faces of {size}x{size} pixels: it halves them until nothing "
            f"is left. Give size={least[1]} or more (murphy: 224)"
        ) from None
    except Exception as error:
        if "URL fetch failure" not in str(error):
            raise
        url = re.search(r"https?://\S+(?=: )", str(error))
        raise ConnectionError(
            f"the ImageNet weights of {build.__name__} could not be downloaded. On another computer, get "
            f"{url[0] if url else 'the file that Keras names above'} and give its path: "
            "weights='path/to/that.h5'. Only weights=None starts from random weights"
        ) from error
