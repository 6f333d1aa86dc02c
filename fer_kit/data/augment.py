"""Augmentation: small random changes that keep the emotion, for one face on disk or inside a model.

Augment Training faces only, and only after a split: a changed copy on the other side of a split is
still the same face.
"""

import operator

import numpy as np


def augment_face(face, rng):
    """Change a copy of one face at random, as in hejslet-augment.

    Rotates by up to 15 degrees, mirrors every second face, zooms by 0.95 to 1.08, changes contrast by
    0.9 to 1.1 and brightness by up to 8 grey levels, and adds noise of 3 grey levels to three faces in ten.

    Args:
        face: uint8 (H, W), 0-255; it stays as it is.
        rng: a `numpy.random.Generator`.

    Returns:
        The copy, uint8 (H, W), 0-255.

    Raises:
        ValueError: `face` has another shape or dtype.
    """
    out = rotate(_checked(face), rng.uniform(-15, 15))
    if rng.random() < 0.5:
        out = out[:, ::-1]
    out = zoom(out, rng.uniform(0.95, 1.08))
    out = out * rng.uniform(0.9, 1.1) + rng.uniform(-8, 8)
    if rng.random() < 0.3:
        out = out + rng.normal(0, 3, out.shape)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def rotate(face, angle):
    """Turn a face about its middle; the corners are filled with the face mirrored at its edges.

    Args:
        face: (H, W), any dtype that OpenCV takes.
        angle: degrees, anticlockwise.

    Returns:
        The turned face, of the same shape and dtype.
    """
    return _turned_and_scaled(face, angle, 1.0)


def zoom(face, factor):
    """Enlarge or shrink a face about its middle, keeping its shape.

    What grows over the edge is cropped; what is missing after shrinking is filled with the mirrored face.

    Args:
        face: (H, W), any dtype that OpenCV takes.
        factor: above 1 to enlarge, below 1 to shrink.

    Returns:
        The zoomed face, of the same shape and dtype.
    """
    return _turned_and_scaled(face, 0, factor)


def _turned_and_scaled(face, angle, factor):
    import cv2

    height, width = face.shape
    middle = (width - 1) / 2, (height - 1) / 2  # the first pixel lies at 0, the last at width - 1
    matrix = cv2.getRotationMatrix2D(middle, angle, factor)
    face = np.ascontiguousarray(face)
    return cv2.warpAffine(face, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def augment_disgust(face, rng):
    """Change a copy of one face at random, as in murphy-disgust-aug.

    Rotates by up to 20 degrees, shifts by up to a tenth of the width and of the height, shears by up to
    0.1, zooms each axis by 0.9 to 1.1 and mirrors every second face, all in one warp, so that the face is
    interpolated once; edges repeat their last pixel. The report says "10 degrees" of shear and shift
    alike; 0.1 is read as a fraction.

    Args:
        face: uint8 (H, W), 0-255; it stays as it is.
        rng: a `numpy.random.Generator`.

    Returns:
        The copy, uint8 (H, W), 0-255.

    Raises:
        ValueError: `face` has another shape or dtype.
    """
    import cv2

    height, width = _checked(face).shape
    angle = np.deg2rad(rng.uniform(-20, 20))
    shear = rng.uniform(-0.1, 0.1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ [[1, shear], [0, 1]] @ np.diag(rng.uniform(0.9, 1.1, 2))
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    middle = np.array([width - 1, height - 1]) / 2
    shift = rng.uniform(-0.1, 0.1, 2) * (width, height)
    matrix = np.column_stack([turn, middle - turn @ middle + shift])
    return cv2.warpAffine(face, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def augmentation_layers(strength="hejslet", seed=None):
    """Build Keras layers that augment while a model trains and do nothing otherwise.

    They stand at the front of a model: float (B, H, W, 1) in 0-255 goes in and comes out. `model.predict`
    switches them off; a model called as a function needs `training=False` to do so. They compute in
    float32 also under mixed precision, which would round positions and grey levels.

    Args:
        strength: "hejslet" (`augment_face` without its noise, and with contrast about each face's own mean),
            "murphy" (`augment_disgust`; Keras shears about the top row, which moves the middle by up to a
            twentieth more), "light" (mirror and shift, as Pramerdorfer & Kampel 2016) or
            "strong" (mirror, turn, shift, zoom, more contrast, erased patches; for over a hundred epochs).
        seed: makes the layers repeatable.

    Returns:
        A list of Keras layers.

    Raises:
        ValueError: `strength` is none of the four.
    """
    import keras

    if strength not in _LAYERS:
        raise ValueError(f"no augmentation {strength!r}; there are {', '.join(_LAYERS)}")
    built = []
    for number, (kind, options) in enumerate(_LAYERS[strength]):
        layer_seed = None if seed is None else operator.index(seed) + number
        built.append(getattr(keras.layers, kind)(**options, seed=layer_seed, dtype="float32"))
    return built


_MIRROR = ("RandomFlip", {"mode": "horizontal"})
_LAYERS = {
    "hejslet": (
        _MIRROR,
        ("RandomRotation", {"factor": 15 / 360}),
        # Keras zooms OUT by a positive factor: x1.08 is -0.074, x0.95 is +0.053.
        ("RandomZoom", {"height_factor": (1 / 1.08 - 1, 1 / 0.95 - 1)}),
        # Pairs, because of one number Keras takes the rise alone: (0.1, 0.1) is 0.9 to 1.1 times.
        ("RandomContrast", {"factor": (0.1, 0.1)}),
        ("RandomBrightness", {"factor": 8 / 255}),
    ),
    "murphy": (
        _MIRROR,
        ("RandomRotation", {"factor": 20 / 360, "fill_mode": "nearest"}),
        ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1, "fill_mode": "nearest"}),
        # A pair from 0, because Keras mirrors it itself and cannot load what it makes of one number.
        ("RandomShear", {"x_factor": (0.0, 0.1), "fill_mode": "nearest"}),
        ("RandomZoom", {"height_factor": 0.1, "width_factor": 0.1, "fill_mode": "nearest"}),
    ),
    "light": (_MIRROR, ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1})),
    "strong": (
        _MIRROR,
        ("RandomRotation", {"factor": 12 / 360}),
        ("RandomTranslation", {"height_factor": 0.08, "width_factor": 0.08}),
        ("RandomZoom", {"height_factor": 0.1}),
        ("RandomContrast", {"factor": (0.0, 0.2)}),
        # A pair, because one number p would mean a chance drawn from 0 to p.
        ("RandomErasing", {"factor": (0.5, 0.5), "scale": (0.02, 0.2), "fill_value": 128}),
    ),
}
"""Keras layers by name with their options, so that this module needs no Keras to be imported."""


def class_weights(faces):
    """Weigh each emotion in the loss, so that rare ones count as much as common ones (murphy-weights).

    The weight is N / (emotions * faces of this emotion), scikit-learn's "balanced" formula (the report gives
    no numbers): the mean weight over all faces is 1.

    Args:
        faces: the FaceSet that a model is to learn from.

    Returns:
        {label: weight}, for `model.fit(class_weight=...)`.

    Raises:
        ValueError: an emotion has no face.
    """
    counts = np.bincount(faces.labels, minlength=len(faces.names))
    if not counts.all():
        name = faces.names[int(np.argmin(counts))]
        raise ValueError(f"there is no {name} face to weigh; leave it out with faces.drop({name!r})")
    return {label: len(faces) / (len(counts) * int(count)) for label, count in enumerate(counts)}


def _checked(face):
    face = np.asarray(face)
    if face.ndim != 2 or face.dtype != np.uint8:
        raise ValueError(f"a face is uint8 (H, W), not {face.dtype} {face.shape}")
    return face
