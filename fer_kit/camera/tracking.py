"""Following faces between detections: detect one frame, track five with KCF, detect again (zhao-track)."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_kit.camera.boxes import clamp, shrink, to_rgb
from fer_kit.camera.detection import Face, find_detector, opencv_advice
from fer_kit.camera.identities import match

LONGEST = 320
"""KCF sees the frame with this longer side in pixels: half of a camera's 640."""
LEAST_SIDE = 8
"""A face smaller than this there, in pixels, is too small for KCF: it stays put until the next detection."""
PATCH = 40 * 40
"""A face of more pixels there is halved once more: about 0.01 of overlap for more than half of KCF's time."""
ALIKE = 0.5
"""Least correlation, -1 to 1, of a tracked face with the detected one: below, it drifts or is covered."""
DARK = 12
"""A frame whose mean grey, 0-255, is below this shows nothing."""
SAME_SCENE = 0.5
"""Least correlation, -1 to 1, of two frames' thumbnails: below, there was a cut between them."""


@dataclass(frozen=True, eq=False)
class TrackedFace(Face):
    """A `Face` with an `id` that stays its own from frame to frame, int from 1.

    `detected` tells whether the detector found it in this very frame; else it was tracked.
    """

    id: int = 0
    detected: bool = True


class FaceTracker:
    """The faces of a video, frame by frame: `for frame in frames: faces = tracker.update(frame)`.

    A face that is lost, drifts or is covered makes the detector look at once. A cut forgets all faces.

    Args:
        detector: A name for `find_detector`, or a function from a frame to a list of `Face`.
        track: For how many frames KCF (Henriques et al. 2015) follows each face after a detection (zhao: 5);
            0 detects in every frame.
        patience: For how many frames a face that is not seen keeps its id.

    Raises:
        ImportError: OpenCV lacks KCF, or the detector's package is missing; the message says what to install.
        ValueError: There is no detector of this name.
    """

    def __init__(self, detector="mtcnn", track=5, patience=30):
        self.detector = find_detector(detector) if isinstance(detector, str) else detector
        if track and not hasattr(cv2, "TrackerKCF"):
            raise ImportError(opencv_advice("KCF tracker"))
        self.track = track
        self.patience = patience
        self.tracks = []
        self._next_id = 1
        self._frames_since = None  # the last detection; None when the next frame must be detected
        self._scene = None

    def update(self, frame):
        """Return the list of `TrackedFace` in `frame`, uint8 RGB (H, W, 3), in the order of their ids."""
        frame = to_rgb(frame)
        look = _Look(frame)
        for track in self.tracks:
            if track.missing:
                track.missing += 1
        if look.is_dark:
            self._lose_all()
        else:
            if not look.same_scene_as(self._scene):
                self.tracks = []
                self._frames_since = None
            self._scene = look.thumbnail
            if not self._follow(look):
                self._detect(frame, look)
        self.tracks = [track for track in self.tracks if track.missing <= self.patience]
        return [track.face for track in self.tracks if not track.missing]

    @property
    def ids(self):
        """The set of ids that may still be given: faces that are seen, and those missing a short while."""
        return {track.face.id for track in self.tracks}

    def _lose_all(self):
        for track in self.tracks:
            track.missing = track.missing or 1
        self._frames_since = None

    def _follow(self, look):
        """Move all visible faces with KCF; return False when the detector has to look at this frame."""
        if self._frames_since is None or self._frames_since >= self.track:
            return False
        self._frames_since += 1
        return all(track.follow(look) for track in self.tracks if not track.missing)

    def _detect(self, frame, look):
        found = self.detector(frame)
        pairs = match([track.face.box for track in self.tracks], [face.box for face in found])
        known = {k: self.tracks[i] for i, k in pairs}
        for track in self.tracks:
            track.missing = track.missing or 1
        for k, face in enumerate(found):
            if k not in known:
                known[k] = _Track(self._next_id)
                self.tracks.append(known[k])
                self._next_id += 1
            known[k].begin(face, look, follow=self.track > 0)
        self._frames_since = 0


class _Look:
    """What the tracker looks at: the frame made small, once with blue first and once grey."""

    def __init__(self, frame):
        small, self.scale = shrink(frame, LONGEST)
        self.shape = frame.shape
        self.blue_first = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)  # as the colour names of KCF expect it
        self.grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        self.thumbnail = cv2.resize(self.grey, (16, 12), interpolation=cv2.INTER_AREA)
        self.is_dark = self.grey.mean() < DARK

    def same_scene_as(self, thumbnail):
        return thumbnail is None or _correlation(self.thumbnail, thumbnail) >= SAME_SCENE

    def face(self, box):
        """A face as 16x16 grey pixels; `box` in pixels of the small frame."""
        x, y, width, height = box
        return cv2.resize(self.grey[y : y + height, x : x + width], (16, 16), interpolation=cv2.INTER_AREA)

    def box(self, box):
        """A box of the frame in whole pixels of the small frame, never empty."""
        return clamp(np.multiply(box, self.scale), self.grey.shape) or (0, 0, 1, 1)


class _Track:
    """One face: where it is, its KCF, how it looked when it was detected, since when it is missing."""

    def __init__(self, number):
        self.id = number
        self.missing = 0

    def begin(self, face, look, follow):
        self.face = TrackedFace(face.box, face.confidence, face.landmarks, self.id)
        self.start = self.face
        self.missing = 0
        self.kcf = None
        self.start_box = box = look.box(face.box)
        self.looks = look.face(box)
        if follow and min(box[2:]) >= LEAST_SIDE:
            settings = cv2.TrackerKCF.Params()
            settings.max_patch_size = PATCH
            self.kcf = cv2.TrackerKCF.create(settings)
            self.kcf.init(look.blue_first, box)
            self.kcf.update(look.blue_first)  # the first update never moves the box: it is wasted here

    def follow(self, look):
        """Move on to the next frame; return False when the face is lost, drifts or is covered."""
        ok, box = self.kcf.update(look.blue_first) if self.kcf else (True, self.start_box)
        inside = clamp(box, look.grey.shape)
        if not ok or inside is None or _correlation(look.face(inside), self.looks) < ALIKE:
            return False
        # The detected box moves by what KCF's moved: rounding to its coarse pixels does not add up.
        x, y = np.subtract(box[:2], self.start_box[:2]) / look.scale
        moved = clamp(np.add(self.start.box, (x, y, 0, 0)), look.shape)
        if moved is None:
            return False
        landmarks = self.start.landmarks
        if landmarks is not None:
            landmarks = landmarks + np.array([x, y], np.float32)
        self.face = replace(self.face, box=moved, landmarks=landmarks, detected=False)
        return True


def _correlation(first, second):
    """Pearson's correlation of two images of one size, -1 to 1; 0 when either is flat."""
    first = first - first.mean()
    second = second - second.mean()
    length = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / length) if length > 1e-6 else 0.0
