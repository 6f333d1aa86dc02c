"""From a frame to emotions: find and follow the faces, crop them as FER-2013 does, classify, smooth, draw."""

from dataclasses import dataclass

import cv2
import numpy as np

from fer_kit.camera.boxes import to_rgb
from fer_kit.camera.identities import Smoother
from fer_kit.camera.tracking import FaceTracker
from fer_kit.data.emotions import COLOURS, EMOTIONS
from fer_kit.data.faceset import SIZE

__all__ = ["FacePipeline", "FaceResult", "crop_faces", "draw_faces", "to_rgb"]

MARGIN = 0.0
"""Room around a box on each side, in shares of its longer side. FER-2013 was cut by a detector, with none,
and a network trained on it gets worse with every bit of room it has not seen (lesson 12 measures it)."""


def crop_faces(frame, faces, margin=MARGIN):
    """Return the faces of a frame as uint8 grey (N, 48, 48), cropped as in FER-2013.

    `frame` is any image `to_rgb` takes; `faces` a list of `Face`. Each crop is a square around the centre
    of the box, with `margin` on each side in shares of its longer side, turned so that the eyes are level
    where there are landmarks. What lies outside the frame repeats its edge.
    """
    grey = cv2.cvtColor(to_rgb(frame), cv2.COLOR_RGB2GRAY)
    crops = [_crop(grey, face, margin) for face in faces]
    return np.array(crops, np.uint8).reshape(-1, SIZE, SIZE)


def _crop(grey, face, margin):
    x, y, width, height = face.box
    side = max(width, height, 1) * max(1 + 2 * margin, 0.1)
    # Cut at full size and shrink by a whole number afterwards: shrinking while turning would alias.
    size = SIZE * max(1, round(min(side, *grey.shape) / SIZE))
    centre = np.array([x + (width - 1) / 2, y + (height - 1) / 2])
    turn = cv2.getRotationMatrix2D(centre, _angle(face), size / side)
    turn[:, 2] += (size - 1) / 2 - centre
    crop = cv2.warpAffine(grey, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def _angle(face):
    """Degrees by which the line between the eyes falls to the right; 0 without landmarks."""
    if face.landmarks is None:
        return 0.0
    across, down = face.landmarks[1] - face.landmarks[0]
    return float(np.degrees(np.arctan2(down, across)))


@dataclass(frozen=True, eq=False)
class FaceResult:
    """What was seen of one face in one frame.

    `id` int from 1; `box` (x, y, width, height) ints in pixels; `emotion` the likeliest of `EMOTIONS`;
    `probabilities` float32 (7,), smoothed over time; `landmarks` float32 (5, 2) or None; `detected` whether
    the detector, and not the tracker, found it in this frame.
    """

    id: int
    box: tuple
    emotion: str
    probabilities: np.ndarray
    landmarks: np.ndarray | None = None
    detected: bool = True


class FacePipeline:
    """The whole of zhao-fig1 for expressions: `results = pipeline.step(frame)` for each frame of a video.

    `classify` is the student's one function: given faces uint8 (N, 48, 48) it returns probabilities (N, 7)
    in the order of `EMOTIONS`. `detector` and `track` are those of `FaceTracker`, `past` the weight of the
    past in the smoothing (`Smoother`).
    """

    def __init__(self, classify, detector="mtcnn", track=5, past=0.7):
        self.classify = classify
        self.tracker = FaceTracker(detector, track)
        self.smoother = Smoother(past)

    def step(self, frame):
        """Return a list of `FaceResult`, in the order of the ids; `frame` is any image `to_rgb` takes.

        Raises RuntimeError when `classify` raises, ValueError when it does not return (N, 7) probabilities.
        """
        frame = to_rgb(frame)
        faces = self.tracker.update(frame)
        self.smoother.forget(self.tracker.ids)
        if not faces:
            return []
        seen = probabilities_of(self.classify, crop_faces(frame, faces))
        smoothed = self.smoother.update([face.id for face in faces], seen)
        return [
            FaceResult(f.id, f.box, EMOTIONS[p.argmax()], p, f.landmarks, f.detected)
            for f, p in zip(faces, smoothed, strict=True)
        ]


def probabilities_of(classify, crops):
    """Return what `classify` says of `crops` uint8 (N, 48, 48): probabilities float32 (N, 7), checked.

    Raises RuntimeError when it raises, ValueError when the shape or the values are not those of
    probabilities, both saying what is expected.
    """
    expected = (
        f"classify gets faces uint8 {crops.shape} and returns probabilities ({len(crops)}, {len(EMOTIONS)})"
    )
    try:
        answer = np.asarray(classify(crops), np.float32)
    except Exception as error:
        raise RuntimeError(f"{expected}; it raised {type(error).__name__}: {error}") from error
    if answer.shape != (len(crops), len(EMOTIONS)):
        raise ValueError(f"{expected}; it returned the shape {answer.shape}")
    if not ((answer >= -1e-3) & (answer <= 1.001)).all():
        raise ValueError(
            f"{expected} from 0 to 1; it returned {answer.min():g} to {answer.max():g}: end with a softmax"
        )
    return answer


def draw_faces(frame, results):
    """Return a copy of `frame` with a box in the emotion's colour and a caption for each `FaceResult`."""
    drawn = to_rgb(frame).copy()
    size = max(drawn.shape[:2]) / 640
    line, font = max(1, round(2 * size)), cv2.FONT_HERSHEY_SIMPLEX
    for result in results:
        colour = tuple(int(COLOURS[result.emotion][i : i + 2], 16) for i in (1, 3, 5))
        x, y, width, height = result.box
        cv2.rectangle(drawn, (x, y), (x + width, y + height), colour, line)
        caption = f"{result.id} {result.emotion} {max(result.probabilities):.0%}"
        ink = (0, 0, 0) if np.dot(colour, (0.299, 0.587, 0.114)) > 150 else (255, 255, 255)
        (wide, high), base = cv2.getTextSize(caption, font, 0.5 * size, max(1, line // 2))
        top = max(y - high - base - 2, 0)
        cv2.rectangle(drawn, (x, top), (x + wide + 4, top + high + base + 2), colour, cv2.FILLED)
        spot = (x + 2, top + high + 1)
        cv2.putText(drawn, caption, spot, font, 0.5 * size, ink, max(1, line // 2), cv2.LINE_AA)
    return drawn
