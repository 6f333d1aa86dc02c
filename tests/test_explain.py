"""Explanations point at the evidence, also inside nested backbones, and leave the model as it was."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras import layers

from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import FaceSet
from fer_kit.evaluation import explain, saliency
from fer_kit.evaluation.scores import Scores
from fer_kit.models.layers import all_layers
from fer_kit.plots import explain as explain_plots

CORNERS = {0: (slice(4, 14), slice(4, 14)), 1: (slice(34, 44), slice(34, 44))}


def patches(count=96, seed=0):
    """Dark noise: a bright patch at the upper left is label 0, stripes at the lower right 1, neither 2."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 48, 48)).astype(np.uint8)
    labels = np.arange(count) % 3
    for label, corner in CORNERS.items():
        images[(labels == label, *corner)] = 230
    images[labels == 1, 34:44, 34:44:2] = 0
    return FaceSet(images, labels, "PublicTest", ("angry", "happy", "neutral"), source="patches")


def with_patch(count):
    """Faces that the models have not seen, those with a patch in a corner."""
    data = patches(count, seed=1)
    return data[data.labels < 2]


def trunk(shape):
    maps = keras.Input(shape)
    x = layers.Conv2D(8, 3, activation="relu", padding="same", name="first")(maps)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(8, 3, padding="same", name="second")(x)
    x = layers.ReLU(name="last_conv")(x)
    return keras.Model(maps, x, name="trunk")


@pytest.fixture(scope="module", params=["flat", "nested"])
def model(request):
    """A network trained to tell the corners apart; in `nested` its convolutions are a layer of their own."""
    keras.utils.set_random_seed(0)
    faces = keras.Input((48, 48, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(faces)
    inner = trunk((48, 48, 1))
    if request.param == "nested":
        x = inner(x)
    else:
        for layer in inner.layers[1:]:
            x = layer(x)
    x = layers.Dense(8, activation="relu", name="embedding")(layers.GlobalMaxPooling2D()(x))
    network = keras.Model(faces, layers.Dense(3, activation="softmax")(x), name=request.param)
    network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = patches()
    network.fit(data.x, data.labels, batch_size=16, epochs=10, verbose=0)
    assert network.evaluate(data.x, data.labels, verbose=0)[1] == 1
    return network


def share_in_patch(heat, labels):
    """The share of the heat that lies within the patch, for each face; the patch is 4 % of the face."""
    heat = np.maximum(heat, 0)
    return [h[CORNERS[k]].sum() / max(h.sum(), 1e-9) for h, k in zip(heat, labels, strict=True)]


def test_grad_cam_finds_the_evidence(model):
    data = with_patch(12)
    heat = explain.grad_cam(model, data.images)
    assert heat.shape == (8, 48, 48) and heat.min() >= 0 and heat.max() == pytest.approx(1)
    assert np.mean(share_in_patch(heat, data.labels)) > 0.25  # six times what heat everywhere would give


@pytest.mark.parametrize("softmax", [layers.Softmax(), keras.ops.softmax])
@pytest.mark.parametrize("cast", [False, True])
def test_a_softmax_that_is_a_layer_is_left_out_like_one_that_is_an_activation(model, softmax, cast):
    last = model.layers[-1]
    scores = layers.Dense(3)
    told = softmax(scores(last.input))
    other = keras.Model(model.inputs[0], layers.Activation("linear", dtype="float32")(told) if cast else told)
    scores.set_weights([50 * weight for weight in last.get_weights()])  # sure: no gradient is left
    usual = keras.models.clone_model(model)
    usual.set_weights(model.get_weights())
    usual.layers[-1].set_weights(scores.get_weights())
    data = with_patch(6)
    for explanation in (explain.grad_cam, explain.guided_backpropagation):
        heat = explanation(other, data.images)
        assert heat.any(axis=(1, 2)).all()
        np.testing.assert_allclose(heat, explanation(usual, data.images), atol=1e-4)
    assert np.allclose(other.predict(data.x, verbose=0).sum(1), 1)


def test_grad_cam_of_the_other_emotion_looks_elsewhere(model):
    data = with_patch(12)
    other = explain.grad_cam(model, data.images, emotion=1 - data.labels)
    own = explain.grad_cam(model, data.images, emotion=data.labels)
    assert np.mean(share_in_patch(other, data.labels)) < np.mean(share_in_patch(own, data.labels))


def test_guided_backpropagation_finds_the_edges_of_the_evidence(model):
    data = with_patch(12)
    heat = explain.guided_backpropagation(model, data.images)
    assert heat.shape == (8, 48, 48)
    assert np.abs(heat).max() == pytest.approx(1)
    assert np.mean(share_in_patch(np.abs(heat), data.labels)) > 0.6


def test_guided_relu_lets_back_only_positive_gradients():
    faces = keras.Input((2, 2, 1), dtype="uint8")
    x = layers.Rescaling(1.0)(faces)
    x = layers.Conv2D(2, 1, use_bias=False, activation="relu", name="conv")(x)
    outputs = layers.Dense(2, use_bias=False, name="scores")(layers.Flatten()(x))
    network = keras.Model(faces, outputs)
    network.get_layer("conv").set_weights([np.array([1.0, 1.0]).reshape(1, 1, 1, 2)])
    # The first channel speaks for emotion 0 with weight 3, the second against it with weight -5.
    network.get_layer("scores").set_weights([np.tile([[3.0, 0.0], [-5.0, 0.0]], (4, 1))])
    image = np.full((1, 2, 2), 10, np.uint8)
    heat = explain.guided_backpropagation(network, image, emotion=0)
    assert (heat == 1).all()  # without the gate the gradient would be 3 - 5 < 0


def test_occlusion_costs_most_over_the_evidence(model):
    data = with_patch(2)
    loss = explain.occlusion(model, data.images, data.labels, patch=12, stride=12)
    assert loss.shape == (2, 48, 48)
    for heat, label in zip(loss, data.labels, strict=True):
        assert heat[CORNERS[label]].max() == heat.max()


def test_explaining_leaves_the_model_as_it_was(model):
    data = with_patch(12)
    before = model.predict(data.x, verbose=0)
    explain.guided_backpropagation(model, data.images)
    with pytest.raises(ValueError):
        explain.grad_cam(model, data.images[:, :20])
    for layer in all_layers(model):
        assert "call" not in vars(layer)
    np.testing.assert_array_equal(model.predict(data.x, verbose=0), before)


def test_feature_maps_and_activations_of_any_layer(model):
    data = patches(4)
    assert explain.feature_maps(model, data.images[0], "first").shape == (8, 48, 48)
    assert explain.feature_maps(model, data.images[0], "last_conv").min() >= 0
    embedding = explain.activations(model, data.images, "embedding", batch_size=3)
    assert embedding.shape == (4, 8)
    with pytest.raises(ValueError, match="no layer 'frist'; did you mean 'first'"):
        explain.feature_maps(model, data.images[0], "frist")
    with pytest.raises(ValueError, match="not maps"):
        explain.feature_maps(model, data.images[0], "embedding")


def test_last_convolution_is_found_without_its_name():
    faces = keras.Input((48, 48, 1))
    maps = layers.Conv2D(2, 3, name="only")(faces)
    network = keras.Model(faces, layers.Dense(2)(layers.Flatten()(maps)))
    assert saliency.last_convolution(network).name == "only"
    no_maps = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="has no convolution"):
        saliency.last_convolution(no_maps)


def test_project_finds_the_axis_of_most_variance():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3, 4)) * 0.1
    features[:, 1, 2] += np.linspace(-10, 10, 200)
    points, shares = explain.project(features, 3)
    assert points.shape == (200, 3) and shares[0] > 0.99
    assert abs(np.corrcoef(points[:, 0], features[:, 1, 2])[0, 1]) > 0.999


@pytest.fixture
def scores():
    data = FaceSet(patches(6).images, [0, 1] * 3, "PublicTest", ("angry", "happy"), source="patches")
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.3, 0.7]])
    return Scores(data, probabilities, "PublicTest")


def test_confident_mistakes_come_surest_first(scores):
    assert explain.confident_mistakes(scores).tolist() == [4, 1]
    assert explain.confident_mistakes(scores, 1).tolist() == [4]


def test_random_faces_of_an_emotion(scores):
    rows = explain.random_of(scores, "happy", 2)
    assert len(rows) == 2 and set(rows) <= {1, 3, 5}
    assert rows.tolist() == explain.random_of(scores, "happy", 2).tolist()
    with pytest.raises(ValueError, match="no emotion 'glad'"):
        explain.random_of(scores, "glad")


def test_captions_are_green_when_right_and_red_when_wrong(scores):
    figure = explain_plots.true_against_predicted(scores, [0, 1])
    titles = [axis.title for axis in figure.axes]
    assert [t.get_color() for t in titles] == [explain_plots.RIGHT, explain_plots.WRONG]
    assert titles[0].get_text() == "angry\n90 %"
    assert titles[1].get_text() == "happy > angry\n80 %"
    plt.close(figure)


def titles_of(figure):
    return [axis.get_title() for axis in figure.axes]


def test_heat_lies_in_a_row_below_the_faces(scores):
    data = scores.scored
    heats = {"Grad-CAM": np.random.rand(6, 48, 48), "guided": np.random.randn(6, 48, 48)}
    figure = explain_plots.heat_over_faces(data, heats, title="Heat")
    assert figure.get_suptitle() == "Heat"
    assert titles_of(figure) == ["angry", "happy"] * 3 + [""] * 12
    assert [axis.get_ylabel() for axis in figure.axes[::6]] == ["face", "Grad-CAM", "guided"]
    assert [len(axis.images) for axis in figure.axes[::6]] == [1, 2, 1], (
        "signed maps are drawn without the face"
    )


def test_an_answer_stands_beside_its_face():
    figure = explain_plots.face_and_answer(np.zeros((48, 48), np.uint8), np.eye(7)[3], "covered", "a source")
    face, answer = figure.axes
    assert figure.get_suptitle() == "covered" and len(face.images) == 1
    assert [bar.get_width() for bar in answer.patches] == [0, 0, 0, 100, 0, 0, 0]
    assert [text.get_text() for text in answer.get_yticklabels()] == list(EMOTIONS)
    assert "%" in answer.get_xlabel() and "pixel" in face.get_xlabel()


def test_the_maps_that_vary_most_are_drawn_in_their_order():
    maps = np.random.default_rng(0).normal(size=(20, 6, 6)) * np.linspace(2, 1, 20)[:, None, None]
    maps[[3, 8]] = 0
    figure = explain_plots.map_grid(maps, count=18)
    assert titles_of(figure)[:18] == [f"channel {k}" for k in range(20) if k not in (3, 8)]
    assert figure.get_suptitle() == "Feature maps"
    assert not any(axis.axison for axis in figure.axes), "places that stay empty have no frame"


@pytest.mark.parametrize("shares", [(0.5, 0.2), (0.5, 0.2, 0.1)], ids=["flat", "in space"])
def test_points_have_a_colour_per_emotion_and_the_variance_at_the_axes(scores, shares):
    data = scores.scored
    figure = explain_plots.scatter(np.random.rand(6, len(shares)), data.labels, data.names, shares)
    (axis,) = figure.axes
    assert "Principal components" in (axis.get_title(), axis.get_title(loc="left"))
    assert axis.get_ylabel().startswith("component 2 (20.0%")
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(data.names)
    assert len(axis.collections) == len(data.names)
