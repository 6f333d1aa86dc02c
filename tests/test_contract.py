"""What a network has to keep to: refused before anything is trained, wrapped where it takes other things."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from test_distillation import TAUGHT
from test_evaluation import flat_faces
from test_training import QUICK, fit, small_model

from fer_kit.data.emotions import EMOTIONS
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models import contract, exporting, pretrained
from fer_kit.tools.cli import main
from fer_kit.training import loop
from fer_kit.training.records import emotions_of

ALPHABET = tuple(sorted(EMOTIONS))


class Unregistered(layers.Layer):
    """A layer that Keras cannot find when it reads a file."""

    def call(self, x):
        return x / 255


@keras.saving.register_keras_serializable("test_contract")
class Halved(layers.Layer):
    """A layer of one's own, as it should be."""

    def call(self, x):
        return x / 2


@keras.saving.register_keras_serializable("test_contract")
class Forgetful(layers.Layer):
    """A layer that draws a number anew whenever it is made."""

    def __init__(self, **options):
        super().__init__(**options)
        self.drawn = np.random.default_rng().uniform(0, 2, (48, 48, 1)).astype("float32")

    def call(self, x):
        return x / 255 * self.drawn


@keras.saving.register_keras_serializable("test_contract")
class Subclassed(keras.Model):
    """A model whose input nobody knows before it is called."""

    def call(self, x):
        return x


def network(*inside, size=48, channels=1, dtype="uint8", outputs=7, activation="softmax", shape=None):
    x = inputs = keras.Input(shape or (size, size, channels), dtype=dtype)
    for layer in inside or [layers.Rescaling(1 / 255)]:
        x = layer(x)
    answers = layers.Dense(outputs, activation=activation)(layers.Flatten()(x))
    return keras.Model(inputs, answers, name="theirs")


def two_inputs():
    faces, more = keras.Input((48, 48, 1), dtype="uint8"), keras.Input((3,))
    x = layers.Concatenate()([layers.Flatten()(layers.Rescaling(1.0)(faces)), more])
    return keras.Model([faces, more], layers.Dense(7, activation="softmax")(x), name="theirs")


def two_outputs():
    one = network()
    return keras.Model(one.inputs, [one.outputs[0], one.outputs[0]], name="theirs")


WRONG = {
    "a Lambda": (lambda: network(layers.Lambda(lambda x: x / 255)), "has a Lambda layer.*Rescaling"),
    "a Lambda inside": (
        lambda: network(keras.Sequential([keras.Input((48, 48, 1)), layers.Lambda(lambda x: x / 255)])),
        "has a Lambda layer.*Rescaling",
    ),
    "a layer nobody knows": (lambda: network(Unregistered()), "cannot be saved and opened.*register_keras"),
    "a layer that forgets": (lambda: network(Forgetful()), "answers differently after it was saved"),
    "64 pixels": (lambda: network(size=64), r"takes uint8 \(64, 64, 1\).*models.adapt"),
    "colours": (lambda: network(channels=3), r"takes uint8 \(48, 48, 3\).*models.adapt"),
    "floats": (lambda: network(dtype="float32"), r"takes float32.*dtype='uint8'.*models.adapt"),
    "logits": (lambda: network(activation=None), "add up to 1.*logits=True"),
    "sigmoids": (lambda: network(activation="sigmoid"), "add up to 1.*softmax"),
    "six outputs": (lambda: network(outputs=6), "theirs has 6 outputs, the faces 7 emotions: angry"),
    "maps as outputs": (
        lambda: keras.Model(
            (i := keras.Input((48, 48, 1), dtype="uint8")), layers.Rescaling(1.0)(i), name="theirs"
        ),
        r"theirs has \(48, 48, 1\) outputs, the faces 7",
    ),
    "two inputs": (two_inputs, "has 2 inputs, and here a network has one"),
    "two outputs": (two_outputs, "has 2 outputs, and here a network has one"),
    "a dict": (
        lambda: keras.Model((one := network()).inputs, {"emotion": one.outputs[0]}, name="theirs"),
        "takes or returns a dict.*keras.Model",
    ),
    "NaN": (lambda: network(layers.Rescaling(np.nan)), "numbers that are none.*training diverged"),
    "no input": (
        lambda: keras.Sequential([layers.Flatten(), layers.Dense(7)], name="theirs"),
        "theirs is not built.*keras.Input",
    ),
    "a subclass": (lambda: Subclassed(name="theirs"), "theirs is not built.*keras.Model"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_could_not_be_kept_is_refused_before_anything_is_written(few, tmp_path, name):
    build, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        loop.fit(build(), few, QUICK, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_layer_of_ones_own_that_keras_knows_trains_and_comes_back(few, tmp_path):
    run = fit(few, tmp_path / "run", model=network(layers.Rescaling(1 / 255), Halved()), epochs=1)
    assert run.finished and run.model().predict(few.x[:2], verbose=0).shape == (2, 7)
    assert emotions_of(run.folder / "best.keras", run.model()) == EMOTIONS


def test_the_precision_of_a_model_of_ones_own_is_its_own(few, tmp_path):
    with pytest.raises(ValueError, match="precision='mixed_bfloat16' is for a named model.*in float32"):
        fit(few, tmp_path / "run", model=network(), precision="mixed_bfloat16")
    assert fit(few, tmp_path / "run", model=network(), epochs=1, precision="float32").finished


@pytest.mark.parametrize(
    ("options", "values", "prepare"),
    [
        ({"size": 64}, (0, 255), lambda x: keras.ops.image.resize(x, (64, 64))),
        ({"channels": 3}, (0, 1), lambda x: np.repeat(x / 255, 3, axis=-1)),
        ({}, (-1, 1), lambda x: x / 127.5 - 1),
        ({"activation": None}, (0, 255), lambda x: x),
        ({"shape": (2304,)}, (0, 1), lambda x: x.reshape(-1, 2304) / 255),
        ({"shape": (48, 48)}, (0, 1), lambda x: x[..., 0] / 255),
        ({"shape": (1, 48, 48)}, (0, 255), lambda x: x.transpose(0, 3, 1, 2)),
    ],
    ids=["64 pixels", "colours", "-1 to 1", "logits", "a row", "no channel", "channels first"],
)
def test_an_adapted_network_answers_as_it_did_to_what_it_takes(few, tmp_path, options, values, prepare):
    theirs = network(layers.Rescaling(1 / 99), dtype="float32", **options)
    logits = options.get("activation", "") is None
    ours = contract.adapt(theirs, values=values, logits=logits)
    contract.check(ours, few)
    expected = theirs.predict(np.asarray(prepare(few.x[:5].astype("float32"))), verbose=0)
    if logits:
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(expected))
    ours.save(tmp_path / "wrapped.keras")
    np.testing.assert_allclose(ours.predict(few.x[:5], verbose=0), expected, atol=1e-4)
    again = pretrained.load_model(tmp_path / "wrapped.keras")
    np.testing.assert_allclose(exporting.fast(again)(few.images[:5]), expected, atol=1e-4)


def test_what_is_no_picture_cannot_be_adapted():
    with pytest.raises(ValueError, match=r"takes \(48, 48, 2\), no grey or RGB picture"):
        contract.adapt(network(channels=2))


# ---- files from elsewhere ----


def reader_of(values, name="reader"):
    """A network that reads the label of `flat_faces` off the grey level; `values` are its black and white."""
    black, white = values
    faces = keras.Input((48, 48, 1))
    x = layers.Rescaling(255 / (white - black), -255 * black / (white - black))(faces)
    dense = layers.Dense(7, activation="softmax")
    model = keras.Model(faces, dense(layers.GlobalAveragePooling2D()(x)), name=name)
    k = np.arange(7)
    dense.set_weights([(60.0 * k)[None] / 100, -((30 * k + 3.5) ** 2 - 3.5**2) / 100])
    return model


@pytest.mark.parametrize(
    ("values", "words"), [((0, 1), "0 to 1"), ((-1, 1), "-1 to 1")], ids=["0 to 1", "-1 to 1"]
)
def test_a_network_that_expects_other_values_is_not_scored(tmp_path, values, words):
    faces = flat_faces(np.arange(70) % 7)
    theirs = reader_of(values)
    theirs.save(tmp_path / "theirs.keras")
    for model in (theirs, tmp_path / "theirs.keras"):
        with pytest.raises(
            ValueError, match=f"same answer when pixels go from 0 to 255.*from {words}: a score"
        ):
            evaluate(model, faces, names=EMOTIONS)
    contract.adapt(theirs, values=values).save(tmp_path / "wrapped.keras")
    assert evaluate(tmp_path / "wrapped.keras", faces, names=EMOTIONS).accuracy == 1


def test_a_network_that_was_wrapped_with_the_wrong_values_is_found(tmp_path):
    wrapped = contract.adapt(reader_of((0, 255)), values=(0, 1))
    with pytest.raises(ValueError, match="tells them apart when they go from 0 to 65,025"):
        evaluate(wrapped, flat_faces(np.arange(70) % 7), names=EMOTIONS)


def test_one_answer_for_all_is_a_score_where_no_range_does_better():
    always = network(layers.Rescaling(0.0))
    always.layers[-1].bias.assign([9.0] + [0] * 6)
    assert evaluate(always, flat_faces(np.arange(70) % 7)).accuracy == pytest.approx(1 / 7)


def test_a_file_from_elsewhere_is_asked_for_the_order_of_its_outputs(tmp_path, capsys):
    faces = flat_faces([EMOTIONS.index(name) for name in ALPHABET] * 5)
    theirs = tmp_path / "theirs.keras"
    contract.adapt(reader_of((0, 255))).save(theirs)
    for given in (None, EMOTIONS[:6], EMOTIONS[:6] + ("angry",)):
        with pytest.raises(ValueError, match="7 outputs.*in their order"):
            evaluate(theirs, faces, names=given)
    assert evaluate(theirs, faces, names=EMOTIONS).accuracy == 1
    assert main(["evaluate", str(theirs), "--data", "sample"]) == 2
    assert "--outputs" in capsys.readouterr().err
    assert main(["evaluate", str(theirs), "--data", "sample", "--outputs", ",".join(ALPHABET)]) == 0


def test_a_teacher_from_elsewhere_says_what_it_tells_apart(few, tmp_path):
    small_model(plain=True).save(tmp_path / "theirs.keras")
    with pytest.raises(ValueError, match="does not say which emotions its outputs stand for"):
        fit(few, tmp_path / "run", TAUGHT, teacher=tmp_path / "theirs.keras")
    other = replace(few, names=EMOTIONS[:5] + ("neutral", "surprise"))
    run = fit(other, tmp_path / "teacher", epochs=1)
    with pytest.raises(
        ValueError, match="tells angry.*neutral, surprise apart, the faces angry.*surprise, neutral"
    ):
        fit(few, tmp_path / "run", TAUGHT, teacher=run)
    assert not (tmp_path / "run").exists()
