"""A video of moving faces for those without a camera: cut from a public-domain portrait, true boxes known.

The portrait is NASA's photograph of the astronaut Eileen Collins, which comes with scikit-image.
"""

import itertools

import cv2
import numpy as np

from fer_kit.camera.boxes import clamp

WIDTH = 640
HEIGHT = 480
FACE = (180, 61, 86, 110)
"""The face in the portrait as MTCNN boxes it: x, y, width, height in pixels."""
HEAD = (222, 112, 82, 104)
"""An ellipse around the head in the portrait: centre x, y and half axes, in pixels."""
LOOKS = ((1.0, 1.0, False), (0.8, 0.8, True), (1.15, 0.65, False))
"""How the three faces differ: size, brightness, mirrored."""


def portrait():
    """Return the portrait, uint8 RGB (512, 512, 3). Raises ImportError when scikit-image is missing."""
    try:
        from skimage import data
    except ImportError as error:
        raise ImportError(
            'the moving-face video is cut from a portrait in scikit-image: `pip install "fer-kit[faces]"`'
        ) from error
    return data.astronaut()


def moving_faces(frames=90, faces=1, speed=3.0, covered=(0, 0), dark=(0, 0), cut=None, away=(0, 0), seed=0):
    """Yield (frame, boxes) of a video: uint8 RGB (480, 640, 3), and one box or None per face.

    `frames` is how many, None for no end; `faces` 1 to 3, in lanes that do not cross; `speed` their mean
    speed in pixels a frame (3 is slow, 10 fast). `covered`, `dark` and `away` are (first, end) frame numbers,
    from 0, in which a board hides the first face, the picture is black, and the first face is out of the
    picture; at frame `cut` the scene changes. A box is (x, y, width, height) in pixels, None while the face
    is hidden or mostly out of the picture. The same `seed` gives the same video.
    """
    if not 1 <= faces <= len(LOOKS):
        raise ValueError(f"there are 1 to {len(LOOKS)} faces, not {faces}")
    heads = [_head(*look) for look in LOOKS[:faces]]
    scene = _Scene(heads, speed, seed)
    for number in range(frames) if frames is not None else itertools.count():
        if number == cut:
            scene = _Scene(heads[::-1], speed, seed + 1)
        frame, boxes = scene.at(number, number in range(*away))
        if number in range(*covered) and boxes[0]:
            x, y, width, height = boxes[0]
            cv2.rectangle(
                frame, (x - 20, y - 20), (x + width + 20, y + height + 20), (96, 84, 70), cv2.FILLED
            )
            boxes[0] = None
        if number in range(*dark):
            frame[:] = 0
            boxes = [None] * faces
        yield frame, boxes


class _Scene:
    """A background and heads that each swing in a lane of their own."""

    def __init__(self, heads, speed, seed):
        self.heads = heads
        self.speed = speed
        chance = np.random.default_rng(seed)
        self.background = _background(chance)
        self.phases = chance.uniform(0, 2 * np.pi, (len(heads), 2))

    def at(self, number, first_is_away):
        frame = self.background.copy()
        lane = WIDTH / len(self.heads)
        boxes = []
        for k, (head, mask, face) in enumerate(self.heads):
            room = np.array([max(lane - head.shape[1], 24), HEIGHT - head.shape[0]]) / 2
            # A swing of half width r and step a moves 2 r a / pi pixels a frame on average.
            step = self.speed * np.pi / 2 / np.hypot(*room) * np.array([1.0, 0.8])
            middle = np.array([lane * (k + 0.5), HEIGHT / 2])
            centre = middle + room * np.sin(self.phases[k] + step * number)
            if first_is_away and k == 0:
                centre[0] = -WIDTH
            corner = np.round(centre - np.array(head.shape[1::-1]) / 2).astype(int)
            _paste(frame, head, mask, corner)
            boxes.append(_visible(np.add(face, (*corner, 0, 0))))
        return frame, boxes


def _visible(box):
    inside = clamp(box, (HEIGHT, WIDTH))
    return inside if inside and inside[2] * inside[3] > box[2] * box[3] / 2 else None


def _background(chance):
    """A wall in soft blotches of one colour, uint8 RGB (480, 640, 3)."""
    blotches = (chance.uniform(70, 160, (6, 8, 1)) * chance.uniform(0.8, 1.2, 3)).astype(np.float32)
    wall = cv2.resize(blotches, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(wall + chance.normal(0, 3, wall.shape), 0, 255).astype(np.uint8)


def _head(size, brightness, mirrored):
    """The head cut from the portrait: pixels float32 (h, w, 3), mask (h, w, 1) 0-1, box of the face in it."""
    x, y, across, down = HEAD
    left = x - across
    top = y - down
    pixels = portrait()[top : y + down, left : x + across].astype(np.float32) * brightness
    rows, columns = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    mask = np.clip((1 - np.hypot(rows, columns)) / 0.15, 0, 1).astype(np.float32)
    u, v, width, height = FACE
    box = np.array([u - left, v - top, width, height])
    if mirrored:
        pixels = pixels[:, ::-1]
        mask = mask[:, ::-1]
        box[0] = pixels.shape[1] - box[0] - width
    shape = [round(n * size) for n in pixels.shape[1::-1]]
    pixels, mask = (cv2.resize(np.ascontiguousarray(part), shape) for part in (pixels, mask))
    return np.clip(pixels, 0, 255), mask[..., None], np.round(box * size).astype(int)


def _paste(frame, head, mask, corner):
    """Lay a head on a frame, its upper left corner at `corner`, which may lie outside."""
    box = clamp((*corner, head.shape[1], head.shape[0]), frame.shape)
    if box is None:
        return
    x, y, width, height = box
    rows = slice(y - corner[1], y - corner[1] + height)
    columns = slice(x - corner[0], x - corner[0] + width)
    under = frame[y : y + height, x : x + width]
    part = mask[rows, columns]
    under[:] = (part * head[rows, columns] + (1 - part) * under).astype(np.uint8)
