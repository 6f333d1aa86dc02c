"""The small parts of a drawn face (nose, eyes, brows, mouth, glasses) and the brushes that paint them.

The words are those of `drawing`: `f` holds the numbers of N faces, each (N, 1, 1); x, y are
pixels from the middle of the face. What is thin is drawn in a small window of the picture, for speed.
"""

import numpy as np

from fer_kit.data.faceset import MIDDLE, SIZE

MIDDLE_X = MIDDLE
MIDDLE_Y = MIDDLE + 1
"""Where the middle of a face lies in its picture, in pixels: heads with hair are drawn one pixel lower."""


def cover(distance):
    """Share of a pixel that is inside when the edge lies `distance` pixels away."""
    return np.clip(distance + 0.5, 0, 1)


def bump(x, y, width, height):
    """A soft hill of height 1 that ends at the ellipse of these half-axes."""
    hill = np.clip(1 - (x * (1 / width)) ** 2 - (y * (1 / height)) ** 2, 0, 1)
    return np.square(hill, out=hill)


def paint(image, mask, tone):
    """Paint `tone` into `image`, in place, as far as `mask` (0 to 1) lets it through."""
    image += mask * (tone - image)


def to_face(f, column, row):
    """Turn picture coordinates into face coordinates x, y: undo shift, scale and roll."""
    across = (column - MIDDLE_X - f.shift_x) / f.scale
    down = (row - MIDDLE_Y - f.shift_y) / f.scale
    return across * f.cos + down * f.sin, down * f.cos - across * f.sin


def window(f, x, y, height, width):
    """Return where a window around face point x, y lies: indices into images, and x, y inside it."""
    bulge = 1 - (x / 17) ** 2
    x0 = x + f.yaw * bulge
    y0 = y + f.pitch * bulge
    column = (x0 * f.cos - y0 * f.sin) * f.scale + f.shift_x + MIDDLE_X
    row = (x0 * f.sin + y0 * f.cos) * f.scale + f.shift_y + MIDDLE_Y
    left = np.clip((column - width / 2 + 0.5).astype(int), 0, SIZE - width) + np.arange(width)
    top = np.clip((row - height / 2 + 0.5).astype(int), 0, SIZE - height) + np.arange(height)[:, None]
    wx, wy = to_face(f, left.astype(np.float32), top.astype(np.float32))
    return (np.arange(len(f.skin))[:, None, None], top, left), wx - f.yaw * bulge, wy - f.pitch * bulge


def nose(f, image):
    """Darken nostrils, the shadow under the nose, its wrinkles (AU 9) and the frown lines above it (AU 4)."""
    at, x, y = window(f, 0, f.nose_y - 4, 24, 16)
    patch = image[at]
    x = x - 0.35 * f.yaw
    side = np.abs(x)
    dark = 0.75 * bump(side - 0.62 * f.nose_wide, y - f.nose_y - 1.3 + 0.7 * f.nose, 1.5, 1.1)
    dark += 0.3 * bump(side - f.nose_wide + 0.2, y - f.nose_y - 0.3 + 0.7 * f.nose, 1.0, 1.8)
    dark += 0.22 * bump(x, y - f.nose_y - 2.2, f.nose_wide, 1.2)
    dark += 0.4 * f.nose * bump(side - 2.1 - 0.2 * y, y + 2, 1.2, 3.4)
    dark += 0.3 * f.nose * (bump(x, y + 4.8, 2.8, 1) + bump(x, y + 2.7, 2.4, 0.9))
    dark += 0.45 * f.glabella * bump(side - 1.3, y + 8.2, 0.9, 3.4)
    image[at] = patch * (1 - np.clip(dark, 0, 0.9))


def eye(f, image, shade, side):
    """Draw the eye, brow and lens on one `side` (-1 or 1); `shade` says how lit each pixel is."""
    at, x, y = window(f, side * f.eye_x, f.eye_y - 3.5, 20, 18)
    patch = image[at]
    lit = shade[at]
    across = x * side - f.eye_x
    t = across / f.eye_wide
    arc = 1 - t * t
    inside = cover((1.1 - np.abs(t)) * f.eye_wide)
    y = y - f.eye_y + f.slant * across
    upper = y + f.eye_up * arc  # pixels inside the upper lid
    lower = f.eye_low * arc - y
    patch *= 1 - 0.3 * inside * np.clip(1 - np.abs(upper + 1.7 + 0.3 * f.eye_up) / 1.1, 0, 1)
    patch *= 1 - f.bag * bump(across, y - 3.6 + f.cheek, 4, 1.3)
    open_ = cover(upper) * cover(lower)
    paint(patch, open_, f.white * np.clip(lit, 0.25, 0.9) * (0.6 + 0.4 * f.skin) + 0.04)
    _iris(f, patch, open_, x - side * f.eye_x - f.gaze_x, y - f.gaze_y + 0.3)
    patch *= 1 - f.lash * inside * np.clip(1.1 - np.abs(upper - 0.1), 0, 1)
    patch *= 1 - 0.3 * inside * np.clip(1 - np.abs(lower - 0.1), 0, 1)
    patch *= 1 - 0.45 * f.crow * bump(across - 5.8, y - 0.6, 1.8, 2.6) * (np.abs(y * 1.2 - 0.6) % 1)
    _brow(f, patch, x * side, y + f.eye_y - f.slant * across)
    _glasses(f, patch, across, y)
    image[at] = patch


def _iris(f, patch, open_, x, y):
    r = np.sqrt(x * x + y * y)
    paint(patch, open_ * cover(f.iris - r), f.iris_tone)
    paint(patch, open_ * cover(0.45 * f.iris - r), 0.03)
    paint(patch, open_ * bump(x - 0.6 * f.light_x, y + 0.7, 1.0, 1.0), 0.85)


def _brow(f, patch, x, y):
    """A line that is raised or lowered (AU 1, 2, 4) at its inner and outer end apart."""
    s = (x - f.brow_in) / (f.brow_out - f.brow_in)
    line = f.brow_y_in + s * (f.brow_y_out - f.brow_y_in) - f.brow_arch * 4 * s * (1 - s)
    thick = f.brow_thick * (1.2 - 0.7 * np.clip(s, 0, 1))
    mask = cover(thick - np.abs(y - line)) * np.clip(s * 6 + 0.6, 0, 1) * np.clip((1 - s) * 5 + 0.5, 0, 1)
    patch *= 1 - f.brow_dark * mask


def _glasses(f, patch, x, y):
    edge = np.sqrt(x * x + 1.5 * (y - 0.6) ** 2) - f.lens_size
    paint(patch, f.shades * cover(-edge), 0.06)
    bar = cover(0.6 - np.abs(y + 0.6)) * cover(np.abs(x) - f.lens_size)
    patch *= 1 - f.glasses * np.maximum(cover(0.65 - np.abs(edge)), bar)


def mouth(f, image, shade):
    """Draw folds, lips and what is between them; corners go up or down with the square of x."""
    at, x, y = window(f, 0, f.mouth_y + 1, 24, 28)
    patch = image[at]
    lit = shade[at]
    _folds(f, patch, x, y)
    t = np.clip(x / f.mouth_wide, -1.3, 1.3)
    tt = t * t
    arc = np.clip(1 - tt, 0, 1)
    within = cover((1 - np.abs(t)) * f.mouth_wide)
    y = y - f.mouth_y - f.corner * tt * (1.2 - 0.2 * tt) - f.smirk * t
    oval = np.sqrt(arc)
    top = y + f.open_up * oval  # pixels inside the upper lip
    bottom = f.open_low * oval - y
    bow = 0.75 + 0.5 * np.clip(np.abs(t) * 3, 0, 1) - 0.4 * tt
    lip_up = within * cover(top + f.lip_up * arc * bow) * cover(-top)
    lip_low = within * cover(bottom + f.lip_low * arc) * cover(-bottom)
    patch *= 1 - f.lip_dark * (1.25 * lip_up + lip_low)
    patch += f.gloss * bump(x - 3 * f.light_x, bottom + 0.5 * f.lip_low, 3, 0.9) * f.lip_low
    hole = within * cover(top) * cover(bottom) * np.clip(f.open_up + f.open_low, 0, 1)
    _teeth(f, patch, lit, hole, x, tt, top, bottom)
    line = (1 - np.clip(f.open_up + f.open_low, 0, 0.7)) * np.clip(1.05 - np.abs(top), 0, 1)
    patch *= 1 - 0.6 * line * cover((1.06 - np.abs(t)) * f.mouth_wide)
    patch *= 1 - 0.25 * bump(np.abs(x) - f.mouth_wide, y, 1.3, 1.3)
    image[at] = patch


def _teeth(f, patch, lit, hole, x, tt, top, bottom):
    paint(patch, hole, 0.07)
    paint(patch, hole * bump(x, bottom, f.mouth_wide * 0.7, 2.6), 0.3 * f.skin + 0.05)
    tone = (0.35 + 0.6 * lit) * (1 - 0.35 * tt)
    paint(patch, hole * cover(f.teeth - top) * np.clip(f.teeth, 0, 1), tone)
    paint(patch, hole * cover(f.teeth_low - bottom) * np.clip(f.teeth_low, 0, 1), tone * 0.9)


def _folds(f, patch, x, y):
    """Nasolabial folds, the groove under the lower lip and above the upper one, and a moustache."""
    side = np.abs(x)
    low = y - f.nose_y
    line = side - f.nose_wide - 0.8 - 0.5 * low - 0.8 * f.cheek
    dark = f.fold * np.clip(1.5 - np.abs(line), 0, 1) * cover((4.5 - low) * 0.3) * cover(low + 1)
    dark += 0.25 * bump(x, y - f.lower_edge - 1.4, 4.5, 1.5)
    dark += 0.12 * bump(x, y - f.mouth_y + 4, 1.1, 2)
    hair = y - f.mouth_y + 2.4 + f.open_up - 0.04 * x * x
    dark += f.moustache * cover(1.2 - np.abs(hair)) * cover(5.5 - side)
    patch *= 1 - dark
