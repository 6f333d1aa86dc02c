# %% instead
import cv2
import keras
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

import fer_kit
from fer_kit import evaluation, plots

faces = fer_kit.load_faces()
names, test = faces.names, faces.public_test[:160]
scores = evaluation.Scores(test, np.random.default_rng(0).dirichlet(np.full(7, 1), len(test)), "PublicTest")
model = [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7, activation="softmax")]
model = keras.Sequential(model)
face, edge = test.images[0], np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)


# %% 10-1 wrong: vertical edges
def horizontal(face):
    windows = np.lib.stride_tricks.sliding_window_view(face.astype(float), (3, 3))
    return (windows * edge).sum(axis=(2, 3))


# %% 10-1 wrong: Prewitt's filter
horizontal = lambda face: cv2.filter2D(face.astype(float), -1, np.sign(edge.T))[1:-1, 1:-1]
# %% 10-1 wrong: a constant picture
horizontal = lambda face: np.zeros((46, 46))


# %% 10-1 wrong: saturated
def horizontal(face):
    return cv2.filter2D(face, -1, edge.T)[1:-1, 1:-1]


# %% 10-1 wrong: upside down
from scipy.signal import convolve2d

horizontal = lambda face: convolve2d(face.astype(float), edge.T, mode="valid")
# %% 10-1 wrong: with a rim
horizontal = lambda face: cv2.filter2D(face.astype(float), -1, edge.T)
# %% 10-1 wrong: without a sign
horizontal = lambda face: abs(cv2.filter2D(face.astype(float), -1, edge.T)[1:-1, 1:-1])
# %% 10-1 wrong: one face for all
window = np.lib.stride_tricks.sliding_window_view(test.images[0].astype(float), (3, 3))
horizontal = lambda face: (window * edge.T).sum(axis=(2, 3))


# %% 10-1 right: in loops, as lists
def horizontal(face):
    rows = range(46)
    return [[float((face[r : r + 3, c : c + 3] * edge.T).sum()) for c in rows] for r in rows]


# %% 10-1 right: by OpenCV, rounded
horizontal = lambda face: cv2.filter2D(face.astype(float), cv2.CV_64F, edge.T)[1:47, 1:47].round()
# %% 10-2 wrong: zeros
taken = lambda model, faces, rows: np.zeros(len(faces))


# %% 10-2 wrong: what is left
def taken(model, faces, rows):
    covered = faces.images.copy()
    covered[:, rows] = 128
    return model.predict(covered[..., None], verbose=0)[np.arange(len(faces)), faces.labels]


# %% 10-2 wrong: left or right half
def taken(model, faces, rows):
    covered = faces.images.copy()
    covered[:, :, rows] = 128
    before, after = (model.predict(x[..., None], verbose=0) for x in (faces.images, covered))
    return (before - after)[np.arange(len(faces)), faces.labels]


# %% 10-2 wrong: black
def taken(model, faces, rows):
    covered = faces.images.copy()
    covered[:, rows] = 0
    before, after = (model.predict(x[..., None], verbose=0) for x in (faces.images, covered))
    return (before - after)[np.arange(len(faces)), faces.labels]


# %% 10-2 wrong: the other half
def taken(model, faces, rows):
    covered = np.full_like(faces.images, 128)
    covered[:, rows] = faces.images[:, rows]
    before, after = (model.predict(x[..., None], verbose=0) for x in (faces.images, covered))
    return (before - after)[np.arange(len(faces)), faces.labels]


# %% 10-2 wrong: gained
def taken(model, faces, rows):
    covered = faces.images.copy()
    covered[:, rows] = 128
    before, after = (model.predict(x[..., None], verbose=0) for x in (faces.images, covered))
    return (after - before)[np.arange(len(faces)), faces.labels]


# %% 10-2 wrong: of the predicted emotion
def taken(model, faces, rows):
    covered = faces.images.copy()
    covered[:, rows] = 128
    before, after = (model.predict(x[..., None], verbose=0) for x in (faces.images, covered))
    return (before - after)[np.arange(len(faces)), (1 + before.argmax(axis=1)) % 7]


# %% 10-2 right: called, by emotion
def taken(model, faces, rows):
    covered = np.array(faces.images)
    covered[:, rows, :] = 128
    losses = np.zeros(len(faces))
    for label in range(7):
        here = faces.labels == label
        for sign, images in ((1, faces.images), (-1, covered)):
            losses[here] += sign * np.asarray(model.predict_on_batch(images[..., None]))[here, label]
    return losses


# %% 10-2 right: a list in three digits
def taken(model, faces, rows):
    grey = np.isin(np.arange(48), np.r_[rows])[:, None]
    covered = np.where(grey, 128, faces.images).astype(np.uint8)
    whole, rest = model.predict(faces.x, verbose=0), model.predict(covered[..., None], verbose=0)
    return [round(float(w[k] - r[k]), 3) for w, r, k in zip(whole, rest, faces.labels)]


# %% 10-3 wrong: one too few
needed = PCA(0.9, svd_solver="full").fit(test.images.reshape(len(test), -1)).n_components_ - 1
# %% 10-3 wrong: one too many
needed = PCA(0.9, svd_solver="full").fit(test.images.reshape(len(test), -1)).n_components_ + 1
# %% 10-3 wrong: five too many
needed = PCA(0.9, svd_solver="full").fit(test.images.reshape(len(test), -1)).n_components_ + 5
# %% 10-3 wrong: five too few
needed = PCA(0.9, svd_solver="full").fit(test.images.reshape(len(test), -1)).n_components_ - 5
# %% 10-3 wrong: 95 percent
needed = PCA(0.95, svd_solver="full").fit(test.images.reshape(len(test), -1)).n_components_
# %% 10-3 wrong: of fewer faces
needed = PCA(0.9, svd_solver="full").fit(test.images[:100].reshape(100, -1)).n_components_
# %% 10-3 wrong: nine tenths of the components
needed = int(0.9 * len(test))
# %% 10-3 right: from the shares
shares = PCA().fit(test.images.reshape(len(test), -1) / 255).explained_variance_ratio_
needed = int((shares.cumsum() < 0.9).sum()) + 1
# %% 10-3 right: tried one by one
points, shares = evaluation.explain.project(test.images, 150)
needed = float(next(k for k in range(1, 151) if shares[:k].sum() >= 0.9))
