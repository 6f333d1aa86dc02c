# %% instead
import numpy as np

import fer_kit
from fer_kit.studies import classical

faces = fer_kit.load_faces()
train, test, names = faces.training.sample(500), faces.public_test.sample(200), faces.names
one = test[:2]
# %% 11-1 wrong: blocks side by side
expected = (48 // 6 // 2) ** 2 * 2 * 2 * 9
# %% 11-1 wrong: a block at every cell
expected = 8 * 8 * 4 * 9
# %% 11-1 wrong: cells without blocks
expected = 8 * 8 * 9
# %% 11-1 wrong: cells of 8 pixels
expected = 5 * 5 * 4 * 9
# %% 11-1 wrong: blocks alone
expected = 7 * 7 * 9
# %% 11-1 right: counted
expected = sum(9 * 4 for top in range(7) for left in range(7))
# %% 11-1 right: measured
expected = float(classical.Hog(cell=6).transform(one.images).shape[1])


# %% 11-2 wrong: no max
def squared_hinge(scores, labels):
    targets = np.where(labels[:, None] == np.arange(scores.shape[1]), 1, -1)
    return ((1 - targets * scores) ** 2).sum(axis=1).mean()


# %% 11-2 wrong: max after the square
def squared_hinge(scores, labels):
    targets = np.where(labels[:, None] == np.arange(scores.shape[1]), 1, -1)
    return np.maximum(0, (1 - targets * scores) ** 2).sum(axis=1).mean()


# %% 11-2 wrong: labels ignored
def squared_hinge(scores, labels):
    targets = np.where(scores > 0, 1, -1)
    return (np.maximum(0, 1 - targets * scores) ** 2).sum(axis=1).mean()


# %% 11-2 wrong: hinge
def squared_hinge(scores, labels):
    targets = np.where(labels[:, None] == np.arange(scores.shape[1]), 1, -1)
    return np.maximum(0, 1 - targets * scores).sum(axis=1).mean()


# %% 11-2 wrong: mean over the emotions
def squared_hinge(scores, labels):
    targets = np.where(labels[:, None] == np.arange(scores.shape[1]), 1, -1)
    return (np.maximum(0, 1 - targets * scores) ** 2).mean()


# %% 11-2 wrong: targets of 0 and 1
def squared_hinge(scores, labels):
    return (np.maximum(0, 1 - np.eye(scores.shape[1])[labels] * scores) ** 2).sum(axis=1).mean()


# %% 11-2 wrong: always seven emotions
def squared_hinge(scores, labels):
    targets = 2 * np.eye(7)[labels] - 1
    return (np.maximum(0, 1 - targets * np.resize(scores, (len(scores), 7))) ** 2).sum(axis=1).mean()


# %% 11-2 right: in loops
def squared_hinge(scores, labels):
    total = 0
    for row, label in zip(scores, labels):
        for k, score in enumerate(row):
            total += max(0, 1 - score if k == label else 1 + score) ** 2
    return total / len(labels)


# %% 11-2 right: clipped
def squared_hinge(scores, labels):
    targets = 2 * np.eye(scores.shape[1])[labels] - 1
    losses = np.square(np.clip(1 - targets * scores, 0, None))
    return round(float(np.sum(losses) / len(scores)), 3)


# %% 11-3 wrong: no mirror, smaller C
mirror_svm = make_pipeline(classical.Hog(), StandardScaler(), LinearSVC(C=1e-7, **quickly))
mirror_svm.fit(train.images, train.labels)
# %% 11-3 wrong: mirrored faces alone
mirror_svm = make_pipeline(classical.Hog(), StandardScaler(), LinearSVC(C=1e-4, **quickly))
mirror_svm.fit(train.images[:, :, ::-1], train.labels)
# %% 11-3 wrong: upside down
both = np.concatenate([train.images, train.images[:, ::-1]])
mirror_svm = make_pipeline(classical.Hog(), StandardScaler(), LinearSVC(C=1e-4, **quickly))
mirror_svm.fit(both, np.tile(train.labels, 2))
# %% 11-3 wrong: another HOG
from sklearn.base import clone

from fer_kit.studies import classical

both, labels = np.concatenate([train.images, train.images[:, :, ::-1]]), np.tile(train.labels, 2)
mirror_svm = clone(svm).set_params(**{svm.steps[0][0]: classical.Hog(cell=6)}).fit(both, labels)
# %% 11-3 wrong: every face twice
mirror_svm = make_pipeline(classical.Hog(), StandardScaler(), LinearSVC(C=1e-4, **quickly))
mirror_svm.fit(np.concatenate([train.images] * 2), np.tile(train.labels, 2))
# %% 11-3 wrong: labels in another order
both = np.concatenate([train.images, train.images[:, :, ::-1]])
mirror_svm = make_pipeline(classical.Hog(), StandardScaler(), LinearSVC(C=1e-4, **quickly))
mirror_svm.fit(both, np.repeat(train.labels, 2))
# %% 11-3 wrong: another C
both = np.concatenate([train.images, train.images[:, :, ::-1]])
mirror_svm = make_pipeline(classical.Hog(), StandardScaler(), LinearSVC(C=1e-2, **quickly))
mirror_svm.fit(both, np.tile(train.labels, 2))
# %% 11-3 right: face by face
from sklearn.base import clone

both = np.stack([train.images, train.images[:, :, ::-1]], axis=1).reshape(-1, 48, 48)
mirror_svm = clone(svm).fit(both, np.repeat(train.labels, 2))
# %% 11-3 right: by OpenCV, in another order
import cv2
from sklearn.pipeline import Pipeline

both = [*(cv2.flip(image, 1) for image in train.images), *train.images]
order = np.random.default_rng(0).permutation(len(both))
steps = [("features", classical.Hog()), ("scale", StandardScaler()), ("svm", LinearSVC(C=1e-4, **quickly))]
mirror_svm = Pipeline(steps).fit(np.array(both)[order], np.tile(train.labels, 2)[order])
