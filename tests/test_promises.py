"""What docstrings promise of unusual input: what it becomes, or which error it meets."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from fer_kit import models
from fer_kit.data import augmentation_layers
from fer_kit.data.augment import augment_face
from fer_kit.data.doctor.wrong_labels import likely_wrong_labels
from fer_kit.data.faceset import FaceSet
from fer_kit.evaluation import evaluate, explain, metrics
from fer_kit.evaluation.scoring import predict
from fer_kit.plots.explain import scatter
from fer_kit.runtime import settings
from fer_kit.studies.reproduction import finished_runs
from fer_kit.training.recipes import RECIPES
from fer_kit.training.records import RECORDS


def plain_network(*inner, name="plain"):
    """A network of seven outputs that the kit did not build."""
    network = [keras.Input((48, 48, 1)), layers.Rescaling(1 / 255), *inner]
    return keras.Sequential([*network, layers.Flatten(), layers.Dense(7, activation="softmax")], name=name)


@pytest.fixture(scope="module")
def convolving():
    keras.utils.set_random_seed(0)
    return plain_network(layers.Conv2D(4, 3, strides=4, activation="relu"))


# ---- few faces ----


def test_of_a_few_faces_no_range_is_guessed(faces):
    """Chance alone tells a handful apart in some range, and faces of one emotion in any."""
    for seed in range(4):
        keras.utils.set_random_seed(seed)
        network = plain_network()
        for few in (faces.sample(10, seed), faces.of("happy").sample(300, seed)):
            with pytest.warns(UserWarning, match="does not say which emotions its 7 outputs stand for"):
                evaluate(network, few, "all")


def test_seven_outputs_that_nobody_names_are_said_to_be_taken_for_the_seven(convolving, faces):
    with pytest.warns(UserWarning, match="taken for angry, disgust, fear, happy, sad, surprise, neutral"):
        evaluate(convolving, faces.sample(50), "all")


# ---- looking inside ----


def test_occlusion_takes_faces_with_and_without_an_axis_of_channels(convolving, faces):
    images = faces.images[:2]
    with_axis = explain.occlusion(convolving, images[..., None], patch=24, stride=24)
    np.testing.assert_array_equal(with_axis, explain.occlusion(convolving, images, patch=24, stride=24))


@pytest.mark.parametrize("look", [explain.grad_cam, explain.guided_backpropagation])
def test_a_network_without_convolutions_has_no_maps(look, faces):
    with pytest.raises(ValueError, match="dense has no convolution"):
        look(plain_network(name="dense"), faces.images[:2])


@pytest.mark.parametrize("emotion", [9, -1, "happy", 0.5, [0, 7]])
@pytest.mark.parametrize("look", [explain.grad_cam, explain.guided_backpropagation, explain.occlusion])
def test_an_emotion_that_is_no_label_is_refused(look, emotion, convolving, faces):
    with pytest.raises(ValueError, match="whole number from 0 to 6"):
        look(convolving, faces.images[:2], emotion)


def test_scatter_takes_lists():
    figure = scatter(np.zeros((4, 2)), [0, 1, 1, 0], ("a", "b"), (0.5, 0.5))
    assert sum(len(dots.get_offsets()) for dots in figure.axes[0].collections) == 4


# ---- NumPy's numbers, and numbers that are none ----


def test_numbers_of_numpy_are_taken():
    recipe = replace(RECIPES["hejslet"], batch_size=np.int64(16), learning_rate=np.float32(0.5))
    assert (type(recipe.batch_size), type(recipe.learning_rate)) == (int, float)
    assert type(settings.choose_seed(np.int64(3))) is int
    assert augmentation_layers("light", seed=np.int64(3))
    assert models.build("kit-small", np.int64(3), augment=None).output_shape[-1] == 3
    with pytest.raises(TypeError):
        models.build("kit-small", 2.7)


@pytest.mark.parametrize("seed", [1.5, "3", -1, 2**32])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="give a whole number"):
        settings.choose_seed(seed)


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_there_is_no_half_an_epoch(name):
    with pytest.raises(ValueError, match=f"{name} is 1.5; it must be a whole number"):
        replace(RECIPES["hejslet"], **{name: 1.5})


# ---- faces and labels ----


def test_a_faceset_of_lists_is_one_of_arrays_and_tuples(faces):
    few = faces[:3]
    listed = FaceSet(few.images, few.labels.tolist(), few.usage.tolist(), list(few.names))
    assert listed.names == few.names and listed.fingerprint == few.fingerprint
    with pytest.raises(ValueError, match="images must be uint8"):
        FaceSet(few.images.tolist(), few.labels, few.usage)


def test_targets_are_finite_float32(faces):
    few = faces[:3]
    assert replace(few, targets=np.eye(7)[few.labels].tolist()).targets.dtype == np.float32
    with pytest.raises(ValueError, match="targets must be finite"):
        replace(few, targets=np.full((3, 7), np.nan))


@pytest.mark.parametrize("draw", ["sample", "per_usage", "per_emotion"])
def test_fewer_than_no_faces_cannot_be_drawn(draw, faces):
    with pytest.raises(ValueError, match="-1 faces cannot be drawn"):
        getattr(faces, draw)(-1)


def test_a_dataset_without_training_faces_offers_no_way_that_fails(faces):
    with pytest.raises(ValueError) as told:
        faces.public_test.training  # noqa: B018
    assert "hold_out" not in str(told.value)


def test_a_file_of_other_arrays_is_named(faces, tmp_path):
    few = faces[:3]
    fields = {
        "images": few.images.astype(float),
        "labels": few.labels,
        "usage": few.usage,
        "names": few.names,
    }
    np.savez(tmp_path / "f.npz", **fields, files=few.files, source="x", notes=np.zeros((0, 2), str))
    with pytest.raises(ValueError, match=r"f\.npz is not a FaceSet file .*uint8"):
        FaceSet.load(tmp_path / "f.npz")


def test_a_list_is_no_face(faces):
    with pytest.raises(ValueError, match="a face is uint8"):
        augment_face(faces.images[0].tolist(), np.random.default_rng(0))


def test_labels_out_of_range_are_counted_nowhere():
    for labels, predicted in (([0, 1], [0, 3]), ([0, -1], [0, 1]), ([0], [0, 1])):
        with pytest.raises(ValueError):
            metrics.confusion_matrix(labels, predicted, 3)
    with pytest.raises(ValueError, match="labels from 0 to K - 1"):
        likely_wrong_labels(np.full((2, 3), 1 / 3), [0, -1])


def test_predict_takes_faces_alone(convolving, faces):
    for wrong in (faces.x[:2], faces.images[:0], faces.images[:2] / 255):
        with pytest.raises(ValueError, match="images must be uint8"):
            predict(convolving, wrong)


# ---- paths ----


def test_records_lie_at_a_str_or_a_path():
    assert [run.folder.name for run in finished_runs(str(RECORDS))] == [
        run.folder.name for run in finished_runs(RECORDS)
    ]


def test_a_run_folder_is_no_model_file():
    with pytest.raises(ValueError, match="is a folder; of a run, open its best.keras"):
        models.load_model(RECORDS / "kit-small")


def test_dropout_is_refused_for_what_is_wrong():
    with pytest.raises(ValueError, match="has no Dropout layers"):
        models.build("zhao-resnet", dropout=0.5)
    with pytest.raises(ValueError, match="dropout is 1"):
        models.build("hejslet-light", dropout=1)


def test_a_precision_that_keras_lacks_is_not_recommended(faces, tmp_path):
    from fer_kit.training import fit

    with pytest.raises(ValueError, match="no precision 'bf16'"):
        fit(models.build("kit-small"), faces, "hejslet", tmp_path / "run", precision="bf16", epochs=1)
