"""Finding faces in a frame: OpenCV's Haar cascades (zhao-fig5) and MTCNN, behind one call.

detector = find_detector("mtcnn")
for face in detector(frame): ...
"""

import contextlib
import warnings
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
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
CROPS = 128
"""How many crops MTCNN's second and third network get at once, so that a crowd takes no more memory."""
MANY = 2000
"""More windows than this in one size of the picture are thinned before the package compares them."""
CERTAIN = 0.6
OVERLAP = 0.5
"""The package's own: how sure its first network must be of a window, and how far two may overlap."""
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
    """Return a face detector: a callable from a frame to a list of `Face`, the largest first.

    Args:
        name: "haar" (OpenCV's default cascade, which zhao began with), "haar-alt2" or "mtcnn".
        longest: The frame is shrunk to this longer side in pixels before it is searched; by default 320 for
            MTCNN and 640 for Haar. MTCNN finds faces of at least 20 pixels there, a sixteenth of the longer
            side: for small faces in a large picture give more.

    Returns:
        `Haar` or `Mtcnn`. Call it with a frame, uint8 RGB (H, W, 3).

    Raises:
        ValueError: There is no detector of this name.
        ImportError: A package or a part of OpenCV is missing; the message says what to install or uninstall.
    """
    check_detector(name)
    return Mtcnn(longest or 320) if name == "mtcnn" else Haar(name, longest or 640)


def check_detector(name):
    """Raise ValueError, naming those that there are, when `name` is no detector's."""
    if name not in DETECTORS:
        raise ValueError(f"no detector {name!r}; there are {', '.join(DETECTORS)}")


class Haar:
    """Viola and Jones' cascade (2001) with one of OpenCV's two frontal-face files; gives no landmarks."""

    def __init__(self, name="haar", longest=640):
        self.name = name
        self.longest = longest
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADES[name]
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise ImportError(opencv_advice("Haar cascades"))
        self.cascade = cv2.CascadeClassifier()
        # As text: on Windows OpenCV opens no path with letters beyond ASCII, such as a user's name.
        text = path.read_text(encoding="utf-8")
        stored = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        self.cascade.read(stored.getFirstTopLevelNode())
        stored.release()

    def __call__(self, frame):
        """Return the list of `Face` in `frame`, uint8 RGB (H, W, 3), the largest first."""
        frame = to_rgb(frame)
        small, scale = shrink(frame, self.longest)
        boxes = self.cascade.detectMultiScale(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        return _largest_first(Face(clamp(np.asarray(box) / scale, frame.shape)) for box in boxes)


class Mtcnn:
    """Three networks, each stricter than the one before (Zhang et al. 2016), from the `mtcnn` package.

    Each network is compiled once. The package's `min_face_size` is left alone: from 24 on its pyramid ends
    below the 12 pixels that the first network needs, and it finds nothing, without a warning, or fails with
    an error, by the version of Keras. The frame is shrunk instead.
    """

    def __init__(self, longest=320):
        self.name = "mtcnn"
        self.longest = longest
        self.stages, self.device = _stages()

    def __call__(self, frame):
        """Return the list of `Face` in `frame`, uint8 RGB (H, W, 3), the largest first."""
        frame = to_rgb(frame)
        small, scale = shrink(frame, self.longest)
        if min(small.shape[:2]) <= SMALLEST:
            return []
        pixels = (small[None].astype(np.float32) - 127.5) / 128
        shapes = np.array([small.shape])
        rows = None
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
    if box is None:
        return None
    return Face(box, float(row[5]), (row[6:16].reshape(2, 5).T / scale).astype(np.float32))


def plain_mtcnn():
    """Return the `mtcnn` package's own `MTCNN`, as it comes but for where it finds its weights.

    `MTCNN()` looks for `pnet.lz4` in the current folder first, and unpickles what it finds: a file left in a
    shared folder could run any code. Here the weights are the package's own.

    Raises ImportError as `find_detector` does.
    """
    made, _ = _package_stages()
    from mtcnn import MTCNN

    return MTCNN(stages=made)


def _stages():
    """MTCNN's three stages, each with its network compiled, and the device they run on."""
    made, device = _package_stages()
    with device():
        _compile(made)
    return made, device


def _package_stages():
    """The package's three stages with its own weights, and the device they run on."""
    try:
        import keras

        backend = keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow  # noqa: F401, as mtcnn does
    except ImportError as error:
        raise ImportError(
            f'MTCNN runs on TensorFlow: `pip install tensorflow`, or take "haar-alt2" ({error})'
        ) from error
    if backend != "tensorflow":
        raise ImportError(
            f"MTCNN runs on TensorFlow, and Keras is set to {backend}, by KERAS_BACKEND or in keras.json: "
            'set KERAS_BACKEND=tensorflow, or take "haar-alt2"'
        )
    from fer_kit.runtime.devices import require_channels_last

    require_channels_last()
    if not find_spec("mtcnn"):
        raise ImportError('mtcnn is not installed: `pip install "fer-kit[faces]"`, or take "haar-alt2"')
    try:
        return _made()
    except Exception as error:
        if not settings.is_set("TF_USE_LEGACY_KERAS"):
            raise
        raise ImportError(
            f"MTCNN cannot be made while TF_USE_LEGACY_KERAS is set ({error}), which deepface does: unset it "
            'and restart Python, or take "haar-alt2"'
        ) from error


def _made():
    import mtcnn
    import tensorflow as tf
    from mtcnn import stages

    # By absolute path: from a bare name the package would unpickle a file of that name in the current folder.
    weights = Path(mtcnn.__file__).parent / "assets" / "weights"
    device = partial(tf.device, "CPU:0")  # the nets are so small that a GPU would only wait for them
    with device():
        made = [
            stages.StagePNet(weights=str(weights / "pnet.lz4")),
            stages.StageRNet(weights=str(weights / "rnet.lz4")),
            stages.StageONet(weights=str(weights / "onet.lz4")),
        ]
    return made, device


def _compile(stages):
    """Give each stage its network as a compiled function, which is five times as fast as the package's own.

    The first network takes a picture of any size, the others crops of one size: Keras 3.10 cannot flatten
    feature maps of which neither side is known.
    """
    import tensorflow as tf

    try:
        from mtcnn.stages.base import StageBase

        for stage, side in zip(stages, (None, 24, 48), strict=True):
            crops = tf.TensorSpec((None, side, side, 3), tf.float32)
            compiled = tf.function(stage.model, input_signature=[crops])
            compiled = _in_batches(compiled) if side else _thinned(compiled)
            StageBase.__init__(stage, stage.name, stage.id, compiled)  # the public way to give it a model
    except (ImportError, AttributeError, TypeError) as error:
        warnings.warn(f"MTCNN runs uncompiled, about five times slower: {error}", stacklevel=2)


def _thinned(network):
    """Return the first network with fewer windows in its answer where they are more than `MANY`.

    The package compares every window with every other at once, in gigabytes for a crowd. Most of the windows
    that it would leave out at this size of the picture are left out before, one after the other.
    """
    import tensorflow as tf

    def answer(picture):
        offsets, scores = network(picture)
        faces = scores[0, ..., 1]
        places = tf.where(faces > CERTAIN)
        if len(places) <= MANY:
            return offsets, scores
        left, top, right, bottom = tf.unstack(12 * tf.gather_nd(offsets[0], places), axis=1)
        y, x = tf.unstack(tf.cast(2 * places, tf.float32), axis=1)
        boxes = tf.stack([y + top, x + left, y + 12 + bottom, x + 12 + right], axis=1)
        rows = tf.image.non_max_suppression(boxes, tf.gather_nd(faces, places), len(places), OVERLAP)
        places = tf.gather(places, rows)
        kept = tf.scatter_nd(places, tf.ones(len(places)), tf.shape(faces, tf.int64))
        return offsets, scores * kept[None, ..., None]

    return answer


def _in_batches(network):
    """Return a network that looks at `CROPS` crops at a time: a crowd has thousands that may be faces."""
    import tensorflow as tf

    def answer(crops):
        if len(crops) <= CROPS:
            return network(crops)
        parts = [network(crops[start : start + CROPS]) for start in range(0, len(crops), CROPS)]
        return [tf.concat(part, 0) for part in zip(*parts, strict=True)]

    return answer


def _largest_first(faces):
    return sorted(filter(None, faces), key=lambda face: -face.box[2] * face.box[3])


def installed_wheels():
    """Return the names of the installed packages that bring OpenCV, a list of str."""
    found = []
    for wheel in WHEELS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.version(wheel)
            found.append(wheel)
    return found


def opencv_advice(what):
    """Return in words why this OpenCV lacks `what`, and which wheels to uninstall."""
    wheels = installed_wheels()
    installed = ", ".join(f"{wheel} {metadata.version(wheel)}" for wheel in wheels) or "no wheel"
    clash = "; they overwrite each other" if len(wheels) > 1 else ""
    return (
        f"OpenCV {cv2.__version__} has no {what}. Installed: {installed}{clash}. "
        f"Uninstall all of it with `pip uninstall -y {' '.join(wheels) or 'opencv-python'}`, then "
        '`pip install "opencv-contrib-python-headless>=4.10,<5"`, and restart Python'
    )
