"""Figures of the reports that need neither a dataset nor a record: diagrams, counts, drawn faces."""

import keras
import matplotlib.pyplot as plt
import numpy as np

from fer_kit.data.augment import augment_disgust, augment_face, augmentation_layers, class_weights
from fer_kit.data.balancing import balance
from fer_kit.data.doctor.signatures import Signatures
from fer_kit.data.emotions import USAGES
from fer_kit.data.faceset import FaceSet
from fer_kit.data.sample.people import draw_sample
from fer_kit.plots import base, data


def facts():
    """Yield (report id, caption, figure, what it was made from), as `drawing.Drawn` has them."""
    counted = known_counts()
    drawn = draw_sample()
    yield from _diagrams()
    yield from _counts(counted)
    yield from _weights(counted.training)
    yield from _drawn_faces(drawn)
    yield from _copies(drawn)


def _diagrams():
    steps = [
        ("FER-2013", "48 x 48 grey faces"),
        ("Preprocess", "standardise"),
        ("CNN", "convolutions, dense"),
        ("Softmax", "7 probabilities"),
        ("Emotion", "the largest"),
    ]
    made = {"facts": "the report's text"}
    figure = data.flow_diagram(steps, "A facial expression recognition system")
    yield "choudhari-fig1", "From a picture to an emotion in five steps.", figure, made
    steps = [
        ("Frame", "camera or file"),
        ("Detect", "MTCNN, every sixth"),
        ("Track", "KCF, five frames"),
        ("Crop", "align, 48 x 48"),
        ("Classify", "expression; gender\nbeside it, off by default"),
    ]
    figure = data.flow_diagram(steps, "The real-time framework")
    yield "zhao-fig1", "Detection is slow and runs on every sixth frame alone.", figure, made


def _counts(faces):
    made = {
        "facts": "labels of FER-2013 as the doctor knows them",
        "fingerprint": Signatures.load().fingerprint,
    }
    figure = data.count_plot(faces, "Emotions in the whole of FER-2013")
    ratio = len(faces.of("happy")) / len(faces.of("disgust"))
    yield "choudhari-fig3", f"Happy has {ratio:.1f} times the faces of disgust.", figure, made
    figure = data.count_plot(faces.training, "Emotions in Training")
    share = len(faces.training.of("disgust")) / len(faces.training)
    yield "murphy-fig1", f"Disgust is {100 * share:.2f} % of the Training faces.", figure, made
    figure = data.count_plot(faces, "Emotions by usage", split_by_usage=True)
    yield "hejslet-tab1", "The test folder is PublicTest and PrivateTest together.", figure, made


def known_counts():
    """Return a FaceSet with the labels and usages of FER-2013's 35,887 faces, and black images."""
    known = Signatures.load()
    black = np.broadcast_to(np.zeros((1, 48, 48), np.uint8), (len(known.labels), 48, 48))
    return FaceSet(black, known.labels, np.array(USAGES)[known.usage], source="FER-2013, counts")


def _weights(training):
    """What is done about the imbalance, on FER-2013's own counts."""
    made = {"facts": "labels of FER-2013 as the doctor knows them"}
    rest, held_out = training.split(0.2, seed=0)
    figure = data.count_plot(rest, "Training without a fifth of each emotion")
    counted = f"{len(rest):,} faces to learn from, {len(held_out):,} held out; disgust keeps"
    yield "murphy-split", f"{counted} {len(rest.of('disgust'))} of 436.", figure, made
    figure = data.count_plot(balance(training, 5000), "Balanced: random faces left out, copies added")
    yield "hejslet-balance", "Seven times 5,000, of which disgust owes nine in ten to copies.", figure, made
    weights = class_weights(training)
    figure, axis = plt.subplots()
    axis.bar(training.names, [weights[label] for label in range(7)], color=base.colours(training.names))
    axis.bar_label(axis.containers[0], fmt="{:.2f}", padding=2)
    axis.margins(y=0.1)
    axis.set(title="Weight of a face in the loss", xlabel="emotion", ylabel="weight (1: the mean face)")
    ratio = len(training.of("happy")) / len(training.of("disgust"))
    caption = f"N / (7 n): one face of disgust counts as much as {ratio:.1f} of happy."
    yield "murphy-weights", caption, base.stamp(figure, training.source), made


def _drawn_faces(faces):
    made = made_from_sample(faces)
    figure = data.one_per_emotion(faces.training)
    caption = "Drawn by the kit; with your copy of FER-2013 notebook 01 shows real faces."
    yield "hejslet-fig1", caption, figure, made
    figure = data.emotions_by_rows(faces.training, columns=10)
    caption = "Ten drawn faces of each emotion: identity, pose, light and noise vary."
    yield "choudhari-eda", caption, figure, made
    one_each = faces.training.per_emotion(1, seed=1)
    one_each = one_each[one_each.labels.argsort()]
    codes = [f"{label} {faces.names[label]}" for label in one_each.labels]
    figure = data.face_grid(one_each, codes, columns=7, title="Codes of the emotions")
    yield "choudhari-fig2", "Codes as in fer2013.csv, in the kit everywhere.", figure, made
    figure = data.face_grid(faces.training.of("happy")[:1], columns=1, title="Happy")
    yield "murphy-fig2", "An example of happy, drawn.", figure, made
    pixels = {"as stored": faces.images, "standardised": _standardised(faces)}
    units = ["grey level", "standard deviations from the mean"]
    figure = data.pixel_histogram(pixels, "Pixels before and after standardising", units, faces.source)
    caption = "One shape on two axes: the mean becomes 0, the standard deviation 1."
    yield "hejslet-standardise", caption, figure, made


def made_from_sample(faces):
    """Return what a sidecar says of a figure that shows faces of the built-in sample."""
    return {"dataset": {"source": faces.source, "fingerprint": faces.fingerprint}, "seed": 0}


def _standardised(faces):
    training = faces.training.images
    return (faces.images - training.mean()) / training.std()


def _copies(faces):
    happy = faces.training.of("happy").images[0]
    for report_id, change in (("hejslet-augment", augment_face), ("murphy-disgust-aug", augment_disgust)):
        rng = np.random.default_rng(0)
        copies = [change(happy, rng) for _ in range(7)]
        figure = _grid_of_copies(happy, copies, change.__name__, faces.source)
        yield report_id, "One drawn face and seven augmented copies.", figure, made_from_sample(faces)
    copies = np.repeat(happy[np.newaxis, ..., np.newaxis], 7, axis=0).astype("float32")
    for layer in augmentation_layers("murphy", seed=1):
        copies = layer(copies, training=True)
    figure = _grid_of_copies(happy, keras.ops.convert_to_numpy(copies)[..., 0], "Keras layers", faces.source)
    caption = "Rotation, flip, zoom and shift as layers of the model, at work in training alone."
    yield "choudhari-augment", caption, figure, made_from_sample(faces)


def _grid_of_copies(original, copies, title, source):
    images = np.stack([original, *copies])
    return base.stamp(data.face_grid(images, ["original", *["copy"] * len(copies)], title=title), source)
