"""Backbones and their weights files; features that are computed once, kept, and never mixed up."""

import os
import re
import urllib.error

import keras
import numpy as np
import pytest

from fer_kit.data.sample.people import draw_sample
from fer_kit.models import backbones
from fer_kit.models.backbones import RANDOM, feature_extractor, load_backbone, own_range
from fer_kit.training import features as frozen_features
from fer_kit.training.features import Features, extract

SMALL = {"name": "MobileNet", "size": 32, "alpha": 0.25}


def network(name="MobileNet", top=False, **options):
    """The network as Keras builds it, without the kit."""
    options = options or {"alpha": 0.25}
    build = getattr(keras.applications, name)
    return build(include_top=top, weights=None, input_shape=(32, 32, 3), **options)


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(**SMALL, weights=None, precision="float32")


@pytest.fixture(scope="module")
def few():
    """150 faces of the built-in sample."""
    return draw_sample(700)[:150]


@pytest.fixture
def weights_file(tmp_path):
    """A weights file of the small MobileNet without top, and its arrays."""
    known = network()
    known.set_weights([w + 0.01 for w in known.get_weights()])
    known.save_weights(tmp_path / "known.weights.h5")
    return tmp_path / "known.weights.h5", known.get_weights()


# ---- weights ----


def test_a_weights_file_is_loaded_and_named_in_the_record(weights_file):
    path, arrays = weights_file
    loaded = load_backbone(**SMALL, weights=path)
    for ours, theirs in zip(loaded.network.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert re.fullmatch(r"known\.weights\.h5 \(sha256 \w{8}\)", loaded.record["weights"])
    assert loaded.record["alpha"] == 0.25 and not loaded.network.trainable_weights


def test_the_older_format_in_which_keras_distributes_weights_is_read_too(tmp_path):
    known = network()
    known.compile("adam")
    known.save(tmp_path / "known.h5")
    loaded = load_backbone(**SMALL, weights=str(tmp_path / "known.h5"))
    for ours, theirs in zip(loaded.network.get_weights(), known.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"name": "VGG16", "pooling": None}, "is not MobileNet: it lacks .* arrays.*same architecture"),
        ({"alpha": 0.5}, "is not MobileNet: it lacks .* the same options"),
        ({"top": True, "alpha": 0.25}, "holds 2 arrays more than MobileNet without its top.*notop"),
    ],
    ids=["another architecture", "another width", "with a top"],
)
def test_weights_files_that_do_not_fit_are_refused(tmp_path, made, message):
    path = tmp_path / "other.weights.h5"
    network(**made).save_weights(path)
    with pytest.raises(ValueError, match=f"(?s)other.weights.h5 {message}"):
        load_backbone(**SMALL, weights=path)


def test_a_truncated_and_a_missing_weights_file_are_refused(weights_file, tmp_path):
    path, _ = weights_file
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="known.weights.h5 cannot be read.*cut off.*download it again"):
            load_backbone(**SMALL, weights=path)
    with pytest.raises(FileNotFoundError, match="no weights file .*nowhere.h5.*None for random ones"):
        load_backbone(**SMALL, weights=tmp_path / "nowhere.h5")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def no_network(*args, **options):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", no_network)
    monkeypatch.setattr(keras.config, "keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


def test_without_a_network_a_plain_sentence_says_where_the_weights_are(offline):
    with pytest.raises(ConnectionError, match=r"https://\S+96_no_top\.h5.*give its path: weights="):
        load_backbone("MobileNetV2", 96)


def test_without_a_network_the_weights_of_a_package_take_the_place_of_inceptions(offline, capsys):
    backbone = backbones.imagenet_backbone(75)
    assert backbone.name == "EfficientNetLite0" and "imagenet" in backbone.weights and backbone.size == 75
    said = capsys.readouterr().out
    assert "InceptionV3 could not be downloaded" in said and "EfficientNetLite0" in said


def test_random_weights_come_only_when_asked_for_and_say_so(backbone):
    assert backbone.record["weights"] == RANDOM
    assert "random" in backbones.feature_head(backbone).name
    again = load_backbone(**SMALL, weights=None, precision="float32")
    other = load_backbone(**SMALL, weights=None, precision="float32", seed=1)
    assert again.fingerprint == backbone.fingerprint != other.fingerprint


def test_unknown_backbones_and_sizes_too_small_are_refused():
    with pytest.raises(ValueError, match="no backbone 'Inception3'.*did you mean 'InceptionV3'"):
        load_backbone("Inception3", weights=None)
    with pytest.raises(ValueError, match="InceptionV3 is too deep for faces of 48x48.*size=75 or more"):
        load_backbone("InceptionV3", 48, weights=None)


@pytest.mark.parametrize("name", backbones.names())
def test_a_size_that_is_refused_is_one_that_keras_refuses(name):
    size = backbones.LEAST.get(name, 32) - 1
    with pytest.raises(ValueError):
        getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(size, size, 3))


def test_the_smallest_size_is_taken():
    side = backbones.LEAST["Xception"]
    model = keras.applications.Xception(include_top=False, weights=None, input_shape=(side, side, 3))
    assert model.output_shape[1] > 0


def test_an_error_that_is_not_the_networks_is_not_called_a_failed_download():
    with pytest.raises((TypeError, ValueError)) as raised:
        load_backbone("MobileNetV2", 96, weights=None, no_such_option=1)
    assert "downloaded" not in str(raised.value)


# ---- what a backbone is shown ----


@pytest.mark.parametrize("name", ["InceptionV3", "ResNet50", "DenseNet121", "EfficientNetB0"])
def test_every_backbone_is_fed_in_its_own_range(name, faces):
    import importlib
    import inspect

    module = importlib.import_module(inspect.getmodule(getattr(keras.applications, name)).__name__)
    colour = np.repeat(faces.x[:3].astype(np.float32), 3, axis=-1)
    scale, offset = own_range(name)
    np.testing.assert_allclose(colour * scale + offset, module.preprocess_input(colour.copy()), atol=1e-4)


def test_resize_and_colour_happen_inside_the_model(backbone, few):
    large = keras.ops.image.resize(few.x.astype(np.float32), (32, 32))
    colour = np.repeat(keras.ops.convert_to_numpy(large), 3, axis=-1) / 127.5 - 1
    expected = backbone.network.predict(colour, verbose=0).mean((1, 2))
    extractor = feature_extractor(backbone)
    assert expected.std(0).mean() > 0.1, "the signal dies out on its way through random layers"
    np.testing.assert_allclose(extractor.predict(few.x, verbose=0), expected, atol=2e-3)
    assert extractor.input.dtype == "uint8" and extractor.input.shape == (None, 48, 48, 1)


# ---- the cache ----


@pytest.fixture
def counted(monkeypatch):
    """The number of faces that any model was asked about."""
    asked = []
    whole = keras.Model.predict_on_batch

    def count(self, batch):
        asked.append(len(batch))
        return whole(self, batch)

    monkeypatch.setattr(keras.Model, "predict_on_batch", count)
    return asked


def test_features_are_those_of_the_model_and_computed_once(backbone, few, tmp_path, counted):
    features = extract(few, backbone, tmp_path, batch_size=64)
    assert counted == [64, 64, 64] and features.shape == (150, 256) and features.dtype == np.float32
    np.testing.assert_allclose(features, feature_extractor(backbone).predict(few.x, verbose=0), atol=1e-3)
    again = extract(few, backbone, tmp_path)
    assert len(counted) == 3 and np.array_equal(features, again) and isinstance(again, np.memmap)


def test_a_cache_of_other_data_or_weights_is_never_reused(backbone, few, tmp_path):
    features = extract(few, backbone, tmp_path)
    other_weights = load_backbone(**SMALL, weights=None, precision="float32", seed=1)
    other_size = load_backbone("MobileNet", 40, weights=None, precision="float32", alpha=0.25)
    for faces, network in ((few[::-1], backbone), (few, other_weights), (few, other_size)):
        theirs = extract(faces, network, tmp_path)
        expected = feature_extractor(network).predict(faces.x, verbose=0)
        np.testing.assert_allclose(theirs, expected, atol=1e-3)
        assert not np.allclose(theirs, features)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", ["of other faces", "of fewer faces", "cut", "garbage", "empty"])
def test_a_file_that_cannot_be_used_is_computed_anew(backbone, few, tmp_path, damage):
    expected = np.array(extract(few, backbone, tmp_path / "whole"))
    path = frozen_features.feature_file(few, backbone, tmp_path / "ours")
    path.parent.mkdir()
    if damage.startswith("of "):
        others = few[::-1] if damage == "of other faces" else few[:64]
        extract(others, backbone, tmp_path)
        path.write_bytes(frozen_features.feature_file(others, backbone, tmp_path).read_bytes())
    else:
        whole = next((tmp_path / "whole").iterdir()).read_bytes()
        path.write_bytes({"cut": whole[:5000], "garbage": b"no array" * 99, "empty": b""}[damage])
    with pytest.warns(UserWarning, match="computed anew"):
        again = extract(few, backbone, tmp_path / "ours")
    assert np.array_equal(again, expected)
    assert [file.name for file in (tmp_path / "ours").iterdir()] == [path.name]


def test_faces_that_another_file_holds_are_not_computed_again(backbone, few, tmp_path, counted):
    whole = extract(few, backbone, tmp_path)
    counted.clear()
    assert np.array_equal(extract(few[::-3], backbone, tmp_path), whole[::-3]) and not counted
    more = draw_sample(700)[100:180]
    joined = extract(more, backbone, tmp_path)
    assert sum(counted) == 64 and np.array_equal(joined[:50], whole[100:])
    expected = feature_extractor(backbone).predict(more.x, verbose=0)
    np.testing.assert_allclose(joined, expected, atol=1e-3)


def test_a_damaged_row_is_computed_again_and_no_other(backbone, few, tmp_path, counted):
    expected = np.array(extract(few, backbone, tmp_path))
    path = frozen_features.feature_file(few, backbone, tmp_path)
    row = len(few) // 2
    rows = np.lib.format.open_memmap(path, "r+")
    rows["features"][row, 7] += 1
    rows["checksum"][3] += 1
    rows.flush()
    counted.clear()
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged: 2 of {len(few)} faces are computed anew"):
        again = extract(few, backbone, tmp_path)
    assert len(counted) == 1
    np.testing.assert_allclose(again, expected, atol=1e-5)
    other = load_backbone(**SMALL, weights=None, precision="float32", seed=1)
    path.rename(frozen_features.feature_file(few, other, tmp_path))  # the features of another network
    with pytest.warns(UserWarning, match=f"damaged: {len(few)} of"):
        theirs = extract(few, other, tmp_path)
    assert not np.allclose(theirs, expected)


def test_an_interrupted_extraction_goes_on_where_it_was(backbone, few, tmp_path, monkeypatch, counted):
    count = keras.Model.predict_on_batch

    def interrupt(self, batch):
        if len(counted) == 2:
            counted.append("stopped")
            raise KeyboardInterrupt
        return count(self, batch)

    monkeypatch.setattr(keras.Model, "predict_on_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        extract(few, backbone, tmp_path, batch_size=32)
    path = frozen_features.feature_file(few, backbone, tmp_path)
    half_written = np.lib.format.open_memmap(path, "r+")
    half_written["features"][64:80] = 7  # as a kill in the middle of a batch leaves it
    resumed = extract(few, backbone, tmp_path, batch_size=32)
    assert counted == [32, 32, "stopped", 32, 32, 32]
    assert np.array_equal(resumed, extract(few, backbone, tmp_path / "whole", batch_size=32))


def test_a_full_disk_is_explained(backbone, few, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "open_memmap", full)
    with pytest.raises(OSError, match=r"could not write the features.*No space.*0 MB: make room.*FER_CACHE"):
        extract(few, backbone, tmp_path)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be reserved here")
def test_room_is_reserved_before_anything_is_written(backbone, few, tmp_path, monkeypatch):
    """Else a full disk would kill the process: it is written to through memory."""
    written = []

    def full(file, start, size):
        written.extend(path.stat().st_blocks * 512 for path in tmp_path.iterdir())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        extract(few, backbone, tmp_path)
    assert max(written) < 16_384 and not list(tmp_path.iterdir())


def test_features_stand_in_for_faces(backbone, few, tmp_path):
    features = Features(few, backbone, tmp_path)
    training = features.training
    assert len(training) == len(few.training) and training.fingerprint == few.training.fingerprint
    assert np.array_equal(training.labels, few.training.labels) and training.names == few.names
    assert training.x.shape == (len(few.training), 256)
    assert np.array_equal(features[::2].digests, few[::2].digests) and not features.has_twin_in(few[:0]).any()
    assert features.sample(9).labels.tolist() == few.sample(9).labels.tolist()
    with pytest.raises(ValueError, match="has no PublicTest faces"):
        _ = Features(few.training, backbone).public_test
