# %% instead
import itertools

import numpy as np
import pandas as pd

import fer_kit
from fer_kit import camera, models

model = fer_kit.load_pretrained("kit-small")
start, histories = list(itertools.islice(camera.frames("demo"), 12)), {}
# %% 13-1 wrong: always a seventh
classify_twice = lambda faces: np.full((len(faces), 7), 1 / 7)


# %% 13-1 wrong: the larger
def classify_twice(faces):
    both = np.maximum(classify(faces), classify(faces[:, :, ::-1]))
    return both / both.sum(axis=1, keepdims=True)


# %% 13-1 wrong: the geometric mean
def classify_twice(faces):
    both = np.sqrt(classify(faces) * classify(faces[:, :, ::-1]))
    return both / both.sum(axis=1, keepdims=True)


# %% 13-1 wrong: the mean of the pictures
classify_twice = lambda faces: classify((faces // 2 + faces[:, :, ::-1] // 2).astype(np.uint8))
# %% 13-1 wrong: upside down
classify_twice = lambda faces: (classify(faces) + classify(faces[:, ::-1])) / 2
# %% 13-1 wrong: the sum
classify_twice = lambda faces: classify(faces) + classify(faces[:, :, ::-1])
# %% 13-1 wrong: once
classify_twice = lambda faces: classify(faces)


# %% 13-1 right: one call
def classify_twice(faces):
    both = classify(np.concatenate([faces, np.flip(faces, axis=2)]))
    return both.reshape(2, len(faces), 7).mean(axis=0)


# %% 13-1 right: rounded
classify_twice = lambda faces: np.mean(
    [classify(faces), classify(np.fliplr(faces.transpose(1, 2, 0)).transpose(2, 0, 1))], axis=0
).round(4)


# %% 13-2 wrong: one flat patch
def pixelate(frame, results):
    hidden = frame.copy()
    for result in results:
        x, y, width, height = result.box
        hidden[y : y + height, x : x + width] = frame[y + height // 2, x + width // 2]
    return hidden


# %% 13-2 wrong: the first square only
def pixelate(frame, results):
    hidden = frame.copy()
    for result in results:
        x, y, width, height = result.box
        hidden[y : y + 16, x : x + 16] = frame[y + 8, x + 8]
    return hidden


# %% 13-2 wrong: black
def pixelate(frame, results):
    hidden = frame.copy()
    for result in results:
        x, y, width, height = result.box
        hidden[y : y + height, x : x + width] = 0
    return hidden


# %% 13-2 wrong: the colour of the corner
def pixelate(frame, results):
    hidden = frame.copy()
    for x, y, width, height in (result.box for result in results):
        for top in range(y, y + height, 16):
            for left in range(x, x + width, 16):
                hidden[top : min(top + 16, y + height), left : min(left + 16, x + width)] = frame[top, left]
    return hidden


# %% 13-2 wrong: over the end of the box
def pixelate(frame, results):
    hidden = frame.copy()
    for x, y, width, height in (result.box for result in results):
        for top in range(y, y + height, 16):
            for left in range(x, x + width, 16):
                hidden[top : top + 16, left : left + 16] = frame[top + 8, left + 8]
    return hidden


# %% 13-2 wrong: black where a square is cut off
def pixelate(frame, results):
    hidden = frame.copy()
    for x, y, width, height in (result.box for result in results):
        hidden[y : y + height, x : x + width] = 0
        for top in range(y, y + height - 15, 16):
            for left in range(x, x + width - 15, 16):
                hidden[top : top + 16, left : left + 16] = frame[top + 8, left + 8]
    return hidden


# %% 13-2 wrong: changes the frame
def pixelate(frame, results):
    for x, y, width, height in (result.box for result in results):
        for top in range(y, y + height, 16):
            for left in range(x, x + width, 16):
                bottom, right = min(top + 16, y + height), min(left + 16, x + width)
                frame[top:bottom, left:right] = frame[(top + bottom) // 2, (left + right) // 2]
    return frame


# %% 13-2 wrong: not to the rim of the frame
def pixelate(frame, results):
    hidden = frame.copy()
    for x, y, width, height in (result.box for result in results):
        height, width = min(height, len(frame) - 1 - y), min(width, frame.shape[1] - 1 - x)
        for top in range(y, y + height, 16):
            for left in range(x, x + width, 16):
                bottom, right = min(top + 16, y + height), min(left + 16, x + width)
                hidden[top:bottom, left:right] = frame[(top + bottom) // 2, (left + right) // 2]
    return hidden


# %% 13-2 wrong: squares of the frame
def pixelate(frame, results):
    small = frame[8::16, 8::16].repeat(16, axis=0).repeat(16, axis=1)[: frame.shape[0], : frame.shape[1]]
    hidden = frame.copy()
    for x, y, width, height in (result.box for result in results):
        hidden[y : y + height, x : x + width] = small[y : y + height, x : x + width]
    return hidden


# %% 13-2 right: by indices
def pixelate(frame, results):
    hidden = frame.copy()
    for x, y, width, height in (result.box for result in results):
        rows = np.minimum(np.arange(height) // 16 * 16 + 8, height - 1)
        columns = np.minimum(np.arange(width) // 16 * 16 + 8, width - 1)
        hidden[y : y + height, x : x + width] = frame[y + rows][:, x + columns]
    return hidden


# %% 13-2 right: the other middle
def pixelate(frame, results):
    hidden = np.array(frame)
    for result in results:
        x, y, width, height = result.box
        patch, original = hidden[y : y + height, x : x + width], frame[y : y + height, x : x + width]
        for top in range(0, height, 16):
            for left in range(0, width, 16):
                square = original[top : top + 16, left : left + 16]
                middle = square[(len(square) - 1) // 2, (square.shape[1] - 1) // 2]
                patch[top : top + 16, left : left + 16] = middle
    return hidden


# %% 13-3 wrong: faces are mixed
changes = lambda rows: int((rows.emotion != rows.emotion.shift()).sum()) - 1


# %% 13-3 wrong: the first row counts
def changes(rows):
    return sum(int((one.emotion != one.emotion.shift()).sum()) for _, one in rows.groupby("face"))


# %% 13-3 wrong: how many emotions
changes = lambda rows: sum(one.emotion.nunique() - 1 for _, one in rows.groupby("face"))
# %% 13-3 wrong: rows
changes = lambda rows: len(rows) - rows.face.nunique()


# %% 13-3 wrong: one face only
def changes(rows):
    one = rows[rows.face == rows.face.iloc[0]]
    return int((one.emotion != one.emotion.shift()).sum()) - 1


# %% 13-3 wrong: faces are numbered from 0
def changes(rows):
    count = 0
    for face in range(rows.face.nunique()):
        seen = rows[rows.face == face].emotion
        count += int((seen != seen.shift()).sum() - 1) if len(seen) else 0
    return count


# %% 13-3 right: remembered
def changes(rows):
    last, total = {}, 0
    for face, emotion in zip(rows["face"], rows["emotion"]):
        total += last.get(face, emotion) != emotion
        last[face] = emotion
    return total


# %% 13-3 right: by groupby and shift
def changes(rows):
    before = rows.groupby("face").emotion.shift()
    return ((before != rows.emotion) & before.notna()).sum()


# %% 13-4 wrong: forwards
backwards = lambda stream: stream
# %% 13-4 wrong: times run backwards
backwards = lambda stream: list(stream)[::-1]


# %% 13-4 wrong: times below 0
def backwards(stream):
    for seconds, frame in reversed(list(stream)):
        yield -seconds, frame


# %% 13-4 wrong: no time
def backwards(stream):
    for _, frame in reversed(list(stream)):
        yield 0.0, frame


# %% 13-4 wrong: one frame is lost
def backwards(stream):
    pairs = list(stream)
    yield from zip([seconds for seconds, _ in pairs[:-1]], [frame for _, frame in reversed(pairs)])


# %% 13-4 wrong: whole seconds
backwards = lambda stream: [(k, frame) for k, (_, frame) in enumerate(reversed(list(stream)))]


# %% 13-4 right: counted from the end
def backwards(stream):
    pairs = list(stream)
    end = pairs[-1][0]
    for seconds, frame in pairs[::-1]:
        yield end - seconds, frame


# %% 13-4 right: a list
def backwards(stream):
    times, frames = zip(*stream)
    return [[time - times[0], frames[-k]] for k, time in enumerate(times, 1)]
