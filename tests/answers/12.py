# %% instead
import cv2
import numpy as np

from fer_kit import camera

picture, video = camera.portrait(), list(camera.moving_faces(1, faces=2))
search, remembered = camera.find_detector("haar-alt2", longest=200), {}


def detector(frame):
    """The faces that a Haar cascade finds, which it looks for once in each frame."""
    key = frame.tobytes()
    if key not in remembered:
        remembered[key] = search(frame)
    return remembered[key]


detectors = {"mtcnn": detector}
# %% 12-1 wrong: made up
mean_overlap = lambda detector, track, video: 0.9 - 0.01 * track


# %% 12-1 wrong: tracked boxes alone
def mean_overlap(detector, track, video):
    tracker, overlaps = camera.FaceTracker(detector, track), []
    for frame, (box,) in video:
        overlaps += [camera.overlap(face.box, box) for face in tracker.update(frame) if not face.detected]
    return np.mean(overlaps) if overlaps else 0


# %% 12-1 wrong: detected boxes alone
def mean_overlap(detector, track, video):
    tracker, overlaps = camera.FaceTracker(detector, track), []
    for frame, (box,) in video:
        overlaps += [camera.overlap(face.box, box) for face in tracker.update(frame) if face.detected]
    return np.mean(overlaps)


# %% 12-1 wrong: the worst
def mean_overlap(detector, track, video):
    tracker = camera.FaceTracker(detector, track)
    return min(camera.overlap(face.box, box) for frame, (box,) in video for face in tracker.update(frame))


# %% 12-1 wrong: a new tracker for each frame
def mean_overlap(detector, track, video):
    overlaps = []
    for frame, (box,) in video:
        overlaps += [
            camera.overlap(face.box, box) for face in camera.FaceTracker(detector, track).update(frame)
        ]
    return np.mean(overlaps)


# %% 12-1 wrong: five frames, whatever is asked
def mean_overlap(detector, track, video):
    tracker = camera.FaceTracker(detector, 0)
    return np.mean(
        [camera.overlap(face.box, box) for frame, (box,) in video for face in tracker.update(frame)]
    )


# %% 12-1 wrong: against the first box
def mean_overlap(detector, track, video):
    tracker, (box,) = camera.FaceTracker(detector, track), video[0][1]
    return np.mean([camera.overlap(face.box, box) for frame, _ in video for face in tracker.update(frame)])


# %% 12-1 wrong: of the lesson's video, whatever is given
def mean_overlap(detector, track, video):
    tracker = camera.FaceTracker(detector, track)
    return np.mean(
        [camera.overlap(face.box, box) for frame, (box,) in long_video for face in tracker.update(frame)]
    )


# %% 12-1 right: added up, rounded
def mean_overlap(detector, track, video):
    tracker, total, count = camera.FaceTracker(detector, track=track), 0, 0
    for frame, boxes in video:
        for face in tracker.update(frame):
            total, count = total + camera.overlap(boxes[0], face.box), count + 1
    return round(total / count, 2)


# %% 12-1 right: all faces first
def mean_overlap(detector, track, video):
    tracker = camera.FaceTracker(detector, track)
    found = [tracker.update(frame) for frame, _ in video]
    return float(
        np.mean([camera.overlap(f.box, boxes[0]) for some, (_, boxes) in zip(found, video) for f in some])
    )


# %% 12-2 wrong: everything below is black
def anonymous(frame, faces):
    hidden = frame.copy()
    hidden[5:] = 0
    return hidden


# %% 12-2 wrong: black
def anonymous(frame, faces):
    hidden = frame.copy()
    for face in faces:
        x, y, width, height = face.box
        hidden[y : y + height, x : x + width] = 0
    return hidden


# %% 12-2 wrong: blurred
def anonymous(frame, faces):
    hidden = frame.copy()
    for face in faces:
        x, y, width, height = face.box
        hidden[y : y + height, x : x + width] = cv2.blur(frame[y : y + height, x : x + width], (15, 15))
    return hidden


# %% 12-2 wrong: grey
def anonymous(frame, faces):
    hidden = frame.copy()
    for face in faces:
        x, y, width, height = face.box
        hidden[y : y + height, x : x + width] = frame[y : y + height, x : x + width].mean()
    return hidden


# %% 12-2 wrong: too large
def anonymous(frame, faces):
    hidden = frame.copy()
    for face in faces:
        x, y, width, height = face.box
        hidden[y : y + height + 10, x : x + width + 10] = frame[y : y + height, x : x + width].mean(
            axis=(0, 1)
        )
    return hidden


# %% 12-2 wrong: changes the frame
def anonymous(frame, faces):
    for face in faces:
        x, y, width, height = face.box
        frame[y : y + height, x : x + width] = frame[y : y + height, x : x + width].mean(axis=(0, 1))
    return frame


# %% 12-2 wrong: the mean of the whole frame
def anonymous(frame, faces):
    hidden = frame.copy()
    for face in faces:
        x, y, width, height = face.box
        hidden[y : y + height, x : x + width] = frame.mean(axis=(0, 1))
    return hidden


# %% 12-2 wrong: the first face only
def anonymous(frame, faces):
    hidden = frame.copy()
    for face in faces[:1]:
        x, y, width, height = face.box
        hidden[y : y + height, x : x + width] = frame[y : y + height, x : x + width].mean(axis=(0, 1))
    return hidden


# %% 12-2 right: drawn by OpenCV
def anonymous(frame, faces):
    hidden = frame.copy()
    for x, y, width, height in [face.box for face in faces]:
        colour = cv2.mean(np.ascontiguousarray(frame[y : y + height, x : x + width]))[:3]
        cv2.rectangle(hidden, (x, y), (x + width - 1, y + height - 1), colour, cv2.FILLED)
    return hidden


# %% 12-2 right: rounded, channel by channel
def anonymous(frame, faces):
    hidden = np.array(frame)
    for face in faces:
        x, y, width, height = face.box
        for channel in range(3):
            part = hidden[y : y + height, x : x + width, channel]
            part[...] = round(part.mean())
    return hidden
