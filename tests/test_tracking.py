"""Following faces: KCF between detections, who is who, and each face's own smoothing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.camera.boxes import overlap
from fer_kit.camera.demo import moving_faces
from fer_kit.camera.detection import Face, find_detector
from fer_kit.camera.identities import LEAST_OVERLAP, Smoother, match
from fer_kit.camera.pipeline import FacePipeline
from fer_kit.camera.tracking import FaceTracker
from fer_kit.data.emotions import EMOTIONS


class Perfect:
    """A detector that knows the truth; notes in which frames it is asked. Landmarks are the box's corner."""

    def __init__(self, video):
        self.asked = []
        self.video = list(video)

    def __call__(self, frame):
        self.asked.append(self.now)
        return [Face(box, 1.0, np.full((5, 2), box[:2])) for box in self.video[self.now][1] if box]

    def follow(self, **options):
        """The tracked faces of each frame."""
        tracker = FaceTracker(self, **options)
        seen = []
        for number, (frame, _) in enumerate(self.video):
            self.now = number
            seen.append(tracker.update(frame))
        return seen


def ids(seen):
    return [[face.id for face in faces] for faces in seen]


# ---- zhao's rule ----


def test_detect_one_frame_track_five_detect_again():
    perfect = Perfect(moving_faces(19, faces=2))
    seen = perfect.follow()
    assert perfect.asked == [0, 6, 12, 18]
    assert [faces[0].detected for faces in seen[:7]] == [True, *[False] * 5, True]
    assert ids(seen) == [[1, 2]] * 19


def test_without_tracking_every_frame_is_detected():
    perfect = Perfect(moving_faces(4))
    assert all(face.detected for faces in perfect.follow(track=0) for face in faces)
    assert perfect.asked == [0, 1, 2, 3]


def test_without_tracking_kcf_is_not_needed(monkeypatch):
    monkeypatch.delattr(cv2, "TrackerKCF")
    Perfect(moving_faces(2)).follow(track=0)
    with pytest.raises(ImportError, match="no KCF tracker.*opencv-contrib-python-headless"):
        FaceTracker(Perfect([]))


@pytest.mark.parametrize("speed", [3, 10])
@pytest.mark.parametrize("count", [1, 3])
def test_tracked_boxes_overlap_true_ones(count, speed):
    perfect = Perfect(moving_faces(30, count, speed))
    seen = perfect.follow()
    overlaps = [
        overlap(face.box, box)
        for faces, (_, truth) in zip(seen, perfect.video, strict=True)
        for face, box in zip(faces, truth, strict=True)
        if not face.detected
    ]
    assert len(overlaps) == 25 * count
    assert np.mean(overlaps) > 0.9
    assert min(overlaps) > 0.75


def test_tracked_boxes_overlap_what_the_detector_finds_in_the_same_frame():
    pytest.importorskip("mtcnn")
    detector = find_detector("mtcnn")
    tracker, overlaps = FaceTracker(detector), []
    for frame, _ in moving_faces(18, 3, speed=10):
        tracked = tracker.update(frame)
        if not tracked[0].detected:
            found = [face.box for face in detector(frame)]
            overlaps += [max(overlap(face.box, box) for box in found) for face in tracked]
    assert len(overlaps) == 45
    assert np.mean(overlaps) >= 0.85


def test_landmarks_move_with_the_box():
    seen = [face for (face,) in Perfect(moving_faces(6, speed=8)).follow()]
    assert seen[0].box[:2] != seen[-1].box[:2]
    for face in seen:
        assert np.abs(face.landmarks[0] - face.box[:2]).max() <= 1


# ---- what goes wrong ----


def test_a_covered_face_is_noticed_at_once_and_keeps_its_id():
    perfect = Perfect(moving_faces(24, covered=(9, 14)))
    seen = perfect.follow()
    assert 9 in perfect.asked, "the frame in which the target was lost must be detected"
    assert ids(seen)[:9] == [[1]] * 9
    assert ids(seen)[9:14] == [[]] * 5
    assert ids(seen)[-1] == [1]


def test_an_occluder_that_stays_is_not_followed():
    video = [
        (cv2.rectangle(frame.copy(), (0, 0), (640, 480), (90, 90, 90), cv2.FILLED) if k > 3 else frame, truth)
        for k, (frame, truth) in enumerate(moving_faces(8))
    ]
    perfect = Perfect((frame, truth if k < 4 else [None]) for k, (frame, truth) in enumerate(video))
    assert ids(perfect.follow())[4:] == [[]] * 4


def test_a_black_frame_shows_nobody_and_the_next_one_the_same_person():
    perfect = Perfect(moving_faces(14, faces=2, dark=(8, 10)))
    seen = ids(perfect.follow())
    assert seen[8:10] == [[], []]
    assert seen[10] == [1, 2]
    assert perfect.asked == [0, 6, 10], "black frames need no detector, the frame after them does"


def test_after_a_cut_all_faces_are_new():
    for seed in range(4):
        perfect = Perfect(moving_faces(12, faces=2, cut=8, seed=seed))
        seen = ids(perfect.follow())
        assert perfect.asked[:3] == [0, 6, 8]
        assert seen[7:9] == [[1, 2], [3, 4]]


def test_who_stays_away_for_long_comes_back_as_somebody_new():
    away = {"faces": 2, "away": (8, 30)}
    assert ids(Perfect(moving_faces(42, **away)).follow(patience=5))[-1] == [2, 3]
    assert ids(Perfect(moving_faces(42, **away)).follow(patience=90))[-1] == [1, 2]


def test_somebody_who_enters_is_seen_at_the_next_detection():
    perfect = Perfect(moving_faces(10, faces=2, away=(0, 3)))
    seen = ids(perfect.follow())
    assert seen[0] == [1]
    assert sorted(seen[6]) == [1, 2]


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (639, 479, 1, 1), (0, 0, 640, 480), (0, 300, 640, 3)])
def test_odd_boxes_do_not_crash_kcf(box):
    tracker = FaceTracker(lambda frame: [Face(box)])
    for frame, _ in moving_faces(8):
        for face in tracker.update(frame):
            x, y, width, height = face.box
            assert 0 <= x < x + width <= 640
            assert 0 <= y < y + height <= 480


def test_frames_may_change_their_size_and_be_tiny():
    tracker = FaceTracker(lambda frame: [Face((0, 0, frame.shape[1], frame.shape[0]))])
    shapes = [(480, 640), (480, 640), (100, 90), (1, 1), (1, 1), (31, 2000), (480, 640)]
    for k, (height, width) in enumerate(shapes):
        frame = np.random.default_rng(k).integers(50, 255, (height, width, 3), np.uint8)
        assert len(tracker.update(frame)) == 1


# ---- who is who ----

some_boxes = st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 60)] * 2), max_size=6)


@settings(max_examples=50, deadline=None)
@given(some_boxes, some_boxes)
def test_matching_is_one_to_one(before, now):
    pairs = match(before, now)
    assert len({i for i, _ in pairs}) == len({k for _, k in pairs}) == len(pairs)
    assert all(overlap(before[i], now[k]) >= LEAST_OVERLAP for i, k in pairs)


@settings(max_examples=30, deadline=None)
@given(some_boxes)
def test_what_does_not_move_is_matched_with_itself(boxes):
    boxes = list(dict.fromkeys(boxes))
    assert match(boxes, boxes) == [(k, k) for k in range(len(boxes))]


def test_the_matching_is_the_best_one_for_all():
    # Greedily, the first box would take the one that the second needs.
    before, now = [(0, 0, 10, 10), (5, 0, 10, 10)], [(3, 0, 10, 10), (-4, 0, 10, 10)]
    assert sorted(match(before, now)) == [(0, 1), (1, 0)]


# ---- smoothing ----


def test_each_face_has_its_own_past():
    smoother = Smoother(past=0.5)
    one, other = np.eye(7)[0], np.eye(7)[3]
    assert np.allclose(smoother.update([1, 2], [one, other]), [one, other])
    smoothed = smoother.update([2, 1], [other, other])
    assert np.allclose(smoothed[0], other)
    assert np.allclose(smoothed[1], (one + other) / 2)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.floats(0, 0.95))
def test_smoothed_probabilities_add_up_to_one(shown, past):
    smoother = Smoother(past)
    for label in shown:
        (smoothed,) = smoother.update([1], np.eye(7)[[label]])
    assert smoothed.sum() == pytest.approx(1, abs=1e-4)
    assert smoothed.min() >= 0
    assert smoothed[shown[-1]] >= (1 - past) - 1e-4


def test_smoothing_stops_a_label_from_flickering():
    rng = np.random.default_rng(0)
    seen = np.eye(7)[rng.choice([3, 6], 200, p=[0.7, 0.3])]

    def changes(past):
        smoother = Smoother(past)
        labels = [smoother.update([1], [row])[0].argmax() for row in seen]
        return np.count_nonzero(np.diff(labels))

    assert changes(0.9) < changes(0) / 3


@pytest.mark.parametrize("past", [-0.1, 1, 2])
def test_a_past_that_never_ends_is_refused(past):
    with pytest.raises(ValueError, match="weight of the past"):
        Smoother(past)


def test_a_long_run_remembers_only_who_is_there():
    """A cut every third frame brings two new faces; what the pipeline keeps must not grow."""
    scenes = [next(moving_faces(1, faces=2, seed=seed)) for seed in range(8)]
    pipeline = FacePipeline(lambda crops: np.full((len(crops), len(EMOTIONS)), 1 / 7), lambda frame: found)
    for k in range(120):
        frame, truth = scenes[k // 3 % len(scenes)]
        found = [Face(box) for box in truth]
        results = pipeline.step(frame)
    assert results[0].id > 60
    assert len(pipeline.tracker.tracks) == len(pipeline.smoother.shown) == 2
