"""Shipped weights: found by name, in half the bytes, and said to be missing when they are."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import fer_kit
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models import pretrained, zoo
from fer_kit.runtime.devices import precision_policy
from fer_kit.runtime.files import file_digest, write_json
from fer_kit.training import distillation
from fer_kit.training.records import find_model
from maintain.ship import store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in the place of the kit's weights."""
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    with precision_policy("mixed_bfloat16"):
        return zoo.build("zhao-sepconv")


def test_no_weights_is_said_plainly(folder):
    assert pretrained.shipped() == []
    with pytest.raises(ValueError, match="no trained weights come with this copy of the kit"):
        fer_kit.load_pretrained("kit-small")


def test_shipped_in_float16_and_loaded_in_float32(folder, model, faces):
    path = store(model, "tiny", {"data": "none"}, folder)
    loaded = fer_kit.load_pretrained("tiny")
    assert {weight.dtype for weight in loaded.trainable_weights} == {"float32"}
    assert {layer.dtype_policy.compute_dtype for layer in loaded.layers} <= {"float32", "uint8"}
    with zipfile.ZipFile(path) as stored, h5py.File(io.BytesIO(stored.read("model.weights.h5"))) as weights:
        kept = []
        weights.visititems(lambda _, item: kept.append(item) if hasattr(item, "ndim") else None)
        kinds = {(item.ndim, str(item.dtype)) for item in kept if item.dtype.kind == "f"}
    assert {(4, "float16"), (1, "float32")} <= kinds and (4, "float32") not in kinds
    for own, read in zip(model.trainable_weights, loaded.trainable_weights, strict=True):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (own, read)), rtol=1e-3, atol=1e-6)
    expected = model.predict(faces.x[:20], verbose=0)  # in bfloat16
    np.testing.assert_allclose(loaded.predict(faces.x[:20], verbose=0), expected, atol=0.02)
    assert pretrained.card("tiny") == {"data": "none"}


def test_a_card_of_another_file_is_refused(folder, model):
    names = ["fear", "sad", "happy"]
    path = store(model, "tiny", {"emotions": names}, folder)
    card = {"emotions": names, "selected on": {"usage": "PublicTest"}, "protocol": "taught by a", "data": {}}
    write_json(path.with_suffix(".json"), card | {"sha256": file_digest(path)})
    about = {"record": "shipped tiny", "emotions": names, "selected_on": "PublicTest"}
    network = fer_kit.load_pretrained("tiny")
    assert network.about == about | {"protocol": "taught by a"}
    (fact,) = distillation.facts([network])
    assert {name: fact[name] for name in network.about} == network.about
    store(zoo.build("zhao-sepconv"), "other", {}, folder).replace(path)
    with pytest.raises(ValueError, match="tiny.keras is damaged, or not the file that its card describes"):
        fer_kit.load_pretrained("tiny")


def test_nearest_name(folder, model):
    store(model, "kit-small", {}, folder)
    with pytest.raises(ValueError, match="did you mean 'kit-small'"):
        fer_kit.load_pretrained("kit-smal")


def test_a_value_too_large_for_float16(folder):
    model = zoo.build("zhao-sepconv", augment=None)
    dense = model.get_layer("probabilities")
    dense.kernel.assign(np.full(dense.kernel.shape, 1e5))
    with pytest.raises(ValueError, match="float16 cannot"):
        store(model, "large", {}, folder)
    assert pretrained.shipped() == []


def test_evaluate_takes_a_name_but_a_path_wins(folder, model, faces, tmp_path, monkeypatch, capsys):
    from fer_kit.tools.cli import main

    store(model, "tiny", {}, folder)
    assert main(["evaluate", "tiny", "--data", "sample", "--json"]) == 0
    by_name = json.loads(capsys.readouterr().out)["accuracy"]
    other = zoo.build("zhao-sepconv")
    other.save(tmp_path / "other.keras")
    (tmp_path / "other.keras").rename(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    by_path = evaluate("tiny", faces)  # a file of that name, though without .keras
    assert by_path.accuracy == evaluate(other, faces).accuracy
    assert 0 <= by_name <= 1


class Own(keras.layers.Layer):
    """A layer that no other program knows."""

    def call(self, x):
        return x


def placed(folder, name, kind):
    """Write what people have in place of a `.keras` file, and return its path."""
    pixels = keras.Input((48, 48, 1))
    answers = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(Own()(pixels)))
    network = keras.Model(pixels, answers)
    path = folder / name
    if kind == "own":
        network.save(path)
    elif kind == "weights":
        network.save_weights(folder / "x.weights.h5")
        (folder / "x.weights.h5").rename(path)
    elif kind == "hdf5":
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    else:
        path.write_bytes(kind)
    return path


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("a.keras", b"hello", "it is a text"),
        ("a.keras", b"", "it is an empty file"),
        ("a.keras", b"<!doctype html>", "a web page in place of the file"),
        ("a.keras", b"PK\3\4" + bytes(90), "no whole archive, but cut off"),
        ("a.keras", "hdf5", "an HDF5 file.*ends with .h5"),
        ("a.h5", "weights", "it holds weights alone"),
        ("a.keras", "own", r"layers of its author's own \(Own\)"),
    ],
)
def test_what_stands_in_place_of_a_model_is_named(tmp_path, name, kind, told):
    with pytest.raises(ValueError, match=f"{name} cannot be read as a Keras model: .*{told}"):
        pretrained.load_model(placed(tmp_path, name, kind))


@pytest.mark.parametrize(
    ("inside", "told"), [("saved_model.pb", "is a SavedModel"), ("model.weights.h5", "unpacked .keras file")]
)
def test_folders_of_keras_are_no_runs(tmp_path, inside, told):
    (tmp_path / inside).write_bytes(b"x")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=told):
        find_model(tmp_path)


def test_neither_path_nor_name(folder, faces):
    with pytest.raises(FileNotFoundError, match="no run folder or file nothing-here"):
        evaluate("nothing-here", faces)
