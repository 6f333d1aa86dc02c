"""Finding faces in a frame: OpenCV's Haar cascades (zhao-fig5) and MTCNN, behind one call.

detector = find_detector("mtcnn")
for face in detector(frame): ...
"""

from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

from fer_kit.camera.boxes import clamp, shrink, to_rgb
from fer_kit.runtime import settings

CASCADES = {"haar": "haarcascade_frontalface_default.xml", "haar-alt2": "haarcascade_frontalface_alt2.xml"}
DETECTORS = (*CASCADES, "mtcnn")
WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
SMALLEST = 20
"""Side in pixels of the smallest face that MTCNN finds (its default; see `Mtcnn`)."""


@dataclass(frozen=True)
class Face:
    """A face found in a frame.

    `box` is (x, y, width, height), ints in pixels of the frame, inside of it; `confidence` 0-1 (1.0 where
    the detector gives none); `landmarks` float32 (5, 2), x and y in pixels of the eye at the left of the
    picture, the eye at the right, nose, left and right corner of the mouth, or None.
    """

    box: tuple
    confidence: float = 1.0
    landmarks: np.ndarray | None = None


def find_detector(name="mtcnn", longest=None):
    """Return the detector of this name: a callable from a frame to a list of `Face`, the largest first.

    `name` is "haar" (OpenCV's default cascade, which zhao began with), "haar-alt2" or "mtcnn". `longest` is
    the longer side in pixels of the shrunk frame the detector looks at: 320 by default for MTCNN, 640 for
    Haar. MTCNN finds faces of at least 20 pixels there, a sixteenth of the longer side: for small faces in a
    large picture ask for more. Raises ValueError for another name; ImportError, with what to install or to
    uninstall, when a package or a part of OpenCV is missing.
    """
    if name in CASCADES:
        return Haar(name, longest or 640)
    if name == "mtcnn":
        return Mtcnn(longest or 320)
    raise ValueError(f"no detector {name!r}; there are {', '.join(DETECTORS)}")


class Haar:
    """Viola and Jones' cascade (2001) with one of OpenCV's two frontal-face files; gives no landmarks."""

    def __init__(self, name="haar", longest=640):
        self.name, self.longest = name, longest
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADES[name]
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise ImportError(opencv_advice("Haar cascades"))
        self.cascade = cv2.CascadeClassifier(str(path))

    def __call__(self, frame):
        """Return the list of `Face` in `frame`, uint8 RGB (H, W, 3), the largest first."""
        frame = to_rgb(frame)
        small, scale = shrink(frame, self.longest)
        boxes = self.cascade.detectMultiScale(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        return _largest_first(Face(clamp(np.asarray(box) / scale, frame.shape)) for box in boxes)


class Mtcnn:
    """Three networks, each stricter than the one before (Zhang et al. 2016), from the `mtcnn` package.

    Each network is compiled once, for all sizes. The package's `min_face_size` is left alone: from 24 on its
    pyramid ends below the 12 pixels that the first network needs, and it finds nothing, without a word.
    The frame is shrunk instead.
    """

    def __init__(self, longest=320):
        self.name, self.longest = "mtcnn", longest
        self.stages, self.device = _compiled_stages()

    def __call__(self, frame):
        """Return the list of `Face` in `frame`, uint8 RGB (H, W, 3), the largest first."""
        frame = to_rgb(frame)
        small, scale = shrink(frame, self.longest)
        if min(small.shape[:2]) <= SMALLEST:
            return []
        pixels = (small[None].astype(np.float32) - 127.5) / 128
        rows, shapes = None, np.array([small.shape])
        with self.device():
            for stage in self.stages:
                rows = stage(bboxes_batch=rows, images_normalized=pixels, images_oshapes=shapes)
                if not len(rows):  # of an empty batch the next network complains on the error stream
                    return []
        return _largest_first(_mtcnn_face(row, scale, frame.shape) for row in rows)


def _mtcnn_face(row, scale, shape):
    """A row of the package: image, left, top, right, bottom, confidence, five landmarks' x, then their y."""
    left, top, right, bottom = row[1:5] / scale
    box = clamp((left, top, right - left, bottom - top), shape)
    return box and Face(box, float(row[5]), (row[6:16].reshape(2, 5).T / scale).astype(np.float32))


def _compiled_stages():
    """MTCNN's three stages, each network compiled once for all sizes, and the device they run on."""
    if settings.backend() != "tensorflow":
        raise ImportError('MTCNN needs KERAS_BACKEND=tensorflow; on another backend take "haar-alt2"')
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            'MTCNN runs on TensorFlow: `pip install tensorflow`, or take "haar-alt2"'
        ) from error
    try:
        import mtcnn
        from mtcnn.stages import StageONet, StagePNet, StageRNet
    except ImportError as error:
        raise ImportError(
            'mtcnn is not installed: `pip install "fer-kit[faces]"`, or take "haar-alt2"'
        ) from error
    # By absolute path: from a bare name the package would unpickle a file of that name in the current folder.
    weights = Path(mtcnn.__file__).parent / "assets" / "weights"
    anything = tf.TensorSpec((None, None, None, 3), tf.float32)
    device = partial(tf.device, "CPU:0")  # the nets are so small that a GPU would only wait for them
    with device():
        stages = [
            stage(weights=str(weights / f"{name}.lz4"))
            for stage, name in ((StagePNet, "pnet"), (StageRNet, "rnet"), (StageONet, "onet"))
        ]
        for stage in stages:
            stage._model = tf.function(stage._model, input_signature=[anything])
    return stages, device


def _largest_first(faces):
    return sorted(filter(None, faces), key=lambda face: -face.box[2] * face.box[3])


def opencv_advice(what):
    """Return in words why this OpenCV lacks `what`, and which wheels to uninstall."""
    installed = []
    for wheel in WHEELS:
        try:
            installed.append(f"{wheel} {metadata.version(wheel)}")
        except metadata.PackageNotFoundError:
            continue
    clash = "; they overwrite each other" if len(installed) > 1 else ""
    names = " ".join(wheel.split()[0] for wheel in installed) or "opencv-python"
    return (
        f"OpenCV {cv2.__version__} has no {what}. Installed: {', '.join(installed) or 'no wheel'}{clash}. "
        f"Uninstall all of it with `pip uninstall -y {names}`, then "
        '`pip install "opencv-contrib-python-headless>=4.10,<5"`, and restart Python'
    )
