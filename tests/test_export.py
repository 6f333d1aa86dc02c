"""Exported networks answer as Keras does, in any batch, and hold nothing random."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from fer_kit.models import exporting, zoo
from fer_kit.runtime.devices import precision_policy
from fer_kit.tools import watch

NAMES = tuple("abcdefg")

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras exports from TensorFlow"
)


@pytest.fixture(scope="module")
def model():
    """An untrained kit-small with the strongest augmentation, in half precision: the hardest case."""
    keras.utils.set_random_seed(1)
    with precision_policy("mixed_bfloat16"):
        return zoo.build("kit-small", augment="strong")


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(3).integers(0, 256, (8, 48, 48), np.uint8)


@pytest.fixture(scope="module")
def compiled(model):
    return exporting.fast(model)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """The model exported, by format; formats whose packages are missing are not there."""
    folder, written = tmp_path_factory.mktemp("exported"), {}
    for to, needs in (("litert", "ai_edge_litert"), ("onnx", "tf2onnx")):
        try:
            __import__(needs)
        except ImportError:
            continue
        written[to] = exporting.export(model, to, folder / f"small{exporting.SUFFIXES[to]}", names=NAMES)
    return written


@pytest.mark.parametrize("to", exporting.SUFFIXES)
@pytest.mark.parametrize("count", exporting.BATCHES)
def test_answers_are_those_of_keras(to, count, files, compiled, faces):
    if to not in files:
        pytest.skip(f"no packages for {to}: pip install 'fer-kit[export]'")
    answer = exporting.load_exported(files[to])(faces[:count])
    assert answer.dtype == np.float32 and answer.shape == (count, 7)
    np.testing.assert_allclose(answer, compiled(faces[:count]), atol=1e-5)


def test_compiled_is_predict_in_float32(faces):
    model = zoo.build("zhao-sepconv")
    expected = model.predict(faces[..., None], verbose=0)
    np.testing.assert_allclose(exporting.fast(model)(faces), expected, atol=1e-5)
    assert expected.std() > 1e-3  # answers that say something


def test_nothing_random_is_exported(model, files):
    plain = exporting.for_inference(model)
    assert not [layer.name for layer in plain.layers if layer.name.startswith("random")]
    assert {layer.compute_dtype for layer in plain.layers} <= {"float32", "uint8"}
    if "onnx" in files:
        import onnx

        kinds = {node.op_type for node in onnx.load(files["onnx"]).graph.node}
        assert "Conv" in kinds and not [kind for kind in kinds if "Random" in kind or "Dropout" in kind]


def test_the_standardisation_is_the_models_own(faces):
    model = zoo.build("kit-small", augment=None)
    zoo.adapt_standardisation(model, faces // 4)
    np.testing.assert_allclose(
        exporting.fast(model)(faces), model.predict(faces[..., None], verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("to", exporting.SUFFIXES)
def test_several_threads_may_ask_at_once(to, files, compiled, faces):
    if to not in files:
        pytest.skip(f"no packages for {to}: pip install 'fer-kit[export]'")
    classify = exporting.load_exported(files[to])
    expected = compiled(faces)

    def ask(seed):
        for count in np.random.default_rng(seed).integers(1, 9, 40):
            np.testing.assert_allclose(classify(faces[:count]), expected[:count], atol=1e-5)
        return seed

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [0, 1, 2, 3]


@pytest.mark.parametrize("to", exporting.SUFFIXES)
def test_a_file_keeps_the_emotions_of_its_outputs(to, files):
    if to not in files:
        pytest.skip(f"no packages for {to}: pip install 'fer-kit[export]'")
    assert exporting.labels_of(files[to]) == NAMES
    other_words = ["anger" if name == "angry" else name for name in NAMES]
    assert watch.classifier(files[to])[1] == watch.classifier(files[to], other_words)[1] == NAMES
    with pytest.raises(ValueError, match="as it says itself, and not"):
        watch.classifier(files[to], NAMES[::-1])


@pytest.mark.parametrize("names", [("a", "b"), ("happy", "happy", *NAMES[2:])])
def test_a_file_gets_one_name_for_each_output(model, tmp_path, names):
    with pytest.raises(ValueError, match="Give one name for each output"):
        exporting.export(model, "litert", tmp_path / "a.tflite", names=names)
    assert not list(tmp_path.iterdir())


def test_a_file_without_them_is_asked_for_them(model, tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = exporting.export(model, "litert", tmp_path / "nameless.tflite")
    assert exporting.labels_of(path) is None
    with pytest.raises(ValueError, match="nameless.tflite does not say which emotion"):
        watch.classifier(path)
    assert watch.classifier(path, NAMES)[1] == NAMES


def test_what_returns_no_probabilities_is_neither_exported_nor_watched(model, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_litert")
    network = keras.Model(model.inputs, keras.layers.Activation("sigmoid")(model.outputs[0]), name="sums")
    broken = keras.models.clone_model(network)
    broken.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    for bad, why in ((network, "add up to"), (broken, "NaN")):
        with pytest.raises(ValueError, match=why):
            exporting.export(bad, "litert", tmp_path / "bad.tflite")
    assert not (tmp_path / "bad.tflite").exists()
    monkeypatch.setattr(exporting, "check_probabilities", lambda *_: None)  # as another program exports it
    exporting.export(network, "litert", tmp_path / "theirs.tflite", names=NAMES)
    with pytest.raises(ValueError, match="theirs.tflite, are .*: no probabilities"):
        watch.classifier(tmp_path / "theirs.tflite")


def test_a_network_of_floats_is_wrapped_before_it_is_exported(faces, tmp_path):
    pixels = keras.Input((48, 48, 1))
    answers = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(pixels))
    floats = keras.Model(pixels, answers, name="floats")
    with pytest.raises(ValueError, match="floats takes float32.*models.adapt"):
        exporting.export(floats, "litert", tmp_path / "floats.tflite")
    expected = floats.predict(faces[..., None].astype("float32"), verbose=0)
    np.testing.assert_allclose(exporting.fast(floats)(faces), expected, atol=1e-5)


def test_a_sequential_network_is_as_fast_as_any(faces):
    def ended(*begin):
        return keras.Sequential([*begin, keras.layers.Flatten(), keras.layers.Dense(7, activation="softmax")])

    begin = [keras.Input((48, 48, 1), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
    inside = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Conv2D(4, 3)])
    built = ended()
    built(np.zeros((1, 48, 48, 1), np.float32))
    for theirs in (ended(*begin), ended(*begin, keras.layers.RandomFlip(), inside), built):
        takes = keras.backend.standardize_dtype(theirs.inputs[0].dtype)
        expected = theirs.predict(faces[..., None].astype(takes), verbose=0)
        np.testing.assert_allclose(exporting.fast(theirs)(faces), expected, atol=1e-5)


@pytest.mark.parametrize(("to", "needs"), [("litert", "ai_edge_litert"), ("onnx", "tf2onnx")])
def test_a_file_that_takes_something_else_than_faces_is_refused(to, needs, tmp_path):
    pytest.importorskip(needs)
    pixels = keras.Input((48, 48, 1))
    answers = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(pixels))
    theirs = keras.Model(pixels, answers)
    theirs(np.zeros((1, 48, 48, 1), np.float32))
    path = tmp_path / f"theirs{exporting.SUFFIXES[to]}"
    theirs.export(path, format=to, verbose=False)
    with pytest.raises(ValueError, match=r"takes float.* \(48, 48, 1\) .*models.adapt"):
        exporting.load_exported(path)


def test_no_faces_and_wrong_faces(compiled, faces):
    assert compiled(faces[:0]).shape == (0, 7)
    for wrong in (faces[0], faces / 255, faces[:, :40]):
        with pytest.raises(ValueError, match=r"faces must be uint8 \(N, 48, 48\), not"):
            compiled(wrong)


def test_files_that_cannot_be_read(tmp_path, model):
    with pytest.raises(ValueError, match="no format 'tflite'; there are litert, onnx"):
        exporting.export(model, "tflite")
    with pytest.raises(ValueError, match="should end with .tflite"):
        exporting.export(model, "litert", tmp_path / "small.lite")
    with pytest.raises(FileNotFoundError, match="fer_kit export MODEL"):
        exporting.load_exported(tmp_path / "none.tflite")
    with pytest.raises(ValueError, match="neither a .tflite nor an .onnx"):
        exporting.load_exported(tmp_path / "model.keras")
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "cut.tflite").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="cut.tflite cannot be read"):
        exporting.load_exported(tmp_path / "cut.tflite")


@pytest.mark.parametrize("to", exporting.SUFFIXES)
def test_another_backend_is_named(model, tmp_path, monkeypatch, to):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(
        ImportError, match="exports from TensorFlow, and is set to jax.*KERAS_BACKEND=tensorflow"
    ):
        exporting.export(model, to, tmp_path / f"small{exporting.SUFFIXES[to]}")
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "fer-kit\[onnx\]"'):
        exporting.export(model, "onnx", tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())


def test_command_line(tmp_path, capsys):
    pytest.importorskip("ai_edge_litert")
    from fer_kit.tools.cli import main

    zoo.build("zhao-sepconv", augment=None).save(tmp_path / "small.keras")
    out = tmp_path / "small.tflite"
    assert main(["export", str(tmp_path / "small.keras"), "--to", "litert", "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out and out.stat().st_size > 50_000
    assert main(["export", str(tmp_path / "none.keras"), "--to", "litert"]) == 2
    assert "none.keras" in capsys.readouterr().err
