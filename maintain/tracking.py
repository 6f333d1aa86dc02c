"""`python -m maintain tracking`: how fast lesson 12's pipeline is on this machine, beside zhao's figures."""

import time

import numpy as np

from fer_kit.camera.annotation import draw_faces
from fer_kit.camera.demo import moving_faces
from fer_kit.camera.detection import find_detector
from fer_kit.camera.pipeline import FacePipeline, crop_faces
from fer_kit.models.exporting import fast
from fer_kit.models.pretrained import load_pretrained
from fer_kit.models.zoo import milliseconds
from fer_kit.runtime.devices import describe
from fer_kit.runtime.files import write_json
from fer_kit.runtime.versions import versions
from fer_kit.training.records import RECORDS

RECORD = "tracking.json"
"""Among the records: frames a second, the worst frame, and milliseconds for a face."""

WARM = 12
"""Frames that are not counted: the first ones compile and load."""


def keep_speed(records=RECORDS, length=240):
    """Measure the pipeline on a made-up video of one face, keep that among the records; return its Path."""
    classify = fast(load_pretrained("kit-small"))
    pipeline = FacePipeline(classify, find_detector("mtcnn"))
    taken = []
    for frame, _ in moving_faces(WARM + length, 1, speed=5):
        start = time.perf_counter()
        faces = pipeline.step(frame)
        draw_faces(frame, faces)
        taken.append(time.perf_counter() - start)
    if len(faces) != 1:
        raise ValueError(f"the last frame has one face, and {len(faces)} were found: nothing was kept")
    crops = np.repeat(crop_faces(frame, faces), 8, axis=0)
    write_json(
        records / RECORD,
        {
            "frames": length,
            "frames_per_second": round(1 / np.mean(taken[WARM:]), 1),
            "worst_frame_ms": round(1000 * max(taken[WARM:])),
            "ms_per_face": round(milliseconds(classify, [crops] * 200) / 8, 3),
            "device": describe(),
            "versions": versions(),
        },
    )
    return records / RECORD
