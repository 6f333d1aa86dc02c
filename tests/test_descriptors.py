"""Descriptors: what they answer to, what they ignore, what they refuse; and features kept on disk."""

import sys

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_kit.studies.classical import baselines
from fer_kit.studies.classical.baselines import describe
from fer_kit.studies.classical.descriptors import (
    DESCRIPTORS,
    Gabor,
    Hog,
    Lbp,
    Pixels,
    SiftWords,
    find_descriptor,
)

SIZES = {"pixels": 2304, "lbp": 2124, "gabor": 1568, "hog": 900, "sift": 2000}
Y, X = np.mgrid[:48, :48]


def ramp(degrees):
    """A face-sized image that grows lighter in one direction, from x towards y (down)."""
    angle = np.deg2rad(degrees)
    level = np.cos(angle) * (X - 24) + np.sin(angle) * (Y - 24)
    return np.uint8(128 + 3.5 * level)[None]


def wave(length, degrees):
    angle = np.deg2rad(degrees)
    phase = 2 * np.pi * (np.cos(angle) * X + np.sin(angle) * Y) / length
    return np.uint8(128 + 100 * np.cos(phase))[None]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def kept_in(cache):
    """The files of features that a cache folder holds."""
    return sorted(cache.rglob("output.pkl"))


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_features_are_finite_of_the_promised_size_and_of_each_face_alone(name, faces):
    images = np.concatenate([faces.images[:30], np.zeros((1, 48, 48), np.uint8)])  # a blank one too
    descriptor = find_descriptor(name).fit(images)
    features = descriptor.transform(images)
    assert features.shape == (31, SIZES[name]) and features.dtype == np.float32
    assert np.isfinite(features).all() and len(np.unique(features[:30], axis=0)) == 30
    np.testing.assert_allclose(descriptor.transform(images[7:9]), features[7:9], rtol=1e-4, atol=1e-5)


@given(st.integers(0, 179))
@settings(max_examples=20, deadline=None)
def test_hog_counts_gradients_by_their_direction(degrees):
    cells = Hog().cells(Hog().transform(ramp(degrees)))
    assert cells.shape == (1, 6, 6, 9)
    middles = np.deg2rad(20 * np.arange(9) + 10)
    mean = np.angle((cells[0, 2, 2] * np.exp(2j * middles)).sum()) / 2  # twice the angle: 180 degrees are 0
    assert abs((np.rad2deg(mean) - degrees + 90) % 180 - 90) < 6


def test_hog_cells_lie_where_they_are_in_the_face():
    image = np.full((1, 48, 48), 128, np.uint8)
    image[0, 11:14, 36:37] = 255  # in the second row of cells, fifth column
    strength = Hog().cells(Hog().transform(image)).sum(-1)[0]
    assert np.unravel_index(strength.argmax(), strength.shape) == (1, 4)


def test_hog_ignores_light_and_contrast(faces):
    dark = (faces.images[:20] * 0.5 + 20).astype(np.uint8)
    before, after = Hog().transform(faces.images[:20]), Hog().transform(dark)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.95


def test_lbp_counts_patterns_in_cells():
    shares = Lbp().transform(wave(7, 0)).reshape(36, 59) ** 2
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    noise = np.random.default_rng(0).integers(40, 250, (1, 48, 48)).astype(np.uint8)
    before, after = Lbp().transform(noise), Lbp().transform(noise - 40)
    assert np.corrcoef(before, after)[0, 1] > 0.98  # the light falls out, but for ties


@pytest.mark.parametrize(("length", "direction"), [(4, 0), (6, 3), (9, 5), (13, 2)])
def test_a_gabor_filter_answers_to_its_wave(length, direction):
    bank = Gabor()
    answers = bank.transform(wave(length, 22.5 * direction)).reshape(4, 8, 7, 7)
    middle = answers[:, :, 2:5, 2:5].mean((2, 3))
    assert np.unravel_index(middle.argmax(), middle.shape) == (bank.wavelengths.index(length), direction)


def test_a_bag_of_words_counts_the_face_and_its_quarters(faces):
    bag = SiftWords(words=50).fit(faces.images[:60])
    shares = bag.transform(faces.images[60:70]).reshape(10, 5, 50) ** 2
    np.testing.assert_allclose(shares[:, 0], shares[:, 1:].sum(1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(shares[:, 0].sum(1), 1, rtol=1e-4)
    assert (
        SiftWords().fit(faces.images[:2]).transform(faces.images[:2]).shape[0] == 2
    )  # few patches, few words


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((3, 64, 64), np.uint8), r"uint8 \(3, 64, 64\)"),
        (np.zeros((3, 48, 48)), "float64"),
        (np.zeros((48, 48), np.uint8), r"\(48, 48\)"),
        (np.zeros((3, 48, 48, 1), np.uint8), r"\(3, 48, 48, 1\)"),
        (np.zeros((0, 48, 48), np.uint8), "no faces"),
        ([[1, 2], [3, 4]], "list"),
    ],
)
@pytest.mark.parametrize("descriptor", [Hog(), SiftWords()], ids=["hog", "sift"])
def test_other_images_are_refused(descriptor, images, said):
    with pytest.raises(ValueError, match=said):
        descriptor.fit(images)


def test_unknown_names_and_cells_that_do_not_fit(faces):
    with pytest.raises(ValueError, match="no descriptor 'hogg'; did you mean 'hog'"):
        find_descriptor("hogg")
    for descriptor in (Hog(cell=7), Lbp(cell=7), Hog(cell=48)):
        with pytest.raises(ValueError, match="pixels do not tile"):
            descriptor.transform(faces.images[:1])


def test_without_scikit_image_the_extra_is_named(faces, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "fer-kit\[classical\]"'):
        Lbp().transform(faces.images[:1])
    assert len(Hog().transform(faces.images[:1]))


def test_features_are_computed_once(faces, cache, monkeypatch):
    some = faces[:40]
    first = describe(Hog(), some)
    monkeypatch.setattr(Hog, "transform", lambda *_: pytest.fail("computed again"))
    assert (describe(Hog(), some) == first).all() and first.dtype == np.float32
    assert len(kept_in(cache)) == 1


def test_what_is_kept_is_what_was_computed(faces):
    some = faces[:40]
    np.testing.assert_allclose(describe(Hog(), some), Hog().transform(some.images), atol=1e-3)
    assert (describe(Hog(), some) == describe(Hog(), some, cache=False)).all()


def test_other_faces_order_parameters_and_words_are_kept_apart(faces, cache):
    some = faces[:40]
    words = SiftWords(words=9).fit(faces.images[:20])
    other_words = SiftWords(words=9).fit(faces.images[20:40])
    asked = [(Hog(), some), (Hog(), some[::-1]), (Hog(), some[:39]), (Hog(6), some), (Lbp(), some)]
    asked += [(words, some), (other_words, some)]
    for one in asked:
        describe(*one)
    assert len(kept_in(cache)) == len(asked)
    describe(Hog(), faces[:40])
    assert len(kept_in(cache)) == len(asked)


@given(st.permutations(range(12)))
@settings(max_examples=15, deadline=None)
def test_features_stay_with_their_face(faces, order):
    features = describe(Pixels(), faces[:12])
    assert (describe(Pixels(), faces[:12][np.array(order)]) == features[order]).all()


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "other count", "other type"])
def test_a_damaged_cache_is_computed_anew(faces, cache, damage):
    some = faces[:30]
    first = describe(Hog(), some)
    (path,) = kept_in(cache)
    whole = path.read_bytes()
    if damage == "other count":
        joblib.dump(np.zeros((29, 900), np.float16), path)
    elif damage == "other type":
        joblib.dump({"a": 1}, path)
    else:
        path.write_bytes({"cut": whole[:5000], "garbage": b"no array" * 99, "empty": b""}[damage])
    with pytest.warns(UserWarning, match="computed anew"):
        assert (describe(Hog(), some) == first).all()
    assert path.read_bytes() == whole


def test_a_cache_folder_that_cannot_be_written_costs_a_warning_only(faces, tmp_path, monkeypatch):
    (tmp_path / "features").write_text("in the way")
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    with pytest.warns(UserWarning, match="could not keep"):
        assert describe(Hog(), faces[:5]).shape == (5, 900)


def test_a_new_version_makes_new_files(faces, cache, monkeypatch):
    describe(Hog(), faces[:5])
    monkeypatch.setattr(baselines, "FEATURES_VERSION", 99)
    describe(Hog(), faces[:5])
    assert len(kept_in(cache)) == 2
