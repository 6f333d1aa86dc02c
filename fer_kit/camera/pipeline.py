"""From a frame to emotions: find and follow the faces, crop them as FER-2013 does, classify, smooth."""

from dataclasses import dataclass

import cv2
import numpy as np

from fer_kit.camera.boxes import to_rgb
from fer_kit.camera.identities import Smoother
from fer_kit.camera.tracking import FaceTracker
from fer_kit.data.emotions import EMOTIONS
from fer_kit.data.faceset import SIZE

MARGIN = 0.0
"""Room around a box on each side, as a fraction of its longer side. FER-2013 was cropped by a detector,
with none, and a network trained on it gets worse with every bit of room it has not seen (see lesson 12)."""

AT_ONCE = 64
"""How many faces a network is given at once, so that a crowd takes no more memory."""


def crop_faces(frame, faces, margin=MARGIN):
    """Return the faces of a frame, cropped as in FER-2013.

    Each crop is a square around the centre of the box, turned so that the eyes are level where there are
    landmarks. Outside the frame its edge is repeated.

    Args:
        frame: Any image that `to_rgb` takes.
        faces: A list of `Face`.
        margin: Room on each side of the box, as a fraction of its longer side; below 0 cuts into the face.

    Returns:
        uint8 grey (N, 48, 48), 0-255, in the order of `faces`.
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

    `id` int from 1; `box` (x, y, width, height) ints in pixels; `emotion` the likeliest of `names`;
    `probabilities` float32 (K,), smoothed over time; `landmarks` float32 (5, 2) or None; `detected` whether
    the detector, and not the tracker, found it in this frame; `names` the K emotions, by default the seven.
    """

    id: int
    box: tuple
    emotion: str
    probabilities: np.ndarray
    landmarks: np.ndarray | None = None
    detected: bool = True
    names: tuple = EMOTIONS


class FacePipeline:
    """The whole of zhao-fig1 for expressions: `results = pipeline.step(frame)` for each frame of a video.

    Args:
        classify: Your function: it takes faces, uint8 grey (N, 48, 48), at most `AT_ONCE` of them, and
            returns probabilities (N, K) in the order of `names`.
        detector: A name for `find_detector`, or a function from a frame to a list of `Face`.
        track: For how many frames faces are tracked after a detection; 0 detects in every frame.
        past: Weight of the past in the smoothing, from 0 (none) to below 1; see `Smoother`.
        names: The K emotions that `classify` tells apart, by default the seven.

    Raises:
        ImportError: A package or a part of OpenCV is missing; the message says what to install.
        ValueError: There is no such detector, or `past` is out of range.
    """

    def __init__(self, classify, detector="mtcnn", track=5, past=0.7, names=EMOTIONS):
        self.classify = classify
        self.names = tuple(names)
        self.tracker = FaceTracker(detector, track)
        self.smoother = Smoother(past)

    def step(self, frame):
        """Return a list of `FaceResult`, in the order of the ids; `frame` is any image `to_rgb` takes.

        Raises RuntimeError when `classify` raises, ValueError when it does not return (N, K) numbers, 0 to 1.
        """
        frame = to_rgb(frame)
        faces = self.tracker.update(frame)
        self.smoother.forget(self.tracker.ids)
        if not faces:
            return []
        crops = crop_faces(frame, faces)
        parts = [crops[start : start + AT_ONCE] for start in range(0, len(crops), AT_ONCE)]
        seen = np.concatenate([probabilities_of(self.classify, part, len(self.names)) for part in parts])
        smoothed = self.smoother.update([face.id for face in faces], seen)
        return [
            FaceResult(f.id, f.box, self.names[p.argmax()], p, f.landmarks, f.detected, self.names)
            for f, p in zip(faces, smoothed, strict=True)
        ]


def probabilities_of(classify, crops, emotions):
    """Return what `classify` says of `crops` uint8 (N, 48, 48): probabilities float32 (N, emotions), checked.

    Raises RuntimeError when it raises, ValueError when the shape or the values are not those of
    probabilities, both saying what is expected.
    """
    expected = f"classify gets faces uint8 {crops.shape} and returns probabilities ({len(crops)}, {emotions})"
    try:
        answer = np.asarray(classify(crops), np.float32)
    except Exception as error:
        raise RuntimeError(f"{expected}; it raised {type(error).__name__}: {error}") from error
    if answer.shape != (len(crops), emotions):
        raise ValueError(f"{expected}; it returned the shape {answer.shape}")
    if not ((answer >= -1e-3) & (answer <= 1.001)).all():
        raise ValueError(
            f"{expected} from 0 to 1; it returned {answer.min():g} to {answer.max():g}: end with a softmax"
        )
    return answer
