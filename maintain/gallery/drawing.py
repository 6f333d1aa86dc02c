"""The figures of the reports, from facts, drawn faces, the shipped network and records: no dataset needed."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.figure import Figure

from fer_kit.camera.boxes import overlap, to_rgb
from fer_kit.camera.demo import FACE, moving_faces, portrait
from fer_kit.camera.detection import DETECTORS, find_detector
from fer_kit.camera.tracking import FaceTracker
from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation import explain
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models import pretrained
from fer_kit.plots import base, results
from fer_kit.plots import camera as camera_plots
from fer_kit.plots import explain as explain_plots
from fer_kit.runtime.files import read_json
from fer_kit.runtime.settings import Source
from fer_kit.runtime.stderr import quiet
from fer_kit.studies.reproduction import EXPERIMENTS, KIT_TRANSFER, result_table, runs_of
from maintain.gallery import from_records
from maintain.gallery.from_facts import facts, made_from_sample
from maintain.tracking import RECORD as SPEED


@dataclass(frozen=True)
class Drawn:
    """A figure, the report's item it stands for, what to see in it, and what it was made from."""

    report_id: str
    caption: str
    figure: Figure
    made_from: dict


def draw_all(records) -> Iterator[Drawn]:
    """Yield every figure: facts and drawn faces, the shipped network, then the folder of run `records`."""
    parts = [facts(), _of_the_shipped_network(), _of_runs(records)]
    parts += [from_records.of_classical(records), from_records.of_tuning(records)]
    parts += [from_records.of_studies(records), from_records.of_murphy(records)]
    parts += [from_records.of_riddle(records), _of_detectors(), _of_tracking(records), _overview(records)]
    for part in parts:
        for drawn in part:
            yield Drawn(*drawn)


def _of_the_shipped_network(name="kit-small"):
    """What a network that learned from photographs sees in drawn faces, and which it gets wrong."""
    if name not in pretrained.shipped():
        return
    model = pretrained.load_pretrained(name)
    faces = draw_sample()
    made = made_from_sample(faces) | {"weights": name}
    happy = faces.public_test.of("happy").images[0]
    for layer, what in (
        (_first_maps(model), "Shallow maps: the face can be recognised."),
        ("last_conv", "Deep maps: the face can no longer be recognised."),
    ):
        maps = explain.feature_maps(model, happy, layer)
        figure = explain_plots.map_grid(maps, f"Feature maps of {layer}", source=faces.source)
        yield "choudhari-features", what, figure, made
    scores = evaluate(model, faces, "PublicTest")
    told = f"{name} on drawn faces, which it never learned from: {scores.accuracy:.0%} right."
    for emotion, report_id in (("happy", "hejslet-fig6"), ("sad", "hejslet-fig7")):
        rows = explain.random_of(scores, emotion, 5, seed=1)
        title = f"Five random {emotion} faces"
        figure = explain_plots.true_against_predicted(scores, rows, title, columns=5)
        yield report_id, f"{told} With FER-2013, notebook 09 shows real faces.", figure, made
    rows = explain.confident_mistakes(scores, 16)
    figure = explain_plots.true_against_predicted(scores, rows, "Most confident mistakes")
    yield "zhao-fig6", told, figure, made
    figure = explain_plots.true_against_predicted(scores, range(16))
    yield "murphy-fig7", f"{told} Green: right; red: wrong.", figure, made


def _first_maps(model):
    """The name of the first activation."""
    return next(layer.name for layer in model.layers if "activation" in layer.name)


def _of_runs(records):
    """The longest record of each experiment; of choudhari's, the scores by emotion too."""
    found = {e: runs[0] for e in (*EXPERIMENTS, KIT_TRANSFER) if (runs := runs_of(e, records))}
    for experiment, run in found.items():
        yield from from_records.of_run(run, experiment)
        if experiment.report_id == "choudhari-cnn" and run.score("PrivateTest"):
            yield from from_records.of_metrics(run)


def _overview(records):
    """All networks with a PrivateTest score on one axis."""
    table = result_table(records)
    if table.PrivateTest.isna().all():
        return
    scored = table.dropna(subset="PrivateTest")
    scores = {name: (row.PrivateTest, (row.low, row.high)) for name, row in scored.iterrows()}
    figure = results.compare_models(scores, "PrivateTest, scored once", human=0.65)
    made = {"records": scored.record.tolist()}
    caption = "Every network with a record; people score 65 ± 5 %."
    yield "", caption, base.stamp(figure, Source("FER-2013", profile="full")), made


def _of_detectors():
    """Yield what each detector finds in three pictures with a face and five without, as lesson 12 does."""
    pictures, truth = _pictures()
    found = {}
    for name in DETECTORS:
        with quiet():
            detector = find_detector(name)
        found[name] = [[face.box for face in detector(picture)] for picture in pictures.values()]
    false = [f"{name} {_false(boxes, truth)}" for name, boxes in found.items()]
    figure = camera_plots.detections(
        pictures, found, truth, "What three detectors find", "scikit-image's pictures"
    )
    caption = f"Green boxes lie on the face; false ones are orange: {', '.join(false)}."
    yield "zhao-fig5", caption, figure, {"faces": "the portrait and pictures of scikit-image"}


def _of_tracking(records):
    """Yield who is where in a made-up video, as lesson 12 draws it, and how well the tracked boxes fit."""
    events = {"covered": (15, 20), "dark": (30, 33), "away": (40, 60)}
    video = list(moving_faces(100, 2, 6, **events, cut=75))
    with quiet():
        tracker = FaceTracker(find_detector("mtcnn"), track=5, patience=15)
    seen = [tracker.update(frame) for frame, _ in video]
    fits = [
        max(overlap(face.box, box) for box in boxes if box)
        for faces, (_, boxes) in zip(seen, video, strict=True)
        for face in faces
        if not face.detected and any(boxes)
    ]
    detected = sum(any(face.detected for face in faces) for faces in seen)
    figure = camera_plots.traces(seen, events | {"cut": (75, 76)}, source="made-up video")
    caption = f"Detected (dots) in {detected} of {len(seen)} frames, tracked in the others: there a box "
    caption += f"overlaps the true one by {np.mean(fits):.2f} in the mean. {_speed(records)}"
    yield "zhao-track", caption, figure, {"faces": "a video made from the portrait", "record": SPEED}


def _speed(records):
    """What `python -m maintain tracking` has kept, in words."""
    path = records / SPEED
    if not path.exists():
        return "Lesson 12 measures the speed."
    speed = read_json(path)
    return (
        f"On {speed['device']}: {speed['frames_per_second']:.0f} frames/s of 640 x 480, one face, the worst "
        f"{speed['worst_frame_ms']} ms; {speed['ms_per_face']:.2f} ms a face (report: 80 frames/s, 0.22 ms)."
    )


def _pictures():
    from skimage import data

    picture = portrait()
    x, y, width, height = FACE
    turn = cv2.getRotationMatrix2D((x + width // 2, y + height // 2), 30, 1)
    pictures = {
        "twice as large": cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        "tilted by 30°": cv2.warpAffine(picture, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE),
        "in the dark": (picture * 0.15).astype(np.uint8),
    }
    truth = [[np.multiply(FACE, 2)], [FACE], [FACE]] + [[]] * 5
    without = {"coins": data.coins(), "clock": data.clock(), "gravel": data.gravel()}
    without |= {"cells": data.cell(), "cat": data.chelsea()}
    return pictures | {name: to_rgb(image) for name, image in without.items()}, truth


def _false(boxes, truth):
    pairs = [(box, known) for some, known in zip(boxes, truth, strict=True) for box in some]
    return sum(not camera_plots.is_right(box, known) for box, known in pairs)
