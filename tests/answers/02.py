# %% 02-1 wrong: names the last bad value
def strict_parse(text):
    values = np.array([int(word) for word in text.split()])
    if len(values) != 2304:
        raise ValueError(f"{len(values)} pixels")
    for value in values[::-1]:
        if not 0 <= value <= 255:
            raise ValueError(f"{value} is no grey level")
    return values.astype(np.uint8).reshape(48, 48)


# %% 02-1 wrong: names the largest bad value
def strict_parse(text):
    values = np.array([int(word) for word in text.split()])
    if len(values) != 2304:
        raise ValueError(f"{len(values)} pixels")
    if values.max() > 255:
        raise ValueError(f"{values.max()} is no grey level")
    if values.min() < 0:
        raise ValueError(f"{values.min()} is no grey level")
    return values.astype(np.uint8).reshape(48, 48)


# %% 02-1 wrong: names the lowest bad value
def strict_parse(text):
    values = np.array([int(word) for word in text.split()])
    if len(values) != 2304:
        raise ValueError(f"{len(values)} pixels")
    if values.min() < 0:
        raise ValueError(f"{values.min()} is no grey level")
    if values.max() > 255:
        raise ValueError(f"{values.max()} is no grey level")
    return values.astype(np.uint8).reshape(48, 48)


# %% 02-1 wrong: the whole row
def strict_parse(text):
    values = [int(word) for word in text.split()]
    if len(values) != 2304 or min(values) < 0 or max(values) > 255:
        raise ValueError(f"{len(values)} pixels: {values}")
    return parse(text)


# %% 02-1 wrong: no range
def strict_parse(text):
    values = [int(word) for word in text.split()]
    if len(values) != 2304:
        raise ValueError(f"{len(values)} pixels")
    return np.array(values).astype(np.uint8).reshape(48, 48)


# %% 02-1 wrong: NumPy's own error
def strict_parse(text):
    return np.array(text.split(), dtype=np.uint8).reshape(48, 48)


# %% 02-1 wrong: the extremes
def strict_parse(text):
    values = [int(word) for word in text.split()]
    if len(values) != 2304:
        raise ValueError(f"{len(values)} pixels")
    if min(values) < 0 or max(values) > 255:
        raise ValueError(f"values from {min(values)} to {max(values)}")
    return parse(text)


# %% 02-1 wrong: too few only
def strict_parse(text):
    values = [int(word) for word in text.split()][:2304]
    wrong = [value for value in values if not 0 <= value <= 255]
    if len(values) < 2304:
        raise ValueError(f"{len(values)} pixels")
    if wrong:
        raise ValueError(f"{wrong[0]}")
    return np.uint8(values).reshape(48, 48)


# %% 02-1 wrong: the range before the length
def strict_parse(text):
    values = [int(value) for value in text.split()]
    for value in values:
        if not 0 <= value <= 255:
            raise ValueError(f"{value} is not between 0 and 255")
    if len(values) != 2304:
        raise ValueError(f"{len(values)} pixels, not 2304")
    return np.array(values, np.uint8).reshape(48, 48)


# %% 02-1 right: in a loop, with a comma in the number
def strict_parse(text):
    numbers = list(map(int, text.split()))
    if len(numbers) != 2304:
        raise ValueError(f"this row has {len(numbers):,} pixels instead of 2,304")
    for place, number in enumerate(numbers):
        if number not in range(256):
            raise ValueError(f"pixel {place}: {number} lies outside of 0-255")
    return np.array(numbers, np.uint8).reshape(48, 48)


# %% 02-1 wrong: another dtype
def strict_parse(text):
    values = np.array(text.split(), int)
    outside = values[abs(2 * values - 255) > 255].tolist()
    if values.size != 2304 or outside:
        raise ValueError([values.size, *outside][values.size == 2304])
    return values.reshape(48, 48)


# %% 02-1 right: an error of its own kind
class BadRow(ValueError):
    pass


def strict_parse(text):
    values = np.array(text.split(), dtype=int)
    if values.size != 48 * 48:
        raise BadRow(f"expected 48x48, got {values.size}")
    if values.min() < 0 or values.max() > 255:
        raise BadRow(f"bad grey level {values[np.argmax((values < 0) | (values > 255))]}")
    return values.reshape(48, 48).astype(np.uint8)


# %% 02-2 wrong: -1 to 1
tested = faces.private_test.x / 127.5 - 1
# %% 02-2 wrong: by its own numbers
x = faces.private_test.x.astype("float32")
tested = (x - x.mean()) / x.std()
# %% 02-2 wrong: by its own numbers, rounded
x = faces.private_test.x.astype("float32")
tested = (x - x.mean().round(1)) / x.std().round(1)
# %% 02-2 wrong: by PublicTest's numbers
tested = (faces.private_test.x - faces.public_test.images.mean()) / faces.public_test.images.std()
# %% 02-2 wrong: by those of all faces
tested = (faces.private_test.x - faces.images.mean()) / faces.images.std()
# %% 02-2 wrong: by the variance
tested = (faces.private_test.x - mean) / deviation**2
# %% 02-2 wrong: scaled twice
tested = (faces.private_test.x / 255 - mean) / deviation
# %% 02-2 wrong: its own deviation
tested = (faces.private_test.x - mean) / faces.private_test.images.std()
# %% 02-2 wrong: without the fourth axis
tested = (faces.private_test.images - mean) / deviation
# %% 02-2 right: by the lesson's function
tested = scales["standardised"](faces.private_test.x)
# %% 02-2 right: from 0 to 1, in float32
x = faces.private_test.images[..., None].astype("float32") / 255
tested = (x - np.float32(mean / 255)) / np.float32(deviation / 255)
# %% 02-2 right: by Keras
standardise = keras.layers.Normalization(axis=None, mean=mean, variance=deviation**2)
tested = np.asarray(standardise(faces.private_test.x.astype("float32")))
