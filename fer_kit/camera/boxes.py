"""Frames and boxes in them: any image as RGB, a smaller frame, a box kept inside, how far two boxes overlap.

A frame is uint8 RGB (H, W, 3), 0-255. A box is (x, y, width, height) in whole pixels, x and y of its upper
left corner.
"""

import cv2
import numpy as np

from fer_kit.data.files.pictures import to_uint8


def to_rgb(image):
    """Return any image as a frame, uint8 RGB (H, W, 3).

    `image` is grey (H, W) or (H, W, 1), RGB (H, W, 3) or RGBA (H, W, 4), which is laid on white; bool, 8-bit
    or 16-bit whole numbers, or floats, scaled as `pictures.to_uint8` does, each by itself; NaN becomes 0.
    A frame is returned as it is, not copied. Raises ValueError for anything else, naming its shape.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"an image has the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), and pixels; not {image.shape}"
        )
    colours = _to_8_bits(image[..., :3])
    if image.shape[2] == 4:
        opaque = _to_8_bits(image[..., 3:]).astype(np.uint16)  # with bits of its own
        colours = ((colours * opaque + 255 * (255 - opaque)) // 255).astype(np.uint8)
    return np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else colours


def _to_8_bits(image):
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind == "f":
        largest = image[np.isfinite(image)].max(initial=0)
        image = np.nan_to_num(image, posinf=largest, neginf=0)
    if image.dtype.kind in "bf" or image.dtype.kind in "iu" and image.min() >= 0 and image.max() <= 65535:
        return to_uint8(image)[0]
    raise ValueError(f"an image has whole numbers from 0 to 255 or 65535, or floats; not these {image.dtype}")


def shrink(frame, longest):
    """Return (a frame whose longer side has at most `longest` pixels, its size in shares of `frame`).

    Nothing is enlarged; a side never falls below one pixel. With `longest` None the frame stays as it is.
    """
    side = max(frame.shape[:2])
    if longest is None or side <= longest:
        return frame, 1.0
    scale = longest / side
    size = [max(1, round(n * scale)) for n in frame.shape[1::-1]]
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA), scale


def clamp(box, shape):
    """Return a box in whole pixels that lies inside an image of this `shape` (H, W, ...), or None.

    `box` may have any numbers; None is returned when less than one pixel of it lies inside.
    """
    if not np.isfinite(box).all():
        return None
    x, y, width, height = box
    left = max(0, round(x))
    top = max(0, round(y))
    right = min(shape[1], round(x + width))
    bottom = min(shape[0], round(y + height))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def overlap(first, second):
    """Return how far two boxes overlap, 0-1: the area of both over that of either (Jaccard index, IoU)."""
    x, y, w, h = first
    u, v, b, a = second
    width = min(x + w, u + b) - max(x, u)
    height = min(y + h, v + a) - max(y, v)
    both = max(0, width) * max(0, height)
    return both / (w * h + b * a - both) if both else 0.0
