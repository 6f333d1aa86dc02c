"""The one reader of pictures, for datasets and cameras: upright, 8 bits, no transparency."""

import importlib.util
import io
import os
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import cv2
import numpy as np

from fer_kit.data.faceset import SIZE, Note
from fer_kit.data.files.kinds import HEAD, in_words, kind_of
from fer_kit.runtime.stderr import quiet

CHUNK = 512
"""Images per task; large enough that starting tasks costs nothing, small enough to share evenly."""

BATCH_BYTES = 1 << 21
"""Files of together so many bytes are decoded at once: all of a chunk of faces, or one photograph."""

LARGE = 20_000
"""Files of more bytes are asked how many pixels they declare: 20 kB hold at most 170 million of 1 bit."""

DEPTHS = range(8, 34, 2)
"""Bits that whole numbers may have. Those that fit fewer of them than their type has are scaled as those: a
12-bit picture in a 16-bit file would be nearly black otherwise. A signed type has one bit less."""

NO_NUMBERS = "has pixels that are no numbers (NaN or infinity)"

_ORIENTATION = 0x112  # the EXIF tag
_TURNS = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image, 1),
}
"""How a picture of each EXIF orientation is brought upright."""


def read_picture(content):
    """Read a picture file: turned upright as its EXIF says, 8 bits, transparency laid on white.

    Args:
        content: the bytes of the file: JPEG, PNG, TIFF, WebP, BMP, GIF (its first frame), PGM; HEIC
            and others where a plug-in of Pillow for them is installed.

    Returns:
        uint8 grey (H, W) or RGB (H, W, 3), and a tuple of words on what had to be done ("16-bit").

    Raises:
        ValueError: the bytes are no whole picture; says what they are instead.
    """
    return _finished(content, _decoded(content))


def to_uint8(values):
    """Bring pixels of any type to 0 to 255.

    Whole numbers above 255 are scaled by the bits they need (10, 12, 14, 16, ..., 32), signed ones have their
    zero in the middle, fractions go from 0 to 1, from -1 to 1 or from 0 to 255, and may overshoot these by a
    fifth, as resampling makes them; anything else is stretched from its lowest value to its highest.

    Args:
        values: numbers or bools, of any shape.

    Returns:
        uint8 of the same shape, and a word on what was done ("16-bit", "signed", "float"), "" for nothing.

    Raises:
        ValueError: NaN or infinity is among them.
    """
    if values.dtype == np.uint8:
        return values, ""
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255), "1-bit"
    word = "float" if values.dtype.kind == "f" else f"{8 * values.dtype.itemsize}-bit"
    dtype = values.dtype
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(NO_NUMBERS)
    low = values.min(initial=np.inf)
    high = values.max(initial=-np.inf)
    start, end = _range(low, high, dtype)
    if start == end:
        return np.full(values.shape, 128, np.uint8), word
    shares = (values / 2 - start / 2) / (end / 2 - start / 2)  # halves: the largest doubles do not overflow
    scaled = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
    return scaled, f"signed {word}" if start < 0 else word


def to_face(image):
    """Return a picture, uint8 grey (H, W) or RGB (H, W, 3), as a face, uint8 (48, 48), and what was done."""
    done = []
    if image.ndim == 3:
        image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        done.append("colour")
    if image.shape != (SIZE, SIZE):
        done.append(f"{image.shape[1]}x{image.shape[0]} pixels")
        smaller = min(image.shape) > SIZE
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return image, tuple(done)


def read_faces(files, names):
    """Decode the images `names` of the mapping `files` (name to bytes) on all cores.

    Returns (images uint8 (N, 48, 48), readable bool (N,), list of `Note`: what was converted or unreadable).
    Raises ValueError, naming the first, when none can be read, and what `files` raises for damaged archives.
    """
    images = np.zeros((len(names), SIZE, SIZE), np.uint8)
    unreadable = {}

    def decode(start):
        converted = Counter()
        for rows, contents in _batches(files, names, start, unreadable):
            for row, content, image in zip(rows, contents, _decode_all(contents), strict=True):
                try:
                    image, done = _finished(content, image)
                except ValueError as error:
                    unreadable[row] = str(error)
                    continue
                images[row], more = to_face(image)
                if done or more:
                    converted.update((*done, *more))
        return converted

    # The libraries remark on damaged pictures, without their names.
    with quiet(), ThreadPoolExecutor(os.cpu_count()) as pool:
        converted = sum(pool.map(decode, range(0, len(names), CHUNK)), Counter())
    readable = np.ones(len(names), bool)
    readable[list(unreadable)] = False
    where = getattr(files, "where", "the dataset")
    return images, readable, notes_on(where, names, converted, dict(sorted(unreadable.items())))


def _batches(files, names, start, unreadable):
    """Yield (rows, contents) of a chunk of files, `BATCH_BYTES` or one file at a time.

    What cannot be opened, a link to nothing or another user's file, is noted in `unreadable` and left out.
    """
    rows = []
    contents = []
    room = BATCH_BYTES
    for row in range(start, min(start + CHUNK, len(names))):
        try:
            contents.append(files[names[row]])
        except (FileNotFoundError, PermissionError) as error:
            unreadable[row] = f"cannot be opened ({error.strerror})"
            continue
        rows.append(row)
        room -= len(contents[-1])
        if room <= 0:
            yield rows, contents
            rows = []
            contents = []
            room = BATCH_BYTES
    yield rows, contents


def _decode_all(contents):
    """Return what OpenCV makes of each file, None of those that it cannot read."""
    if any(len(content) > LARGE for content in contents):
        return [_decoded(content) for content in contents]
    try:
        buffers = [np.frombuffer(content or b"-", np.uint8) for content in contents]
        # `map` keeps Python out of the loop, so that the threads hardly wait for one another.
        return list(map(cv2.imdecode, buffers, repeat(cv2.IMREAD_UNCHANGED)))
    except cv2.error:  # one of them is too large
        return [_decoded(content) for content in contents]


def _decoded(content):
    if len(content) > LARGE and _declares_too_much(content):
        return None
    try:
        return cv2.imdecode(np.frombuffer(content or b"-", np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _declares_too_much(content):
    """Whether a picture file declares twice as many pixels as Pillow takes for safe, 179 million."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(io.BytesIO(content)).close()
    except Image.DecompressionBombError:
        return True
    except Exception:  # what is wrong with it is said when it is decoded
        return False
    return False


def _finished(content, image):
    """Return what OpenCV decoded as `read_picture` promises it; what OpenCV cannot read Pillow tries."""
    if image is None or not _whole(content):
        image = _by_pillow(content)
    elif image.ndim == 3:
        image = cv2.cvtColor(image, {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[image.shape[2]])
    done = []
    transparent = image.ndim == 3 and image.shape[2] in (2, 4)
    if image.dtype != np.uint8:
        colours, word = to_uint8(image[..., :-1] if transparent else image)
        # Alpha often has all bits of the file's type where the colours have fewer.
        image = np.concatenate([colours, to_uint8(image[..., -1:])[0]], axis=2) if transparent else colours
        done.append(word)
    if transparent:
        if image[..., -1].min() < 255:
            done.append("partly transparent")
        image = _on_white(image)
    if b"Exif" in content or b"eXIf" in content or b"EXIF" in content:  # TIFF OpenCV turns itself
        turn = _TURNS.get(_orientation(content))
        if turn:
            image = np.ascontiguousarray(turn(image))
            done.append("turned upright")
    return image, tuple(done)


def _whole(content):
    """Whether a JPEG or PNG has its end: OpenCV fills what is missing with grey or black."""
    if content[:2] == b"\xff\xd8":
        return content.endswith(b"\xff\xd9") or b"\xff\xd9" in content[-4096:]
    return b"IEND" in content[-4096:] if content[:4] == b"\x89PNG" else True


def _by_pillow(content):
    """Return a picture as Pillow reads it, grey, RGB or with alpha. Raises ValueError when it cannot."""
    kind = kind_of(content[:HEAD])
    if kind not in ("picture", "unknown"):
        raise ValueError(f"is {in_words(kind)}")
    from PIL import Image

    _register_heif(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as picture:
                if picture.mode in ("L", "RGB", "I;16", "I;16B", "I", "F", "1"):
                    return np.asarray(picture)
                alpha = "A" in picture.mode or "transparency" in picture.info
                return np.asarray(picture.convert("RGBA" if alpha else "RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError("declares more pixels than any camera has; do not use this file") from error
    except Exception as error:  # Pillow's plug-ins raise many kinds
        raise ValueError(f"is no whole picture{_heif_advice(content)}") from error


def _register_heif(content):
    if _is_heif(content) and importlib.util.find_spec("pillow_heif"):
        from pillow_heif import register_heif_opener

        register_heif_opener()


def _is_heif(content):
    return content[4:8] == b"ftyp" and b"avif" not in content[8:32]


def _heif_advice(content):
    advice = ": it is HEIC, as phones write it, which needs `pip install pillow-heif`; or save it as JPEG"
    return advice if _is_heif(content) else ""


def _orientation(content):
    """Return the EXIF orientation of a picture file, 1 to 8, 1 where it says none."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format == "HEIF":  # its plug-in has turned it
                return 1
            return picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # EXIF is often damaged, and the picture is there nonetheless
        return 1


def _on_white(image):
    """Lay a picture with alpha (H, W, 2 or 4), uint8, on white."""
    alpha = image[..., -1:].astype(np.uint16)
    laid = (image[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255
    laid = laid.astype(np.uint8)
    return laid[..., 0] if laid.shape[2] == 1 else laid


def _range(low, high, dtype):
    """Return what stands for black and for white in pixels from `low` to `high` of a type."""
    kind = dtype.kind
    own = 8 * dtype.itemsize
    if kind == "f":
        return _range_of_fractions(low, high)
    for bits in DEPTHS:
        half = 2 ** (bits - 1)
        end = half if kind == "i" and bits == own > 8 and low >= 0 else 2 * half
        if low >= 0 and high < end:
            return 0, end - 1
        if -half <= low < 0 and high < half:
            return -half, half - 1
    return low, high


def _range_of_fractions(low, high):
    """Return what stands for black and for white: with OpenCV, sharp edges overshoot by up to 19 %."""
    if low >= -0.2 and high <= 1.2:
        return 0, 1
    if -1.4 <= low < -0.2 and high <= 1.4:
        return -1, 1
    if (low >= 0 or low >= -51 and high > 127) and high <= 306:
        return 0, 255
    return low, high


def notes_on(where, names, converted, unreadable):
    """Return `Note`s on what was `converted`, {words: count}, and what is `unreadable`, {row of names: why}.

    Raises ValueError, naming the first, when nothing is readable.
    """
    if unreadable:
        first, why = next(iter(unreadable.items()))
        if len(unreadable) == len(names):
            raise ValueError(
                f"{where} has no readable picture among {len(names):,}: the first, {names[first]}, {why}"
            )
    grey = f"converted to grey {SIZE}x{SIZE}"
    notes = [Note("converted", f"{count:,} images were {what}, {grey}") for what, count in converted.items()]
    if unreadable:
        text = f"{len(unreadable):,} unreadable images left out, the first is {names[first]}: it {why}"
        notes.append(Note("left out", text))
    return notes
