"""Finding faces, cropping them, and the whole step from a frame to emotions."""

import builtins
import sys
from dataclasses import replace
from importlib import metadata

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fer_kit.camera import detection
from fer_kit.camera.annotation import draw_faces
from fer_kit.camera.boxes import clamp, overlap, shrink, to_rgb
from fer_kit.camera.demo import FACE, LOOKS, moving_faces, portrait
from fer_kit.camera.detection import Face, find_detector, plain_mtcnn
from fer_kit.camera.pipeline import FacePipeline, crop_faces
from fer_kit.data.emotions import EMOTIONS


@pytest.fixture(scope="module")
def mtcnn():
    pytest.importorskip("mtcnn", reason="mtcnn is not installed")
    return find_detector("mtcnn")


@pytest.fixture(params=detection.DETECTORS)
def detector(request):
    return request.getfixturevalue("mtcnn") if request.param == "mtcnn" else find_detector(request.param)


# ---- any image as a frame ----


@pytest.mark.parametrize(
    "image",
    [
        np.full((5, 7), 200, np.uint8),
        np.full((5, 7, 1), 200, np.uint8),
        np.full((5, 7, 3), 200, np.uint8),
        np.full((5, 7, 4), [200, 200, 200, 255], np.uint8),
        np.full((5, 7), 200 * 257, np.uint16),
        np.full((5, 7, 3), 200 / 255),
        np.full((5, 7, 3), 200.0),
        np.full((5, 7), 200, np.int64),
    ],
    ids=["grey", "grey with channel", "RGB", "RGBA", "16-bit", "floats to 1", "floats to 255", "int64"],
)
def test_every_kind_of_image_becomes_the_same_frame(image):
    frame = to_rgb(image)
    assert frame.dtype == np.uint8
    assert frame.shape == (5, 7, 3)
    assert (frame == 200).all()


def test_transparency_is_white_and_missing_pixels_are_black():
    assert (to_rgb(np.zeros((2, 2, 4), np.uint8)) == 255).all()
    assert (to_rgb(np.full((2, 2), np.nan)) == 0).all()
    assert (to_rgb(np.ones((2, 2), bool)) == 255).all()


@pytest.mark.parametrize("shape", [(), (5,), (0, 7, 3), (5, 7, 2), (1, 5, 7, 3)])
def test_what_is_no_image_is_named_by_its_shape(shape):
    with pytest.raises(ValueError, match="image has the shape"):
        to_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (np.uint16([[0, 1000, 4095]]), [0, 62, 255]),  # a camera of 12 bits
        (np.uint16([[0, 100, 200]]), [0, 100, 200]),
        ([[0, 0.5, np.inf]], [0, 128, 128]),
        ([[0, 0.5, 1, np.inf]], [0, 128, 255, 255]),
        (np.uint16([[[4095, 4095, 4095, 65535], [0, 0, 0, 65535]]]), [255, 0]),  # alpha of 16 bits
        ([[0, 0.5, 1.04]], [0, 128, 255]),
    ],
)
def test_pixels_of_a_camera_are_scaled_like_those_of_a_dataset(image, grey):
    assert to_rgb(np.array(image))[0, :, 0].tolist() == grey


def test_negative_pixels_are_refused():
    with pytest.raises(ValueError, match="whole numbers from 0"):
        to_rgb(np.array([[-1, 3]]))


numbers = st.floats(-1e4, 1e4) | st.integers(-300, 300)


@given(st.tuples(numbers, numbers, numbers, numbers), st.integers(1, 200), st.integers(1, 200))
def test_a_clamped_box_lies_inside(box, height, width):
    inside = clamp(box, (height, width, 3))
    if inside is not None:
        x, y, w, h = inside
        assert min(x, y) >= 0
        assert min(w, h) >= 1
        assert x + w <= width
        assert y + h <= height
        assert clamp(inside, (height, width)) == inside


def test_overlap_is_the_jaccard_index():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 5, 5)) == 0


def test_shrinking_never_enlarges_and_keeps_a_pixel():
    assert shrink(np.zeros((480, 640, 3), np.uint8), 320)[0].shape == (240, 320, 3)
    assert shrink(np.zeros((48, 48, 3), np.uint8), 320)[1] == 1
    assert shrink(np.zeros((1, 5000, 3), np.uint8), 320)[0].shape == (1, 320, 3)


# ---- detectors ----


def test_the_face_of_the_portrait_is_found(detector):
    found = detector(portrait())
    assert len(found) == 1
    assert overlap(found[0].box, FACE) > 0.5
    assert all(isinstance(n, int) for n in found[0].box)


def test_landmarks_are_where_they_belong(mtcnn):
    left_eye, right_eye, nose, left_mouth, right_mouth = mtcnn(portrait())[0].landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert left_mouth[0] < right_mouth[0]


def test_grey_and_transparent_pictures_are_detected_alike(mtcnn):
    rgba = np.dstack([portrait(), np.full((512, 512), 255, np.uint8)])
    assert mtcnn(rgba)[0].box == mtcnn(portrait())[0].box
    grey = cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY)
    assert overlap(mtcnn(grey.astype(np.uint16) * 257)[0].box, FACE) > 0.7


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (20, 20, 3), (21, 21, 3), (240, 320, 3)], ids=str)
def test_no_face_no_box_and_no_noise(detector, shape, capfd):
    assert detector(np.random.default_rng(0).integers(0, 255, shape, np.uint8)) == []
    assert detector(np.zeros(shape, np.uint8)) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("side", [100, 180, 300, 513, 1400, 7680])
def test_a_face_is_found_at_any_size_of_the_picture(mtcnn, side):
    scale = side / 512
    found = mtcnn(cv2.resize(portrait(), (side, side), interpolation=cv2.INTER_AREA))
    assert len(found) == 1
    assert overlap(found[0].box, np.multiply(FACE, scale)) > 0.7


def crowd():
    """Fifty faces, and where they are."""
    picture, boxes = np.full((500, 800, 3), 120, np.uint8), []
    head, scale = shrink(portrait()[:256, 100:356], 78)
    for y in range(10, 500, 100):
        for x in range(1, 800, 80):
            picture[y : y + 78, x : x + 78] = head
            boxes.append(np.multiply((80, 61, 86, 110), scale) + (x, y, 0, 0))
    return picture, boxes


def test_fifty_small_faces_are_found_when_asked_to_look_closely():
    pytest.importorskip("mtcnn")
    picture, boxes = crowd()
    detector = find_detector("mtcnn", longest=800)
    found = [face.box for face in detector(picture)]
    assert all(max(overlap(box, f) for f in found) > 0.5 for box in boxes)
    answers = FacePipeline(uniform, detector).step(picture)
    assert len({answer.id for answer in answers}) == len(found)


def test_a_crowd_is_searched_some_crops_at_a_time(mtcnn, monkeypatch):
    frame = next(moving_faces(1, faces=3))[0]
    boxes = [face.box for face in mtcnn(frame)]
    monkeypatch.setattr(detection, "CROPS", 2)
    monkeypatch.setattr(detection, "MANY", 3)
    assert [face.box for face in mtcnn(frame)] == boxes and len(boxes) == 3


def test_all_that_mtcnn_finds_by_default_is_found(mtcnn):
    eager = plain_mtcnn()
    for frame, boxes in moving_faces(3, faces=3, speed=10, seed=3):
        ours, theirs = mtcnn(frame), eager.detect_faces(frame)
        assert len(theirs) >= len(boxes)
        for face in theirs:
            assert max(overlap(face["box"], other.box) for other in ours) > 0.6


def test_a_file_in_the_current_folder_is_not_taken_for_weights(tmp_path, monkeypatch):
    pytest.importorskip("mtcnn")
    for name in ("pnet.lz4", "rnet.lz4", "onet.lz4"):
        (tmp_path / name).write_bytes(b"a stranger's pickle")
    monkeypatch.chdir(tmp_path)
    assert len(find_detector("mtcnn")(portrait())) == 1
    assert len(plain_mtcnn().detect_faces(portrait())) == 1


def test_a_changed_mtcnn_finds_faces_uncompiled_and_says_so_once(mtcnn, monkeypatch):
    from mtcnn.stages.base import StageBase

    monkeypatch.delattr(StageBase, "model")
    with pytest.warns(UserWarning, match="uncompiled") as warned:
        uncompiled = find_detector("mtcnn")
    assert len(warned) == 1
    assert uncompiled(portrait())[0].box == mtcnn(portrait())[0].box


def test_unknown_and_missing_detectors_say_what_to_do(monkeypatch):
    with pytest.raises(ValueError, match="haar, haar-alt2, mtcnn"):
        find_detector("yolo")
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(ImportError, match=r"fer-kit\[faces\]"):
        find_detector("mtcnn")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="pip install tensorflow"):
        find_detector("mtcnn")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match="KERAS_BACKEND=tensorflow"):
        find_detector("mtcnn")


def test_what_keras_is_set_to_elsewhere_is_named(monkeypatch):
    pytest.importorskip("mtcnn", reason="mtcnn is not installed")
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    with pytest.raises(ValueError, match="channels_first.*keras.json"):
        find_detector("mtcnn")
    monkeypatch.undo()

    def broken():
        raise ImportError("`keras` requires `tf_keras`")

    monkeypatch.setattr(detection, "_made", broken)
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    with pytest.raises(ImportError, match="while TF_USE_LEGACY_KERAS is set .*tf_keras.*unset it"):
        find_detector("mtcnn")
    monkeypatch.delenv("TF_USE_LEGACY_KERAS")
    with pytest.raises(ImportError, match="^`keras` requires"):
        find_detector("mtcnn")


def test_opencv_without_cascades_names_the_wheels_to_uninstall(monkeypatch):
    here = {"opencv-python": "5.0.0", "opencv-contrib-python-headless": "4.14.0"}

    def version(name):
        if name in here:
            return here[name]
        raise metadata.PackageNotFoundError(name)

    monkeypatch.delattr(cv2, "CascadeClassifier")
    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(ImportError) as told:
        find_detector("haar")
    assert "pip uninstall -y opencv-python opencv-contrib-python-headless`" in str(told.value)
    assert "overwrite each other" in str(told.value)
    del here["opencv-contrib-python-headless"]
    with pytest.raises(ImportError, match="uninstall -y opencv-python`"):
        find_detector("haar-alt2")


def test_the_portrait_without_scikit_image(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **named):
        if name == "skimage":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"fer-kit\[faces\]"):
        portrait()


# ---- crops ----

pixels = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 4]))
)
boxes = st.tuples(*[st.integers(-100, 100)] * 2, *[st.integers(0, 100) | st.integers(10_000, 1_000_000)] * 2)
landmarks = st.none() | arrays.arrays(np.float32, (5, 2), elements=st.floats(-100, 100, width=32))


@settings(max_examples=60, deadline=None)
@given(pixels, st.lists(st.tuples(boxes, landmarks), max_size=3), st.floats(-1, 1))
def test_any_box_of_any_image_gives_a_crop(image, places, margin):
    crops = crop_faces(image, [Face(box, 1.0, marks) for box, marks in places], margin)
    assert crops.shape == (len(places), 48, 48)
    assert crops.dtype == np.uint8
    if len(crops):
        grey = cv2.cvtColor(to_rgb(image), cv2.COLOR_RGB2GRAY)
        assert grey.min() <= crops.min() <= crops.max() <= grey.max()


def test_a_crop_of_a_whole_face_is_that_face(faces):
    image = faces.images[3]
    assert np.array_equal(crop_faces(image, [Face((0, 0, 48, 48))])[0], image)


def test_the_margin_is_a_share_of_the_longer_side():
    image = np.zeros((300, 300), np.uint8)
    image[100:200, 100:200] = 255
    share = crop_faces(image, [Face((100, 100, 100, 100))], margin=0.25)[0].mean() / 255
    assert share == pytest.approx(1 / 1.5**2, abs=0.02)


@pytest.mark.parametrize("degrees", [-25, 15])
def test_a_tilted_face_is_turned_upright(mtcnn, degrees):
    tilt = cv2.getRotationMatrix2D((223, 116), degrees, 1)
    tilted = cv2.warpAffine(portrait(), tilt, (512, 512))
    face = mtcnn(tilted)[0]
    (upright,) = crop_faces(portrait(), mtcnn(portrait()))
    straight, crooked = crop_faces(tilted, [face, replace(face, landmarks=None)])

    def likeness(crop):
        return np.corrcoef(crop.ravel(), upright.ravel())[0, 1]

    assert likeness(straight) > 0.75
    assert likeness(straight) > likeness(crooked)


# ---- the whole step ----


def uniform(crops):
    return np.full((len(crops), len(EMOTIONS)), 1 / len(EMOTIONS))


def always(emotion):
    return lambda crops: np.repeat(np.eye(len(EMOTIONS))[[EMOTIONS.index(emotion)]], len(crops), axis=0)


def test_each_face_of_a_frame_gets_its_result():
    seen = []

    def classify(crops):
        seen.append(crops)
        return always("happy")(crops)

    frame, truth = next(moving_faces(faces=3))
    pipeline = FacePipeline(classify, lambda frame: [Face(box) for box in truth])
    results = pipeline.step(frame)
    assert [r.id for r in results] == [1, 2, 3]
    assert [r.box for r in results] == truth
    assert {r.emotion for r in results} == {"happy"}
    assert all(r.probabilities.shape == (7,) for r in results)
    assert seen[0].shape == (3, 48, 48)
    assert seen[0].dtype == np.uint8


def test_without_a_face_classify_is_left_alone():
    pipeline = FacePipeline(lambda crops: 1 / 0, lambda frame: [])
    assert pipeline.step(np.full((1, 1), 200, np.uint8)) == []


@pytest.mark.parametrize(
    ("classify", "kind", "words"),
    [
        (lambda crops: 1 / 0, RuntimeError, "uint8 .2, 48, 48.*ZeroDivisionError"),
        (
            lambda crops: np.zeros((1, 7)),
            ValueError,
            r"probabilities \(2, 7\); it returned the shape \(1, 7\)",
        ),
        (lambda crops: np.zeros((2, 6)), ValueError, r"returned the shape \(2, 6\)"),
        (lambda crops: None, ValueError, r"returned the shape \(\)"),
        (lambda crops: [["happy"] * 7] * 2, RuntimeError, "could not convert string"),
        (lambda crops: np.full((2, 7), 9.0), ValueError, "end with a softmax"),
        (lambda crops: np.full((2, 7), np.nan), ValueError, "from 0 to 1"),
    ],
    ids=["raises", "too few rows", "six emotions", "None", "words", "logits", "NaN"],
)
def test_what_is_wrong_with_classify_is_said(classify, kind, words):
    frame, truth = next(moving_faces(faces=2))
    pipeline = FacePipeline(classify, lambda frame: [Face(box) for box in truth])
    with pytest.raises(kind, match=words):
        pipeline.step(frame)


def test_boxes_and_captions_are_drawn_on_a_copy():
    frame, truth = next(moving_faces(faces=2))
    pipeline = FacePipeline(always("sad"), lambda frame: [Face(box) for box in truth])
    results, before = pipeline.step(frame), frame.copy()
    drawn = draw_faces(frame, results)
    assert np.array_equal(frame, before)
    x, y, width, height = truth[0]
    assert tuple(drawn[y + height, x + width // 2]) == (0x00, 0x72, 0xB2)
    changed = (drawn != frame).any(axis=2)
    assert 0.005 < changed.mean() < 0.2


# ---- the video of moving faces ----


@pytest.mark.parametrize("count", range(1, len(LOOKS) + 1))
def test_the_video_has_as_many_faces_as_asked_for(count, mtcnn):
    frames = list(moving_faces(12, faces=count, speed=8))
    assert len(frames) == 12
    for frame, truth in frames[::6]:
        assert (frame.shape, frame.dtype) == ((480, 640, 3), np.uint8)
        found = [face.box for face in mtcnn(frame)]
        assert len(found) == count
        assert all(max(overlap(box, f) for f in found) > 0.7 for box in truth)


def test_the_video_moves_as_fast_as_asked_for():
    for speed in (3, 10):
        corners = np.array([truth[0][:2] for _, truth in moving_faces(300, speed=speed)], float)
        assert np.hypot(*np.diff(corners, axis=0).T).mean() == pytest.approx(speed, rel=0.35)


def test_what_happens_in_the_video_happens_when_asked_for():
    video = list(moving_faces(12, 2, covered=(2, 4), dark=(5, 6), away=(7, 9), cut=10))
    assert [k for k, (_, truth) in enumerate(video) if truth[0] is None] == [2, 3, 5, 7, 8]
    assert video[5][0].max() == 0
    assert video[5][1][1] is None
    assert np.abs(video[10][0].astype(int) - video[9][0]).mean() > 10
    again = list(moving_faces(12, 2, covered=(2, 4), dark=(5, 6), away=(7, 9), cut=10))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(video, again, strict=True))


def test_the_video_has_one_to_three_faces():
    with pytest.raises(ValueError, match="1 to 3 faces"):
        next(moving_faces(faces=4))
