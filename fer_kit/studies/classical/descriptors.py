"""Classical descriptors: what people thought an expression is made of, before networks learned it from faces.

Each is a scikit-learn transformer from uint8 faces (N, 48, 48) to float32 features (N, D), and so can be
the first step of a Pipeline. zhao names them in its survey (zhao-related). `baselines.describe` does the same
for a FaceSet and keeps the features on disk.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from fer_kit.data.faceset import SIZE
from fer_kit.runtime.names import unknown

CHUNK = 512  # faces that one thread describes at a time


class Descriptor(TransformerMixin, BaseEstimator):
    """What all descriptors share: they check their input and work on all cores.

    `transform` raises ValueError for images of another size or dtype, or none at all.
    """

    def fit(self, images, y=None):
        """Look at the images; only `SiftWords` learns from them."""
        check_images(images)
        return self

    def transform(self, images):
        """Return the features float32 (N, D) of `images` uint8 (N, 48, 48)."""
        check_images(images)
        chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.concatenate(list(pool.map(self._describe, chunks)), dtype=np.float32)

    def state(self):
        """Return bytes that change with what the descriptor has learned; empty for most."""
        return b""

    def parameters(self):
        """Return the descriptor's parameters as a dict of plain values."""
        return self.get_params()

    def __sklearn_is_fitted__(self):
        return True


class Pixels(Descriptor):
    """The grey levels themselves, 0 to 1: D = 2,304."""

    def _describe(self, images):
        return images.reshape(len(images), -1) / np.float32(255)


class _Gridded(Descriptor):
    """A descriptor of cells of `cell` x `cell` pixels. Raises ValueError when they do not tile a face."""

    def __init__(self, cell=8):
        self.cell = cell

    def _across(self):
        if SIZE % self.cell or self.cell > SIZE // 2:
            raise ValueError(f"cells of {self.cell} pixels do not tile a face of {SIZE}; take 4, 6, 8 or 12")
        return SIZE // self.cell


class Hog(_Gridded):
    """Histograms of oriented gradients (Dalal & Triggs 2005): D = 900 with cells of 8 pixels.

    In each `cell` x `cell` pixels the gradients are counted by direction, 0 to 180 degrees in nine bins,
    each weighted with its length and shared with the nearest bins and cells; blocks of 2 x 2 cells are
    normalised together and clipped, so that light falls out.
    """

    def _describe(self, images):
        import cv2

        self._across()
        cell = (self.cell, self.cell)
        block = (2 * self.cell, 2 * self.cell)
        hog = cv2.HOGDescriptor((SIZE, SIZE), block, cell, cell, 9)
        return np.stack([hog.compute(image).ravel() for image in np.ascontiguousarray(images)])

    def cells(self, features):
        """Return float (N, rows, columns, 9), each cell's mean over the blocks it lies in.

        `features` (N, D) of this descriptor, or one weight per feature. Bin k stands for gradients of
        20 k to 20 k + 20 degrees, from x (right) towards y (down).
        """
        blocks = self._across() - 1
        # OpenCV counts blocks, and the cells in a block, column by column.
        blockwise = np.asarray(features).reshape(-1, blocks, blocks, 2, 2, 9).transpose(0, 2, 1, 4, 3, 5)
        total = np.zeros((len(blockwise), blocks + 1, blocks + 1, 9))
        times = np.zeros((blocks + 1, blocks + 1, 1))
        for row, column in np.ndindex(2, 2):
            place = slice(row, row + blocks), slice(column, column + blocks)
            total[(slice(None), *place)] += blockwise[:, :, :, row, column]
            times[place] += 1
        return total / times


class Lbp(_Gridded):
    """Uniform local binary patterns on a grid (Ojala et al. 2002; for faces Ahonen et al. 2006): D = 2,124.

    Each pixel is compared with eight points on a circle of radius 1 around it, between pixels on the
    diagonals and black beyond the rim; 58 of the 256 outcomes have at most two changes
    around the circle and are counted one by one, the rest together, in each of 6 x 6 cells. The features
    are the square roots of the shares, so that rare patterns count. Needs scikit-image.
    """

    def _describe(self, images):
        pattern = _skimage().local_binary_pattern
        codes = np.stack([pattern(image, 8, 1, "nri_uniform") for image in images]).astype(np.intp)
        across = self._across()
        place = np.arange(SIZE) // self.cell
        cells = place[:, None] * across + place + np.arange(len(images))[:, None, None] * across**2
        counts = np.bincount((cells * 59 + codes).ravel(), minlength=len(images) * across**2 * 59)
        return np.sqrt(counts.reshape(len(images), -1) / self.cell**2)


class Gabor(Descriptor):
    """A bank of Gabor filters read off at a grid of points (Lyons et al. 1998): D = 1,568.

    A Gabor filter is a wave under a bell: it answers to edges and wrinkles of one width and direction.
    The features are the magnitudes of 4 wavelengths x 8 directions at 7 x 7 points. The answer at one
    point is a dot product with the face, so that all of them together are one matrix product.
    """

    def __init__(self, wavelengths=(4, 6, 9, 13), directions=8, step=6):
        self.wavelengths = wavelengths
        self.directions = directions
        self.step = step

    def _describe(self, images):
        flat = images.reshape(len(images), -1).astype(np.float32)
        flat -= flat.mean(1, keepdims=True)
        flat /= np.maximum(flat.std(1, keepdims=True), 1)
        real, imaginary = gabor_matrices(tuple(self.wavelengths), self.directions, self.step)
        return np.hypot(flat @ real, flat @ imaginary)


@functools.lru_cache(maxsize=1)
def gabor_matrices(wavelengths, directions, step):
    """Return two matrices float32 (2304, points * filters): filters, even and odd, around each point.

    Wavelengths and `step`, the distance of the points, are in pixels. The bell's standard deviation is
    half a wavelength, about one octave of bandwidth.
    """
    import cv2

    points = range(step, SIZE, step)
    both = []
    for phase in (0, np.pi / 2):
        columns = []
        for wave in wavelengths:
            for angle in np.arange(directions) * np.pi / directions:
                wide = cv2.getGaborKernel((2 * SIZE + 1,) * 2, wave / 2, angle, wave, 1, phase, cv2.CV_32F)
                wide /= np.linalg.norm(wide)
                wide[np.abs(wide) < 1e-9] = 0  # denormal numbers are slow
                columns += [wide[SIZE - y : 2 * SIZE - y, SIZE - x : 2 * SIZE - x].ravel()
                            for y in points for x in points]  # fmt: skip
        both.append(np.stack(columns, axis=1))
    return both


class SiftWords(Descriptor):
    """A bag of visual words (Csurka et al. 2004): how often each of 400 typical patches occurs; D = 2,000.

    SIFT (Lowe 2004) describes about 16 x 16 pixels around each of 9 x 9 points by 128 numbers; k-means on
    the patches of at most 2,000 faces finds the words. Counted over the face and over each quarter of it
    (Lazebnik et al. 2006). Square roots of the shares; of the descriptors too (Arandjelovic & Zisserman
    2012).
    """

    def __init__(self, words=400, step=5, seed=0):
        self.words = words
        self.step = step
        self.seed = seed

    def fit(self, images, y=None):
        """Learn the words from `images` uint8 (N, 48, 48): Training faces alone."""
        from sklearn.cluster import MiniBatchKMeans

        check_images(images)
        some = np.random.default_rng(self.seed).permutation(len(images))[:2000]
        patches = self._patches(images[np.sort(some)]).reshape(-1, 128)
        count = min(self.words, len(patches))
        kmeans = MiniBatchKMeans(count, batch_size=4096, n_init=1, random_state=self.seed)
        self.vocabulary_ = kmeans.fit(patches)
        return self

    def state(self):
        """Return the words as bytes."""
        return self.vocabulary_.cluster_centers_.tobytes()

    def __sklearn_is_fitted__(self):
        return hasattr(self, "vocabulary_")

    def _points(self):
        return [(x, y) for y in range(4, SIZE - 3, self.step) for x in range(4, SIZE - 3, self.step)]

    def _patches(self, images):
        """RootSIFT of each point of each face, float32 (N, points, 128)."""
        import cv2

        size = 16 / 4 / 1.5  # four by four cells, each of 1.5 times the size of a key point
        points = [cv2.KeyPoint(x, y, size, 0) for x, y in self._points()]
        sift = cv2.SIFT_create()
        found = np.stack([sift.compute(image, points)[1] for image in np.ascontiguousarray(images)])
        return np.sqrt(found / np.maximum(found.sum(-1, keepdims=True), 1))

    def _describe(self, images):
        words = len(self.vocabulary_.cluster_centers_)
        found = self.vocabulary_.predict(self._patches(images).reshape(-1, 128)).reshape(len(images), -1)
        quarter = np.array([2 * (y >= SIZE // 2) + (x >= SIZE // 2) for x, y in self._points()])
        cells = (np.arange(len(images))[:, None] * 4 + quarter) * words + found
        quarters = np.bincount(cells.ravel(), minlength=len(images) * 4 * words).reshape(-1, 4, words)
        counts = np.concatenate([quarters.sum(1, keepdims=True), quarters], axis=1)
        return np.sqrt(counts.reshape(len(images), -1) / found.shape[1])


DESCRIPTORS = {"pixels": Pixels, "lbp": Lbp, "gabor": Gabor, "hog": Hog, "sift": SiftWords}
"""Every descriptor by its name."""


def find_descriptor(name):
    """Return a fresh descriptor of this name. Raises ValueError, with the nearest, for an unknown one."""
    if name not in DESCRIPTORS:
        raise ValueError(unknown("descriptor", name, DESCRIPTORS))
    return DESCRIPTORS[name]()


def check_images(images):
    """Raise ValueError unless `images` are uint8 (N, 48, 48) with at least one face."""
    shape = np.shape(images)
    dtype = getattr(images, "dtype", type(images).__name__)
    if len(shape) != 3 or shape[1:] != (SIZE, SIZE) or dtype != np.uint8:
        raise ValueError(
            f"descriptors take faces as uint8 (N, {SIZE}, {SIZE}), not {dtype} {shape}; pass faces.images"
        )
    if not len(images):
        raise ValueError("there are no faces to describe")


def _skimage():
    try:
        from skimage import feature
    except ImportError as error:
        message = 'local binary patterns need scikit-image: pip install "fer-kit[classical]"'
        raise ModuleNotFoundError(message) from error
    return feature
