"""Draws grey 48x48 faces, many at once, from numbers: a small software shader.

Each face is a set of numbers, its fields: `f.wide` is half the width of the head, `f.skin` its tone. In
here a field has shape (N, 1, 1) and meets the pixel coordinates x, y of shape (N, 48, 48): pixels from the
middle of the face, y downwards, before shift, scale and roll. Tones go from 0 (black) to 1 (white). The
head is an ellipsoid with a relief of bumps, lit from one side; everything else is painted over it, back
to front. Only +, -, *, / and square roots touch pixels: every processor rounds those alike.
"""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np

from fer_kit.data.faceset import SIZE
from fer_kit.data.sample.features import bump, cover, eye, mouth, nose, paint, to_face

BLOCK = 32
"""Faces drawn at a time: few enough that their pixels stay in the processor's cache."""
LOCKS = 256
"""Locks of hair on one head."""


def draw_faces(fields, seed=0):
    """Return uint8 (N, 48, 48) faces for `fields`, a dict of float arrays (N,), the same for the same `seed`.

    `people` draws the fields of random people and `expressions.express` adds those of their expressions.
    Noise comes from a generator of each block, so threads do not change it.
    """
    count = len(fields["skin"])
    images = np.empty((count, SIZE, SIZE), np.uint8)
    textures = _textures(np.random.default_rng([seed, 10]))

    def draw_block(start):
        rows = slice(start, start + BLOCK)
        face = {k: np.float32(v[rows])[:, None, None] for k, v in fields.items()}
        rng = np.random.default_rng([seed, 11, start])
        images[rows] = _photograph(SimpleNamespace(**face), textures, rng)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(draw_block, range(0, count, BLOCK)))
    return images


def _textures(rng, count=64):
    """Return `locks` of hair (count, 256) and `clouds` (count, 48, 48): smooth noise, mean 0, deviation 1."""
    locks = _smooth(rng.standard_normal((count, LOCKS)), 6, axis=1)
    clouds = rng.standard_normal((count, 8, 8)).repeat(6, axis=1).repeat(6, axis=2)
    clouds = _smooth(_smooth(clouds, 10, axis=1), 10, axis=2)
    return {k: np.float32(t / t.std()) for k, t in (("locks", locks), ("clouds", clouds))}


def _smooth(field, times, axis):
    for _ in range(times):
        field = (np.roll(field, 1, axis) + 2 * field + np.roll(field, -1, axis)) / 4
    return field


def _photograph(f, textures, rng):
    """Draw the faces of one block, back to front; returns uint8 (N, 48, 48)."""
    count = len(f.skin)
    clouds = textures["clouds"][rng.integers(0, 64, count)]
    grid = np.arange(SIZE, dtype=np.float32)
    x, y = to_face(f, grid, grid[:, None])
    strands = f.plain * _strands(f, x, y, textures["locks"][rng.integers(0, 64, count)])
    image = _background(f, x, y, clouds)
    _hair_behind(f, image, x, y, strands)
    _neck(f, image, x, y)
    shade = _head(f, image, x, y, clouds)
    nose(f, image)
    for side in (-1, 1):
        eye(f, image, shade, side)
    mouth(f, image, shade)
    _hair_in_front(f, image, x, y, strands)
    _hand(f, image, x, y)
    return _develop(f, image, rng)


def _background(f, x, y, clouds):
    return f.back + f.back_slope * x + f.back_fall * y + f.back_rough * clouds


def _strands(f, x, y, locks):
    """Hair falls in locks from above the parting; returns noise that is constant along each lock."""
    lock = np.clip((x - f.part) / (y + 42) * 60 + LOCKS // 2, 0, LOCKS - 1).astype(np.intp)
    lock += LOCKS * np.arange(len(x))[:, None, None]
    return locks.ravel()[lock]


def _hair_behind(f, image, x, y, strands):
    crown = np.clip(y, None, 0)
    tips = np.clip(y - f.length + 8, 0, None)
    width = f.wide + f.volume - np.abs(x) + f.flare * y - 0.008 * crown * crown - 0.06 * tips * tips
    mask = cover(0.7 * width + 0.2 * strands) * cover(0.3 * (f.length - y + 1.5 * strands))
    paint(image, mask * f.hairy, f.hair * (0.7 + 0.13 * strands))


def _neck(f, image, x, y):
    image, x, y = (values[:, SIZE // 2 :] for values in (image, x, y))
    side = np.abs(x)
    shadow = 0.78 - 0.38 * cover((f.chin + 3.5 - y) * 0.3) + 0.012 * f.light_x * x
    paint(image, cover(f.neck - side + 0.04 * y * y * (y > 20)) * cover(y - 6), f.skin * shadow)
    collar = y - f.collar + f.collar_v * (side - f.neck) * (side > 1)
    paint(image, cover(collar), f.cloth * (0.8 + 0.012 * f.light_x * x))


def _head(f, image, x, y, clouds):
    """Paint the lit head into `image`; return how lit (0 to about 1.1) each of its pixels is."""
    shade = _light(f)
    ear = bump(np.abs(x) - f.wide, y + 0.5, 2.4, 4.6) * f.ears
    paint(image, np.clip(ear * 2.5, 0, 1), f.skin * (0.45 + 0.4 * ear))
    skin = f.skin * shade * (1 + 0.035 * clouds)
    skin *= 1 - f.beard * (0.9 + 0.1 * clouds) * cover(0.3 * (y - f.nose_y - 5.5 + 0.45 * np.abs(x)))
    u, v = _on_head(f, x, y)
    u = u * u
    v = v * v
    paint(image, cover((1 - u - v + f.square * u * v) * 0.5 * f.wide), skin)
    return shade


def _on_head(f, x, y):
    """Return x, y as shares of the head's half-axes: its rim lies near 1, the jaw narrows downwards."""
    below = np.clip(y, 0, None) / f.chin
    return x / (f.wide * (1 - f.jaw * below * below)), below + np.clip(y, None, 0) / f.top


def _light(f):
    """Return how lit each pixel is: ambient light, Lambert's cosine law and a highlight.

    All of it is soft, so it is worked out for every second pixel.
    """
    grid = np.arange(0.5, SIZE, 2, dtype=np.float32)
    x, y = to_face(f, grid, grid[:, None])
    relief = _relief(f, x, y)
    u, v = _on_head(f, x, y)
    out = np.sqrt(np.clip(1 - 0.8 * (u * u + v * v), 0.1, 1))
    across = u * 0.8
    down = v * 0.55
    across[:, :, 1:-1] -= 0.25 * (relief[:, :, 2:] - relief[:, :, :-2])
    down[:, 1:-1] -= 0.25 * (relief[:, 2:] - relief[:, :-2])
    facing = across * f.light_x + down * f.light_y + out * f.light_z
    facing = np.clip(facing / np.sqrt(across * across + down * down + out * out), 0, 1)
    hollow = 0.8 + 0.1 * np.clip(relief, None, 0)
    return _double(f.ambient * hollow + f.key * facing + f.shine * np.square(np.square(facing * facing)))


def _relief(f, x, y):
    """Height of nose, brow ridge, eye sockets, cheeks, mouth and chin above the bare head, in pixels."""
    bulge = 1 - (x * (1 / 17)) ** 2
    x, y = x - f.yaw * bulge, y - f.pitch * bulge
    side = np.abs(x)
    nose = x - 0.5 * f.yaw
    relief = f.bridge * bump(nose, y + 1, f.nose_wide + 0.4, 8)
    relief += 2.1 * bump(nose, y - f.nose_y + 1, f.nose_wide + 0.9, 3.8)
    relief += 1.1 * bump(side - 7, y + 9.5 + f.ridge, 7, 3.5)
    relief -= 2.2 * bump(side - 6.2, y - f.eye_y, 5.6, 4.6)
    relief += (1.4 + 1.5 * f.cheek) * bump(side - 8.6, y - 3.5 + f.cheek, 6.2, 5.2)
    relief -= (0.6 + f.gaunt) * bump(side - 9.3, y - 10.5, 4, 6.5)
    relief += 1.2 * bump(x, y - f.chin + 3.2, 5, 3.2)
    relief += 1.5 * bump(x, y - f.mouth_y, 8, 5.5)
    relief += f.forehead * (bump(x, y + 12.5, 10, 1.8) + bump(x, y + 16, 10, 1.8))
    return relief


def _double(coarse):
    """Enlarge (N, H, W) to (N, 2 H, 2 W) with smooth steps."""
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    fine[:, 1:-1] = (fine[:, :-2] + 2 * fine[:, 1:-1] + fine[:, 2:]) * 0.25
    fine[:, :, 1:-1] = (fine[:, :, :-2] + 2 * fine[:, :, 1:-1] + fine[:, :, 2:]) * 0.25
    return fine


def _hair_in_front(f, image, x, y, strands):
    """Hair above the hairline, and curtains of long hair beside the face."""
    side = np.square(x / (f.wide + f.volume))
    high = np.square(np.clip(y, None, 0) / (f.top + 1.2 * f.volume))
    cap = cover((1 - side - high + 0.7 * side * high) * 0.5 * f.wide + 0.15 * strands)
    away = (x - f.part) / 13
    line = f.hairline + f.temple * away * away - y + f.fringe * strands
    curtain = np.abs(x) - f.wide + f.curtain + 0.3 * strands
    mask = cap * cover(0.7 * np.maximum(line, curtain)) * cover(np.maximum(f.burns, f.length) - y)
    gloss = 0.75 + 0.15 * strands + f.gleam * bump(x - 8 * f.light_x, y + 17, 14, 6) * (1 + 0.3 * strands)
    paint(image, mask * f.hairy, f.hair * gloss)


def _hand(f, image, x, y):
    """Four fingers, for the few who have one before the face."""
    who = np.flatnonzero(f.hand)
    if not len(who):
        return
    f = SimpleNamespace(**{k: v[who] for k, v in vars(f).items()})
    x, y = x[who] * f.hand - f.hand_x, y[who] - f.hand_y
    hand = image[who]
    for finger, length in enumerate((6, 8.5, 9, 7.5)):
        tilt = f.hand_tilt + 0.13 * (finger - 1.5)
        across = (x + tilt * y) / np.sqrt(1 + tilt * tilt) - 2.9 * (finger - 1.5)
        tip = np.clip(y - tilt * x + length, None, 0)
        finger_round = np.clip(1 - (across * across + tip * tip) / 3.2, -1, 1)
        paint(hand, cover(1.3 * finger_round), f.skin * (0.58 + 0.3 * np.clip(finger_round, 0, 1)))
    image[who] = hand


def _develop(f, image, rng):
    """The camera: lens blur, exposure, a film's soft contrast and sensor noise; returns uint8."""
    near = image[:, 1:-1, 1:-1]
    rows = image[:, :-2] + 2 * image[:, 1:-1] + image[:, 2:]
    soft = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    near += f.blur * (soft - near)
    image = np.clip(image * f.exposure, 0, 1)
    image += f.contrast * image * (1 - image) * (2 * image - 1)
    noise = rng.random(image.shape, dtype=np.float32) - 0.5
    return np.clip(image * 250 + 3 + f.noise * noise, 0, 255).astype(np.uint8)
