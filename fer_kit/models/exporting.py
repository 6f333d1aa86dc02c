"""Fast predictions for a few faces: one compiled function, and files for LiteRT and ONNX Runtime.

All of them turn faces uint8 (N, 48, 48), 0-255, into probabilities float32 (N, K), for any N, and agree to
1e-5: they compute in float32, without augmentation, however the model was trained.
"""

import contextlib
import io
import json
import logging
import os
import tempfile
import threading
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

from fer_kit.data.faceset import SIZE
from fer_kit.models.contract import FACE, HOW_TO_WRAP, check_input, check_names, check_probabilities
from fer_kit.runtime.extras import how_to_install
from fer_kit.runtime.files import check_free, replacing
from fer_kit.runtime.stderr import quiet

SUFFIXES = {"litert": ".tflite", "onnx": ".onnx"}
BATCHES = (1, 2, 3, 8)
"""The batch sizes with which an exported file is tested before it is kept."""
LABELS = "labels.txt"
"""Where a file keeps the emotions of its outputs, a line each: a .tflite file as TensorFlow Lite's own tools
do it, in an archive at its end; an .onnx file as a property of this name."""


def fast(model):
    """Return a compiled function for predictions of a few faces at a time.

    `model.predict` sets up an input pipeline for each call and takes tens of milliseconds for one face.
    With TensorFlow this is one graph for every N. JAX and torch compile for one N at a time, so there it is
    `predict_on_batch`.

    Args:
        model: A functional or sequential Keras model that takes (B, 48, 48, 1), 0-255, uint8 or float.

    Returns:
        A function from faces uint8 (N, 48, 48) to probabilities float32 (N, K); it raises ValueError for
        faces of another shape or dtype. Several threads may call it.

    Raises:
        ValueError: For a model that takes something else.
    """
    check_input(model)
    model = for_inference(model)
    if keras.backend.backend() != "tensorflow":
        return _over_batches(model.predict_on_batch, model.output_shape[-1])
    import tensorflow as tf

    signature = [tf.TensorSpec((None, SIZE, SIZE, 1), tf.uint8)]
    takes = model.inputs[0].dtype
    function = tf.function(lambda faces: model(tf.cast(faces, takes), training=False), signature)
    graph = function.get_concrete_function()
    return _over_batches(lambda faces: graph(tf.constant(faces)).numpy(), model.output_shape[-1])


def for_inference(model):
    """Return a copy of a functional or sequential model that computes in float32 and augments nothing.

    Random layers are left out rather than switched off: they would be part of an exported graph, and
    runtimes do not know them. Standardisation becomes one multiplication and one addition.
    """
    functional = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    copy = keras.models.clone_model(
        functional, clone_function=_in_float32, call_function=_without_augmentation
    )
    for layer in copy.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy


def _in_float32(layer):
    if isinstance(layer, layers.Normalization) and np.size(layer.mean) == 1:
        mean, variance = (float(keras.ops.squeeze(value)) for value in (layer.mean, layer.variance))
        deviation = variance**0.5
        return layers.Rescaling(1 / deviation, -mean / deviation, name=layer.name, dtype="float32")
    about = json.dumps(keras.saving.serialize_keras_object(layer))
    for half in ("mixed_bfloat16", "mixed_float16"):
        about = about.replace(half, "float32")
    return keras.saving.deserialize_keras_object(json.loads(about))


def _without_augmentation(layer, *inputs, **options):
    augmentation = layers.RandomFlip.__mro__[1]  # the base of all image augmentation; it has no public name
    # Keras counts these two among them, and they are at work in use as well.
    always = isinstance(layer, (layers.Resizing, layers.CenterCrop))
    return inputs[0] if isinstance(layer, augmentation) and not always else layer(*inputs, **options)


def export(model, to, out=None, overwrite=False, names=None):
    """Write a model for another runtime and return the Path of the file.

    The file is run in batches of 1, 2, 3 and 8 faces and compared with Keras before it is kept.

    Args:
        model: A functional or sequential Keras model that takes uint8 (B, 48, 48, 1).
        to: "litert" or "onnx".
        out: The file, by default the model's name with .tflite or .onnx.
        overwrite: Replace a file that is there.
        names: The emotions of the model's outputs, in their order, which the file then keeps.

    Raises:
        ValueError: For another runtime or suffix, a model that takes something else or returns no
            probabilities, or predictions that differ by more than 1e-5.
        FileExistsError: For a file that is there, unless `overwrite`.
        ImportError: When packages are missing; it names the extra to install. When Keras is set to another
            backend than TensorFlow.
    """
    if to not in SUFFIXES:
        raise ValueError(f"no format {to!r}; there are {', '.join(SUFFIXES)}")
    out = Path(out or f"{model.name}{SUFFIXES[to]}")
    if out.suffix != SUFFIXES[to]:
        raise ValueError(f"{out} should end with {SUFFIXES[to]}: other programs go by it")
    check_free(out, overwrite)
    if names:
        names = check_names(model.name, names, model.output_shape[-1])
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"Keras exports from TensorFlow, and is set to {keras.backend.backend()}, by KERAS_BACKEND or in "
            "keras.json: set KERAS_BACKEND=tensorflow; runs of all backends can be exported so"
        )
    _refuse_other_input(model)
    check_probabilities(model, _random_faces()[..., np.newaxis])
    _need("onnx", "tf2onnx", "onnxruntime") if to == "onnx" else _need("ai_edge_litert")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / out.name
        plain = for_inference(model)
        plain(np.zeros((1, SIZE, SIZE, 1), np.uint8))  # Keras' ONNX export wants a model that was called
        with _silence():
            _write(plain, draft, to)
            if names:
                _add_labels(draft, names)
        apart = difference(fast(model), load_exported(draft))
        if not apart <= 1e-5:  # nor is NaN
            raise ValueError(f"{to} differs from Keras by {apart:.1g}; this model cannot be exported there")
        with replacing(out) as file:
            file.write(draft.read_bytes())
    return out


def _refuse_other_input(model):
    """Raise ValueError for a model that does not take the faces as they are."""
    check_input(model)
    takes = keras.backend.standardize_dtype(model.inputs[0].dtype)
    if takes != "uint8":
        raise ValueError(
            f"{model.name} takes {takes}, and an exported network is given the faces as they are, uint8 "
            f"0-255. {HOW_TO_WRAP}"
        )


def _add_labels(path, names):
    if path.suffix == ".tflite":
        with zipfile.ZipFile(path, "a") as end:
            end.writestr(LABELS, "\n".join(names))
        return
    import onnx

    model = onnx.load(path)
    model.metadata_props.add(key=LABELS, value="\n".join(names))
    onnx.save(model, path)


def labels_of(path):
    """Return the emotions that an exported file keeps, a tuple of str, or None when it has none."""
    if Path(path).suffix == ".tflite":
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as end:
            return tuple(end.read(LABELS).decode().split("\n")) if LABELS in end.namelist() else None
    _need("onnxruntime")
    import onnxruntime

    properties = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    return tuple(properties[LABELS].split("\n")) if LABELS in properties else None


def _write(model, path, to):
    try:
        model.export(path, format=to, verbose=False)
    except ValueError:  # Keras before 3.13 has no LiteRT export of its own
        if to != "litert":
            raise
        import tensorflow as tf

        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def load_exported(path):
    """Return a file that `export` wrote, .tflite or .onnx, as a function of faces like that of `fast`.

    Several threads may call it.

    Raises FileNotFoundError, or ValueError, naming the file, when it is another kind of file, damaged, or a
    network that takes something else than faces.
    """
    path = Path(path)
    loaders = {".tflite": _load_litert, ".onnx": _load_onnx}
    if path.suffix not in loaders:
        raise ValueError(f"{path} is neither a .tflite nor an .onnx file")
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}; write one: python -m fer_kit export MODEL --to litert")
    try:
        with quiet():  # LiteRT prints which delegate it uses
            classify, takes, outputs = loaders[path.suffix](str(path))
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be read; it may be cut off. Export it again ({error})") from error
    if takes != [f"uint8 {FACE}"] or outputs != 1:
        raise ValueError(
            f"{path} takes {' and '.join(takes)} and has {outputs} outputs, and here a network takes faces, "
            f"uint8 {FACE}, and has one output. `export` writes such a file of a Keras network. {HOW_TO_WRAP}"
        )
    return classify


def _load_litert(path):
    _need("ai_edge_litert")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=min(os.cpu_count() or 1, 4))  # one, unless asked
    given = interpreter.get_input_details()
    takes = [f"{one['dtype'].__name__} {tuple(one['shape'].tolist()[1:])}" for one in given]
    faces = given[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    interpreter.allocate_tensors()
    planned = 1
    alone = threading.Lock()  # an interpreter has one place for its input and one for its answer

    def run(images):
        nonlocal planned
        with alone:
            if len(images) != planned:  # memory is allocated for one batch size
                interpreter.resize_tensor_input(faces, images.shape)
                interpreter.allocate_tensors()
                planned = len(images)
            interpreter.set_tensor(faces, images)
            interpreter.invoke()
            return interpreter.get_tensor(answer)

    returned = interpreter.get_output_details()
    return _over_batches(run, returned[0]["shape"][-1]), takes, len(returned)


def _load_onnx(path):
    _need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Its threads would keep spinning after each prediction, and slow down whatever runs next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()
    takes = [f"{one.type[len('tensor(') : -1]} {tuple(one.shape[1:])}" for one in given]
    returned = session.get_outputs()

    def run(images):
        return session.run(None, {given[0].name: images})[0]

    return _over_batches(run, returned[0].shape[-1]), takes, len(returned)


def _over_batches(run, outputs):
    """Return `run`, which takes uint8 (N, 48, 48, 1), behind the checks that all the functions share."""

    def classify(faces):
        faces = np.ascontiguousarray(faces)
        if faces.ndim != 3 or faces.shape[1:] != (SIZE, SIZE) or faces.dtype != np.uint8:
            raise ValueError(f"faces must be uint8 (N, {SIZE}, {SIZE}), not {faces.dtype} {faces.shape}")
        if not len(faces):
            return np.zeros((0, outputs), np.float32)
        return np.asarray(run(faces[..., np.newaxis]), np.float32)

    return classify


def difference(first, second):
    """Return the largest difference between the answers of two functions to random faces, in `BATCHES`."""
    faces = _random_faces()
    return max(float(np.abs(first(faces[:n]) - second(faces[:n])).max()) for n in BATCHES)


def _random_faces():
    return np.random.default_rng(0).integers(0, 256, (max(BATCHES), SIZE, SIZE), np.uint8)


def _need(*packages):
    from importlib.util import find_spec

    missing = [package for package in packages if not find_spec(package)]
    if missing:
        raise ImportError(how_to_install(missing[0]))


@contextlib.contextmanager
def _silence():
    """Suppress the converters' logs, prints and warnings."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
