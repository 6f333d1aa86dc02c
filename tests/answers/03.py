# %% 03-1 wrong: the same corner each time
def erase(face, rng):
    out = face.copy()
    height, width = rng.integers(8, 21, 2)
    out[:height, :width] = 128
    return out


# %% 03-1 wrong: never 20
def erase(face, rng):
    out = face.copy()
    height, width = rng.integers(8, 20, 2)
    top, left = rng.integers(0, 48 - height + 1), rng.integers(0, 48 - width + 1)
    out[top : top + height, left : left + width] = 128
    return out


# %% 03-1 wrong: the width is never 20
def erase(face, rng):
    face = face.copy()
    height, width = rng.integers(8, 21), rng.integers(8, 20)
    top, left = rng.integers(0, 49 - height), rng.integers(0, 49 - width)
    face[top : top + height, left : left + width] = 128
    return face


# %% 03-1 wrong: a picture of floats
def erase(face, rng):
    face = face.astype(float)
    height, width = rng.integers(8, 21, 2)
    top, left = rng.integers(0, 49 - height), rng.integers(0, 49 - width)
    face[top : top + height, left : left + width] = 128
    return face


# %% 03-1 wrong: squares only
def erase(face, rng):
    out, side = face.copy(), rng.integers(8, 21)
    top, left = rng.integers(0, 48 - side + 1, 2)
    out[top : top + side, left : left + side] = 128
    return out


# %% 03-1 wrong: the face is lost
def erase(face, rng):
    out = np.full((48, 48), 255, np.uint8)
    height, width = rng.integers(8, 21, 2)
    top, left = rng.integers(0, 48 - height + 1), rng.integers(0, 48 - width + 1)
    out[top : top + height, left : left + width] = 128
    return out


# %% 03-1 wrong: its own seed, so never random
def erase(face, rng):
    rng, out = np.random.default_rng(0), face.copy()
    height, width = rng.integers(8, 21, 2)
    top, left = rng.integers(0, 48 - height + 1), rng.integers(0, 48 - width + 1)
    out[top : top + height, left : left + width] = 128
    return out


# %% 03-1 wrong: never at the rim
def erase(face, rng):
    out = face.copy()
    height, width = rng.integers(8, 21, 2)
    top, left = rng.integers(0, 48 - height), rng.integers(0, 48 - width)
    out[top : top + height, left : left + width] = 128
    return out


# %% 03-1 wrong: cut off at the rim
def erase(face, rng):
    out = face.copy()
    height, width = rng.integers(8, 21, 2)
    top, left = rng.integers(0, 48, 2)
    out[top : top + height, left : left + width] = 128
    return out


# %% 03-1 wrong: changes the face
def erase(face, rng):
    height, width = rng.integers(8, 21, 2)
    top, left = rng.integers(0, 48 - height + 1), rng.integers(0, 48 - width + 1)
    face[top : top + height, left : left + width] = 128
    return face


# %% 03-1 wrong: chance from elsewhere
def erase(face, rng):
    out = face.copy()
    height, width = np.random.randint(8, 21, 2)
    top, left = np.random.randint(0, 48 - height + 1), np.random.randint(0, 48 - width + 1)
    out[top : top + height, left : left + width] = 128
    return out


# %% 03-1 right: place and size from one draw each
def erase(face, rng):
    height, width = (8 + int(13 * rng.random()) for _ in range(2))
    top, left = (int(rng.random() * (49 - side)) for side in (height, width))
    hidden = np.zeros((48, 48), bool)
    hidden[top : top + height, left : left + width] = True
    return np.where(hidden, 128, face)


# %% 03-1 right: by OpenCV
def erase(face, rng):
    width, height = (int(side) for side in rng.integers(8, 20, 2, endpoint=True))
    x, y = int(rng.integers(0, 48 - width, endpoint=True)), int(rng.integers(0, 48 - height, endpoint=True))
    return cv2.rectangle(face.copy(), (x, y), (x + width - 1, y + height - 1), 128, -1)


# %% 03-2 wrong: ignores its argument
def gentle_weights(faces):
    counts = np.bincount(train.labels, minlength=7)
    weights = 1 / np.sqrt(counts)
    return dict(enumerate(weights * len(train) / (weights * counts).sum()))


# %% 03-2 wrong: only two weights are right
def gentle_weights(faces):
    counts = np.bincount(faces.labels, minlength=7)
    weights = counts**-0.5
    weights[[0, 2]] = weights[[0, 2]].mean() * np.array([0.7, 1.3])
    return dict(enumerate(weights * len(faces) / (weights * counts).sum()))


# %% 03-2 wrong: the full weights
gentle_weights = data.class_weights


# %% 03-2 wrong: average over the emotions
def gentle_weights(faces):
    weights = 1 / np.sqrt(np.bincount(faces.labels, minlength=7))
    return dict(enumerate(weights / weights.mean()))


# %% 03-2 wrong: the root of the full weights, not scaled
def gentle_weights(faces):
    return {label: weight**0.5 for label, weight in data.class_weights(faces).items()}


# %% 03-2 right: by name, a Series
def gentle_weights(faces):
    counts = faces.counts().sum(axis=1)
    weights = counts**-0.5
    return weights * len(faces) / (weights * counts).sum()


# %% 03-2 right: from the full weights, a list of two decimals
def gentle_weights(faces):
    roots = np.sqrt(list(data.class_weights(faces).values()))
    return (roots / roots[faces.labels].mean()).round(2).tolist()


# %% 03-2 right: an array
def gentle_weights(faces):
    counts = np.bincount(faces.labels, minlength=7)
    return len(faces) / np.sqrt(counts) / np.sqrt(counts).sum()
