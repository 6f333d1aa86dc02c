"""The doctor on the sample, on every way to alter a dataset, and (where it lies) on the real archive."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_kit.data.doctor import examine, examine_path, likely_wrong_labels
from fer_kit.data.doctor.checks import check_loading
from fer_kit.data.doctor.match import match
from fer_kit.data.doctor.near_duplicates import close_pairs, dhash, nearest
from fer_kit.data.doctor.quality import is_blank, measure
from fer_kit.data.doctor.signatures import REFERENCE, Signatures
from fer_kit.data.faceset import FaceSet, Note
from fer_kit.data.sample.people import draw_sample


@pytest.fixture(scope="module")
def original():
    """Drawn faces that stand for the original in these tests."""
    return draw_sample(1500)


@pytest.fixture(scope="module")
def reference(original):
    return Signatures.of(original)


@pytest.fixture(scope="module")
def stranger():
    """A reference that knows none of the faces: what is found is found in the set itself."""
    return Signatures.of(draw_sample(200, seed=9))


def altered(faces, change, where=slice(None)):
    """The same faces with `change` (one image to one image) made to those that `where` selects."""
    images = faces.images.copy()
    images[where] = [change(image) for image in images[where]]
    return replace(faces, images=images)


def blur(image):
    return cv2.GaussianBlur(image, (0, 0), 1)


def upscale(image):
    return cv2.resize(cv2.resize(image, (224, 224)), (48, 48))


def turn(image, degrees=8):
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), degrees, 1)
    return cv2.warpAffine(image, matrix, (48, 48), borderMode=cv2.BORDER_REFLECT_101)


def mirror(image):
    return image[:, ::-1]


def original_facts(report):
    return report.as_json()["original"]


def messages(report, name):
    return " ".join(finding.message for finding in report.findings if finding.id == name)


# --- the original and its harmless relatives


def test_the_original_is_recognised_bit_for_bit_in_any_order(original, reference):
    shuffled = original[np.random.default_rng(0).permutation(len(original))]
    for faces in (original, shuffled):
        report = examine(faces, reference)
        assert original_facts(report)["verdict"] == "original"
        assert original_facts(report)["identical"] == len(original)
        assert not [f for f in report.findings if f.severity == "error"]


def test_small_pixel_differences_as_between_csv_and_jpeg_are_no_alteration(original, reference):
    noise = np.random.default_rng(0).normal(0, 1, original.images.shape).round()
    pixels = np.clip(original.images + noise, 0, 255).astype(np.uint8)
    facts = original_facts(examine(replace(original, images=pixels), reference))
    assert facts["verdict"] == "re-encoded"
    assert facts["missing"] == facts["extra"] == facts["relabelled"] == 0


@pytest.mark.parametrize("count", [60, 700])
def test_a_subset_is_a_subset(original, reference, count):
    report = examine(original.sample(count), reference)
    facts = original_facts(report)
    assert facts["verdict"] == "subset"
    assert (facts["recognised"], facts["missing"]) == (count, len(original) - count)


def test_a_copy_without_duplicates_is_a_subset_that_says_so(original, reference):
    _, first = np.unique(original.digests, return_index=True)
    report = examine(original[np.sort(first)], reference)
    assert original_facts(report)["verdict"] == "subset"
    assert "duplicates of faces that are" in messages(report, "original")


def test_the_sample_is_another_dataset_and_that_is_no_error(original):
    report = examine(original)  # against FER-2013, which the kit ships
    assert original_facts(report)["verdict"] == "another dataset"
    assert not [f for f in report.findings if f.severity == "error"]
    assert not report.has(
        "usage-brightness", "usage-contrast", "usage-sharpness", "mirrored-copies", "turned-copies"
    )


def test_faces_with_other_names_than_emotions_are_another_dataset(original):
    faces = replace(original, labels=original.labels % 2, names=("male", "female"))
    assert original_facts(examine(faces))["verdict"] == "another dataset"


# --- pixels altered


PIXELS = {
    "blur": (blur, "sharpness", "blurrier"),
    "median": (lambda image: cv2.medianBlur(image, 3), "sharpness", "blurrier"),
    "upscaled": (upscale, "sharpness", "blurrier"),
    "sharpened": (lambda i: np.clip(2.0 * i - blur(i), 0, 255).astype(np.uint8), "sharpness", "sharper"),
    "brighter": (lambda image: cv2.add(image, 30), "brightness", "brighter"),
    "darker": (lambda image: cv2.subtract(image, 30), "brightness", "darker"),
    "flatter": (lambda image: (image * 0.6 + 50).astype(np.uint8), "contrast", "flatter"),
}


@pytest.mark.parametrize("way", PIXELS)
def test_altered_pixels_are_found_and_named(original, reference, way):
    change, name, word = PIXELS[way]
    report = examine(altered(original, change), reference)
    assert original_facts(report)["verdict"] == "altered"
    assert word in messages(report, name), str(report)
    assert original_facts(report)["missing"] == original_facts(report)["extra"] == 0
    assert not report.has("relabelled", "usage-moved", "label-order")


def test_one_blurred_usage_is_found_with_and_without_the_original(original, reference, stranger):
    test = original.usage == "PrivateTest"
    copy = altered(original, blur, test)
    report = examine(copy, reference)
    assert report.has("usage-sharpness")
    assert f"of {test.sum()} PrivateTest faces are blurrier" in messages(report, "sharpness")
    assert "Training" not in messages(report, "sharpness")
    assert "PrivateTest stands" in messages(examine(copy, stranger), "usage-sharpness")


def test_a_few_blurred_faces_are_found(original, reference):
    some = np.random.default_rng(0).permutation(len(original))[:90]
    report = examine(altered(original, blur, some), reference)
    assert original_facts(report)["changed"] <= 90
    assert report.has("sharpness")


@pytest.mark.parametrize(
    "name, change",
    [
        ("mirrored", mirror),
        ("negative", lambda image: 255 - image),
        ("transposed", lambda image: image.T),
        ("upside down", lambda image: image[::-1]),
    ],
)
def test_faces_turned_over_are_recognised(original, reference, name, change):
    report = examine(altered(original, change), reference)
    assert original_facts(report)["verdict"] == "altered"
    assert name in messages(report, "variants")


# --- faces added


@pytest.mark.parametrize("change", [mirror, turn, lambda image: cv2.add(image, 20)])
def test_augmented_copies_added_are_found(original, reference, change):
    extra = altered(original.training.sample(300), change)
    report = examine(original.join(extra), reference)
    facts = original_facts(report)
    assert facts["verdict"] == "altered"
    assert (facts["extra"], facts["missing"], facts["relabelled"]) == (300, 0, 0)
    assert sum(facts["repeats"].values()) > 150
    assert facts["leaked"] == 0


def test_augmented_copies_are_found_in_a_set_nobody_knows(original, stranger):
    some = original.training.sample(250)
    flipped = examine(original.join(altered(some, mirror)), stranger)
    assert flipped.has("mirrored-copies") and not flipped.has("turned-copies")
    turned = examine(original.join(altered(some, turn)), stranger)
    assert turned.has("turned-copies") and not turned.has("mirrored-copies")
    light = examine(original.join(altered(some, lambda image: cv2.add(image, 25))), stranger)
    assert light.as_json()["near_duplicates"]["pairs"] >= 200
    assert not light.has("mirrored-copies", "turned-copies")


# --- labels and usages altered


def test_relabelled_faces_are_counted_exactly(original, reference):
    rows = np.random.default_rng(0).permutation(np.flatnonzero(~is_blank(measure(original.images))))[:30]
    labels = original.labels.copy()
    labels[rows] = (labels[rows] + 3) % 7
    report = examine(replace(original, labels=labels), reference)
    facts = original_facts(report)
    # Two identical faces whose labels were exchanged count as none.
    assert 28 <= facts["relabelled"] <= 30
    assert sum(facts["relabelled_pairs"].values()) == facts["relabelled"]
    assert " -> " in messages(report, "relabelled") and "sample/" in messages(report, "relabelled")


@pytest.mark.parametrize("change", [lambda image: image, blur])
def test_sad_and_neutral_exchanged_is_a_label_order_mistake(original, reference, change):
    labels = original.labels.copy()
    labels[original.labels == 4], labels[original.labels == 6] = 6, 4
    report = examine(altered(replace(original, labels=labels), change), reference)
    assert "sad faces are labelled neutral; neutral faces are labelled sad" in messages(report, "label-order")
    assert not report.has("relabelled")


def test_label_order_is_seen_in_the_official_counts_alone(stranger):
    from fer_kit.data.emotions import OFFICIAL_COUNTS

    counts = dict(zip("012345", OFFICIAL_COUNTS["PublicTest"], strict=False))
    swapped = [counts[k] for k in "0123"] + [607, 415, 653]
    labels = np.repeat(np.arange(7), swapped)
    pixels = np.random.default_rng(0).integers(0, 255, (len(labels), 48, 48), dtype=np.uint8)
    report = examine(FaceSet(pixels, labels, "PublicTest"), stranger)
    assert "neutral has the count of sad (653)" in messages(report, "label-order")


def test_test_faces_moved_to_training_are_found(original, reference):
    rows = np.flatnonzero(original.usage == "PrivateTest")[:60]
    usage = original.usage.copy()
    usage[rows] = "Training"
    report = examine(replace(original, usage=usage), reference)
    assert report.has("test-faces-in-training")
    assert original_facts(report)["moved"] == {"PrivateTest -> Training": 60}


def test_blurred_copies_of_test_faces_in_training_are_found(original, reference):
    extra = altered(original.private_test.sample(60), lambda image: blur(image))
    extra = replace(extra, usage=np.full(len(extra), "Training"))
    assert examine(original.join(extra), reference).has("test-faces-in-training")


# --- defects inside one set


def test_duplicates_twins_and_blanks_are_counted(original, stranger):
    base = original[np.sort(np.unique(original.digests, return_index=True)[1])]
    base = base[~is_blank(measure(base.images))]
    training, test = base.training, base.private_test
    copies = training[:5].join(replace(training[5:8], usage=np.full(3, "PrivateTest")))
    wrong = replace(training[8:10], labels=(training.labels[8:10] + 1) % 7)
    blank = replace(test[:4], images=np.full((4, 48, 48), np.arange(4)[:, None, None] * 60, np.uint8))
    report = examine(base.join(copies).join(wrong).join(blank), stranger).as_json()
    assert report["duplicates"] == {
        "groups": 10,
        "redundant": 10,
        "conflicting_groups": 2,
        "conflicting_images": 4,
    }
    assert report["twins"] == {"PrivateTest": 3, "PublicTest": 0}
    assert report["blank"] == 4


def test_an_empty_emotion_and_loading_notes_are_findings(original, stranger):
    faces = replace(original[original.labels != 1], notes=(Note("converted", "3 images were colour"),))
    report = examine(faces, stranger)
    assert "no faces for disgust" in messages(report, "empty-emotion")
    assert "3 images were colour" in messages(report, "loading")


@pytest.mark.parametrize(
    ("kind", "severities"),
    [
        ("missing", []),
        ("left out", ["warning"]),
        ("converted", ["warning"]),
        ("assumed", ["note"]),
        ("about", ["note"]),
    ],
)
@pytest.mark.parametrize(
    "text", ["a", "2 unreadable skipped, converted, left out", "Training has no faces for sad"]
)
def test_notes_are_judged_by_their_kind_and_never_by_their_words(kind, severities, text):
    assert [finding.severity for finding in check_loading([Note(kind, text)])] == severities


def test_likely_wrong_labels_are_the_ones_we_spoilt():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 700)
    probabilities = rng.dirichlet(np.full(7, 0.3), 700) * 0.3 + 0.7 * np.eye(7)[truth]
    labels = truth.copy()
    labels[:20] = (labels[:20] + 1) % 7
    found = likely_wrong_labels(probabilities, labels)
    assert len(found) >= 8 and set(found.tolist()) <= set(range(20))
    with pytest.raises(ValueError, match="do not fit"):
        likely_wrong_labels(probabilities[:5], labels)


def test_a_report_prints_as_json_and_as_text_and_draws(original, stranger):
    probabilities = np.eye(7)[(original.labels + 1) % 7]
    report = examine(original, stranger, probabilities)
    stored = json.loads(json.dumps(report.as_json()))
    assert {
        "counts",
        "duplicates",
        "twins",
        "blank",
        "near_duplicates",
        "findings",
        "usage",
        "emotion",
    } <= set(stored)
    assert set(stored["findings"][0]) == {"id", "severity", "message"}
    assert stored["counts"]["Training"]["happy"] > stored["counts"]["Training"]["disgust"]
    assert "WARNING blank:" in str(report)


def test_examine_takes_tiny_sets(original, stranger):
    for count in (1, 2, 8):
        assert examine(original[:count], stranger).as_json()["counts"]["Training"]


# --- the parts


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_close_pairs_and_nearest_agree_with_counting_bits(seed, radius):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 40, dtype=np.uint64)
    hashes[20:] = hashes[:20] ^ rng.choice(np.array([0, 1, 255, 65535], np.uint64), 20)
    bits = np.array([[(int(a) ^ int(b)).bit_count() for b in hashes] for a in hashes])
    wanted = {(i, j) for i in range(40) for j in range(i + 1, 40) if bits[i, j] <= radius}
    assert {tuple(pair) for pair in close_pairs(hashes, hashes, radius).tolist()} == wanted
    np.fill_diagonal(bits, 99)
    assert (nearest(hashes, hashes, not_row=np.arange(40))[0] == bits.min(axis=1)).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_every_row_is_given_once_and_faces_keep_their_own(original, reference, seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(original), 200, replace=True)
    copy = original[rows]
    found = match(copy.images, Signatures.of(copy), reference)
    assert found.recognised and (found.origin >= 0).all()
    assert len(np.unique(found.origin[found.paired])) == found.paired.sum()
    assert (copy.digests == original.digests[found.origin]).all()


def test_pictures_of_dots_are_not_called_blurred(original, reference):
    dots = np.random.default_rng(0).integers(0, 2, original.images.shape, np.uint8) * np.uint8(255)
    assert (Signatures.of(replace(original, images=dots)).sharpness == 255).all()
    printed = [np.asarray(Image.fromarray(image).convert("1"), np.uint8) * 255 for image in original.images]
    report = examine(replace(original, images=np.array(printed, np.uint8)), reference)
    assert "blurrier" not in str(report.findings) and "sharper" in str(report.findings)


@given(st.integers(-40, 40))
@settings(max_examples=15, deadline=None)
def test_a_hash_does_not_see_light(original, shift):
    pixels = np.clip(original.images[:50], 50, 205)
    assert (dhash(pixels) == dhash((pixels.astype(int) + shift).astype(np.uint8))).all()


def test_signatures_survive_the_disk(reference, tmp_path):
    reference.save(tmp_path / "mine.npz")
    again = Signatures.load(tmp_path / "mine.npz")
    assert all(np.array_equal(value, getattr(again, name)) for name, value in vars(reference).items())
    assert not list(tmp_path.glob("*partial*"))


def test_the_shipped_reference_is_small_and_complete():
    shipped = Signatures.load()
    assert len(shipped) == 35887 and REFERENCE.stat().st_size < 700_000
    assert np.bincount(shipped.usage).tolist() == [28709, 3589, 3589]


# --- the real archive


def test_the_real_archive(real_archive):
    report = examine_path(real_archive)
    stored = report.as_json()
    assert stored["duplicates"] == {
        "groups": 1516,
        "redundant": 1853,
        "conflicting_groups": 57,
        "conflicting_images": 160,
    }
    assert stored["twins"] == {"PrivateTest": 288, "PublicTest": 280}
    assert stored["blank"] == 13
    assert stored["original"]["verdict"] == "original"
    assert {f.id for f in report.findings} == {
        "blank",
        "duplicates",
        "conflicting-labels",
        "twins",
        "original",
        "counts",
        "near-duplicates",
    }
