"""The figure of false detections, on pictures that everybody may see."""

import cv2
import numpy as np

from fer_kit.camera.boxes import to_rgb
from fer_kit.camera.demo import FACE, portrait
from fer_kit.camera.detection import DETECTORS, find_detector
from fer_kit.plots import camera
from fer_kit.runtime.stderr import quiet


def of_detectors():
    """Yield what each detector finds in three pictures with a face and five without, as lesson 12 does."""
    pictures, truth = _pictures()
    found = {}
    for name in DETECTORS:
        with quiet():
            detector = find_detector(name)
        found[name] = [[face.box for face in detector(picture)] for picture in pictures.values()]
    false = [f"{name} {_false(boxes, truth)}" for name, boxes in found.items()]
    figure = camera.detections(pictures, found, truth, "What three detectors find", "scikit-image's pictures")
    caption = f"Green boxes lie on the face; false ones are orange: {', '.join(false)}."
    yield "zhao-fig5", caption, figure, {"faces": "the portrait and pictures of scikit-image"}


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
    return sum(not camera.is_right(box, known) for box, known in pairs)
