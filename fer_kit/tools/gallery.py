"""The figures of the reports that need no dataset: from facts, drawn faces and run records."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from fer_kit import plots, result_plots
from fer_kit.augment import augment_disgust, augment_face
from fer_kit.doctor.signatures import Signatures
from fer_kit.emotions import EMOTIONS, USAGES
from fer_kit.faceset import FaceSet
from fer_kit.reproduction import EXPERIMENTS, result_table, runs_of
from fer_kit.sample import draw_sample


@dataclass(frozen=True)
class Drawn:
    """A figure, the report's item it stands for, what to see in it, and what it was made from."""

    report_id: str
    caption: str
    figure: Figure
    made_from: dict


def draw_all(records) -> Iterator[Drawn]:
    """Yield every figure in the order facts, drawn faces, records; `records` the folder of run records."""
    yield from _diagrams()
    yield from _counts()
    yield from _drawn_faces()
    for experiment in EXPERIMENTS:
        for run in runs_of(experiment, records)[:1]:
            yield from _of_run(run, experiment)
    yield from _overview(records)


def _diagrams():
    steps = [
        ("FER-2013", "48 x 48 grey faces"),
        ("Preprocess", "standardise"),
        ("CNN", "convolutions, dense"),
        ("Softmax", "7 probabilities"),
        ("Emotion", "the largest"),
    ]
    made = {"facts": "the report's text"}
    figure = plots.flow_diagram(steps, "A facial expression recognition system")
    yield Drawn("choudhari-fig1", "From a picture to an emotion in five steps.", figure, made)
    steps = [
        ("Frame", "camera or file"),
        ("Detect", "MTCNN, every sixth"),
        ("Track", "KCF, five frames"),
        ("Crop", "align, 48 x 48"),
        ("Classify", "expression; gender\nbeside it, off by default"),
    ]
    figure = plots.flow_diagram(steps, "The real-time framework")
    yield Drawn("zhao-fig1", "Detection is slow and runs on every sixth frame alone.", figure, made)


def _counts():
    faces = known_counts()
    made = {
        "facts": "labels of FER-2013 as the doctor knows them",
        "fingerprint": Signatures.load().fingerprint,
    }
    figure = plots.count_plot(faces, "Emotions in the whole of FER-2013")
    yield Drawn("choudhari-fig3", "Happy has sixteen times the faces of disgust.", figure, made)
    figure = plots.count_plot(faces.training, "Emotions in Training")
    yield Drawn("murphy-fig1", "Disgust is 1.52 % of the Training faces.", figure, made)
    figure = plots.count_plot(faces, "Emotions by usage", split_by_usage=True)
    yield Drawn("hejslet-tab1", "The test folder is PublicTest and PrivateTest together.", figure, made)


def known_counts():
    """Return a FaceSet with the labels and usages of FER-2013's 35,887 faces, and black images."""
    known = Signatures.load()
    black = np.broadcast_to(np.zeros((1, 48, 48), np.uint8), (len(known.labels), 48, 48))
    return FaceSet(black, known.labels, np.array(USAGES)[known.usage], source="FER-2013, counts")


def _drawn_faces():
    faces = draw_sample()
    made = {"dataset": {"source": faces.source, "fingerprint": faces.fingerprint}, "seed": 0}
    figure = plots.one_per_emotion(faces.training)
    yield Drawn(
        "hejslet-fig1",
        "Drawn by the kit; with your copy of FER-2013 notebook 01 shows real faces.",
        figure,
        made,
    )
    figure = plots.emotions_by_rows(faces.training, columns=10)
    yield Drawn(
        "choudhari-eda",
        "Ten drawn faces of each emotion: identity, pose, light and noise vary.",
        figure,
        made,
    )
    happy = faces.training[faces.training.labels == EMOTIONS.index("happy")]
    figure = plots.face_grid(happy[:1], columns=1, title="Happy")
    yield Drawn("murphy-fig2", "An example of happy, drawn.", figure, made)
    for report_id, change, title in (
        ("hejslet-augment", augment_face, "augment_face"),
        ("murphy-disgust-aug", augment_disgust, "augment_disgust"),
    ):
        rng = np.random.default_rng(0)
        copies = np.stack([happy.images[0], *(change(happy.images[0], rng) for _ in range(7))])
        captions = ["original", *["copy"] * 7]
        figure = plots.stamp(plots.face_grid(copies, captions, title=title), faces.source)
        yield Drawn(report_id, "One drawn face and seven augmented copies.", figure, made)


def _of_run(run, experiment):
    """Training curves and the confusion matrix of one record."""
    provenance, epochs = run.provenance, len(run.history)
    made = {"record": run.folder.name, "dataset": provenance["dataset"], "seed": provenance["seed"]}
    made |= {"profile": provenance["profile"], "versions": provenance["versions"]}
    title = f"{experiment.model}, {epochs} epochs"
    curves = (run.history, title, run.source, provenance["selected_on"], run.best_epoch)
    figure = result_plots.training_curves(*curves)
    caption = f"Best epoch {run.best_epoch} of {epochs}: {provenance['selected_on']} {run.best_accuracy:.1%}."
    yield Drawn(experiment.report_id, caption, figure, made)
    private = run.metrics["scores"].get("PrivateTest")
    if private:
        figure = result_plots.confusion(
            np.array(private["confusion"]), provenance["emotions"], title, source=run.source
        )
        caption = f"PrivateTest, {private['accuracy']:.1%} right; rows add up to 100 %."
        yield Drawn(CONFUSION.get(experiment.report_id, experiment.report_id), caption, figure, made)


CONFUSION = {"hejslet-light": "hejslet-fig5", "zhao-vgg": "zhao-tab1"}
"""Items of the reports that are confusion matrices, by the network they belong to."""


def _overview(records):
    """All networks with a PrivateTest score on one axis."""
    table = result_table(records)
    if "PrivateTest" not in table:
        return
    scored = table.dropna(subset="PrivateTest")
    scores = {name: (row.PrivateTest, (row.low, row.high)) for name, row in scored.iterrows()}
    figure = result_plots.compare_models(scores, "PrivateTest, scored once", human=0.65)
    made = {"records": scored.record.tolist()}
    yield Drawn(
        "",
        "Every network with a record; people score 65 ± 5 %.",
        plots.stamp(figure, "FER-2013 · profile full"),
        made,
    )
