"""The networks: widths and sizes of the reports, the uint8 contract, and one behaviour on every backend."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_kit.models.zoo import (
    MODELS,
    TRAINING_PIXELS,
    adapt_standardisation,
    build,
    listing,
    milliseconds,
    multiply_accumulates,
)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def costs():
    return listing().set_index("name")


def widths(model, kind):
    return [layer.get_config().get("filters", layer.get_config().get("units")) for layer in of(model, kind)]


def of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


# Against the reports


def test_the_listing_names_every_model_and_its_source(costs):
    assert list(costs.index) == list(MODELS)
    assert costs.source["hejslet-large"] == "hejslet-large"
    assert (costs.multiply_accumulates > 1e6).all()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("hejslet-large", 5.275e6, 5.285e6),
        ("hejslet-light", 1.45e6, 1.55e6),
        ("zhao-resnet", 11e6, 11.4e6),
        ("zhao-sepconv", 45e3, 60e3),
        ("kit-small", 0, 60e3),
    ],
)
def test_parameters_are_those_of_the_report(costs, name, least, most):
    assert least <= costs.parameters[name] <= most


@pytest.mark.parametrize(
    ("name", "filters", "units"),
    [
        ("zhao-cnn", [64, 128, 256], [4096, 1024, 256, 7]),
        ("zhao-vgg", [32] * 2 + [64] * 3 + [128] * 3, [4096, 4096, 1024, 256, 7]),
        ("hejslet-large", [64, 64, 128, 128, 256], [512, 7]),
        ("hejslet-light", [32, 32, 64, 64, 128, 128], [256, 7]),
        ("kit-best", [64, 64, 128, 128, 256, 256, 512, 512], [256, 7]),
    ],
)
def test_layer_widths_are_those_of_the_report(name, filters, units):
    model = build(name, augment=None)
    assert widths(model, keras.layers.Conv2D) == filters
    assert widths(model, keras.layers.Dense) == units
    assert len(of(model, keras.layers.BatchNormalization)) >= len(filters)


def test_zhao_resnet_has_eighteen_layers_and_three_projections():
    kernels = [layer.kernel.shape for layer in of(build("zhao-resnet", augment=None), keras.layers.Conv2D)]
    assert sum(shape[0] > 1 for shape in kernels) + 1 == 18
    assert kernels[0][:2] == (7, 7)
    assert sum(shape[0] == 1 for shape in kernels) == 3


def test_zhao_dropout_and_hejslet_dropout():
    names = ("zhao-cnn", "zhao-vgg", "hejslet-large", "hejslet-light")
    rates = {n: [layer.rate for layer in of(build(n), keras.layers.Dropout)] for n in names}
    assert rates["zhao-cnn"] == [0.2, 0.5]
    assert rates["zhao-vgg"] == [0.5]
    assert rates["hejslet-large"] == [0.25, 0.25, 0.25, 0.5]
    assert rates["hejslet-light"] == [0.4, 0.4, 0.4, 0.5]


def test_multiply_accumulates_of_a_network_counted_by_hand():
    faces = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(faces)  # 4 * 4 places * 3 * 3 * 2 * 4
    x = keras.layers.SeparableConv2D(6, 3, padding="same")(x)  # 16 * (9 * 4 + 4 * 6)
    inner = keras.Model(faces, keras.layers.Flatten()(x))
    outer = keras.Sequential([keras.Input((8, 8, 2)), inner, keras.layers.Dense(5)])  # 96 * 5
    assert multiply_accumulates(outer) == 16 * 72 + 16 * 60 + 480


# From uint8 faces to probabilities


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_and_answers_with_probabilities(name, images):
    model = build(name)
    assert model.input.dtype == "uint8"
    assert model.input_shape == (None, 48, 48, 1)
    assert len(model.get_layer("embedding").output.shape) == 2
    assert len(model.get_layer("last_conv").output.shape) == 4
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert np.isfinite(model.train_on_batch(images, np.arange(6)))
    probabilities = model.predict_on_batch(images)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (6, 7)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_row_says_whether_a_network_is_separable(name):
    model = build(name, augment=None)
    convolutions = of(model, keras.layers.Conv2D)
    separable = of(model, keras.layers.SeparableConv2D)
    assert MODELS[name].separable == (len(separable) > len(convolutions) / 2)
    assert MODELS[name].source in (name, "kit")


def test_six_classes(images):
    assert build("kit-small", classes=6).predict_on_batch(images).shape == (6, 6)


def test_augmentation_is_at_work_in_training_alone(images):
    with_it, without = build("kit-small", augment="strong"), build("kit-small", augment=None)
    without.set_weights(with_it.get_weights())
    view = keras.Model(with_it.input, with_it.get_layer("standardise").output)
    assert not np.allclose(view(images, training=True), view(images, training=False))
    assert np.array_equal(with_it.predict_on_batch(images), without.predict_on_batch(images))
    assert np.array_equal(with_it.predict_on_batch(images), with_it.predict_on_batch(images))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_training_and_inference_see_the_same_pixels(images, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build("kit-small", augment=None)
    finally:
        keras.config.set_dtype_policy("float32")
    mean, variance = TRAINING_PIXELS
    view = keras.Model(model.input, model.get_layer("standardise").output)
    for training in (True, False):
        seen = keras.ops.convert_to_numpy(view(images, training=training))
        np.testing.assert_allclose(seen, (images - mean) / variance**0.5, atol=1e-5)


def test_adapted_pixels_reach_a_compiled_model_and_its_file(images, tmp_path):
    model = build("kit-small")
    before = model.predict_on_batch(images)
    dark = images // 8
    adapt_standardisation(model, dark)
    adapted = model.predict_on_batch(images)
    assert not np.allclose(before, adapted, atol=1e-4)
    view = keras.Model(model.input, model.get_layer("standardise").output)
    seen = view.predict_on_batch(dark)
    assert abs(seen.mean()) < 1e-4
    assert abs(seen.std() - 1) < 1e-4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict_on_batch(images), adapted, atol=1e-6)


def test_mixed_precision_keeps_float32_probabilities(images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("kit-small")
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("embedding").compute_dtype == "bfloat16"
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert np.isfinite(model.train_on_batch(images, np.arange(6)))
    probabilities = model.predict_on_batch(images)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


ON_JAX = """
import json, sys
import keras, numpy as np
from fer_kit.training.losses import CrossEntropy
from fer_kit.models.zoo import build
folder, names = sys.argv[1], sys.argv[2:]
images = np.load(folder + "/images.npy")
answers = {n: keras.saving.load_model(f"{folder}/{n}.keras").predict_on_batch(images).tolist() for n in names}
front = build("choudhari-cnn", augment="strong")
x = keras.layers.Flatten()(front.get_layer("standardise").output)
model = keras.Model(front.input, keras.layers.Dense(7, activation="softmax")(x))
model.compile("sgd", "sparse_categorical_crossentropy")
loss = float(model.train_on_batch(images, np.arange(len(images))))
sure = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
sure.set_weights([np.array([[40.0, -40.0]]), np.zeros(2)])
sure.compile(keras.optimizers.SGD(1.0), CrossEntropy())
sure.train_on_batch(np.ones((1, 1)), np.array([[0.0, 1.0]]))
learnt = sure.get_weights()[0].tolist()
print(json.dumps(answers | {"loss": loss, "compiled": bool(model.jit_compile), "learnt": learnt}))
"""


def test_jax_predicts_the_same_and_compiles_augmentation(images, tmp_path):
    if keras.backend.backend() == "jax" or not importlib.util.find_spec("jax"):
        pytest.skip("needs jax beside another backend: pip install jax")
    np.save(tmp_path / "images.npy", images)
    here = {}
    for name in ("zhao-sepconv", "choudhari-cnn"):
        model = build(name)
        adapt_standardisation(model, images)
        model.save(tmp_path / f"{name}.keras")
        here[name] = model.predict_on_batch(images)
    command = [sys.executable, "-c", ON_JAX, str(tmp_path), *here]
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout.splitlines()[-1])
    for name, probabilities in here.items():
        np.testing.assert_allclose(there[name], probabilities, atol=1e-5, err_msg=name)
    assert there["compiled"]
    assert np.isfinite(there["loss"])
    np.testing.assert_allclose(there["learnt"], [[39, -39]], atol=1e-4)  # from a certain mistake


# Options and wrong ones


def test_gaussian_weights_have_the_deviation_of_the_report():
    kernels = [layer.kernel for layer in of(build("zhao-cnn", gaussian_init=True), keras.layers.Conv2D)]
    for kernel in kernels[1:]:
        assert float(keras.ops.std(kernel)) == pytest.approx(0.04, rel=0.02)
        assert abs(float(keras.ops.mean(kernel))) < 0.001
    separable = build("zhao-sepconv", gaussian_init=True)
    pointwise = [w for w in separable.weights if w.name == "pointwise_kernel"]
    assert float(keras.ops.std(pointwise[-1])) == pytest.approx(0.04, rel=0.05)


def test_the_same_seed_gives_the_same_weights():
    twins = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        twins.append(build("kit-small", gaussian_init=True).get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*twins, strict=True))


def test_one_dropout_rate_for_all():
    model = build("hejslet-light", dropout=0.1)
    assert {layer.rate for layer in of(model, keras.layers.Dropout)} == {0.1}
    with pytest.raises(ValueError, match="zhao-resnet has no Dropout layers"):
        build("zhao-resnet", dropout=0.1)


def test_wrong_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="'hejslet-lite'; did you mean 'hejslet-light'"):
        build("hejslet-lite")
    with pytest.raises(ValueError, match="there are zhao-cnn"):
        build("xyz")
    with pytest.raises(ValueError, match="augmentation 'wild'"):
        build("kit-small", augment="wild")
    with pytest.raises(ValueError, match="at least two classes"):
        build("kit-small", classes=1)


def test_channels_first_is_named_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    with pytest.raises(ValueError, match="channels_first.*keras.json.*channels_last"):
        build("kit-small")


def test_milliseconds_are_the_median_after_a_first_call(monkeypatch):
    called = []
    clock = iter([0, 0.001, 1, 1.002, 2, 2.009])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert milliseconds(called.append, [1, 2, 3]) == pytest.approx(2)
    assert called == [1, 1, 2, 3]
