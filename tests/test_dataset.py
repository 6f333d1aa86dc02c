"""Loading: the same faces from every form of the dataset, and clear words for every bad one."""

import os
import shutil
import struct
import zipfile

import cv2
import numpy as np
import pytest
from test_reproduction import TWINS

from fer_kit.data.emotions import EMOTIONS, emotion_of
from fer_kit.data.fetch import FINGERPRINT, fetch
from fer_kit.data.loading import load_faces


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path, faces):
    """A small dataset in Kaggle's folders: three faces of each emotion and usage, as png."""
    for usage in ("Training", "PublicTest", "PrivateTest"):
        for k, emotion in enumerate(EMOTIONS):
            place = tmp_path / "fer2013" / ("train" if usage == "Training" else "test") / emotion
            place.mkdir(parents=True, exist_ok=True)
            chosen = faces[faces.labels == k]
            for i in range(3):
                cv2.imwrite(str(place / f"{usage}_{i}.png"), chosen.images[i])
    return tmp_path / "fer2013"


@pytest.fixture
def archive(folder):
    return pack(folder, folder.parent / "faces.zip")


def pack(folder, target, method=zipfile.ZIP_STORED, prefix="", separator="/"):
    with zipfile.ZipFile(target, "w", method) as out:
        for file in sorted(folder.rglob("*.*")):
            name = prefix + file.relative_to(folder).as_posix()
            out.writestr(name.replace("/", separator), file.read_bytes())
    return target


def test_counts_of_a_folder(folder):
    counts = load_faces(folder).counts()
    assert (counts == 3).all().all()
    assert counts.shape == (7, 3)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"method": zipfile.ZIP_DEFLATED},
        {"prefix": "archive/fer2013/"},
        {"separator": "\\"},
        {"prefix": "Fer/", "method": zipfile.ZIP_DEFLATED},
    ],
)
def test_archive_and_folder_hold_the_same_faces(folder, how):
    packed = load_faces(pack(folder, folder.parent / "a.zip", **how))
    unpacked = load_faces(folder)
    assert packed.fingerprint == unpacked.fingerprint
    assert np.array_equal(packed.images, unpacked.images)
    assert not packed.notes


def test_second_load_comes_from_the_cache_until_the_file_changes(archive, folder, tmp_path):
    first = load_faces(archive)
    (cached,) = (tmp_path / "cache").glob("*.npz")
    assert load_faces(archive).fingerprint == first.fingerprint
    cached.write_bytes(b"damaged")
    assert load_faces(archive).fingerprint == first.fingerprint

    cv2.imwrite(str(folder / "train/happy/Training_9.png"), np.full((48, 48), 7, np.uint8))
    assert len(load_faces(pack(folder, archive))) == len(first) + 1
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 1, "the cache of the file's former state stays"


@pytest.mark.parametrize("kind", ["zip", "zip with a comment", "csv"])
def test_a_file_of_the_same_size_and_date_is_not_the_same(archive, faces, tmp_path, kind):
    path = archive if kind != "csv" else tmp_path / "fer2013.csv"

    def write(images):
        if kind == "csv":
            rows = [f"3,{' '.join(map(str, image.ravel()))},Training" for image in images]
            path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
            return
        with zipfile.ZipFile(path, "w") as new:
            for usage in ("train", "test"):
                for emotion in EMOTIONS:
                    for number, image in enumerate(images):
                        bmp = cv2.imencode(".bmp", image)[1].tobytes()
                        name = "PublicTest" if usage == "test" else "Training"
                        new.writestr(f"{usage}/{emotion}/{name}_{number}.bmp", bmp)
            new.comment = b"PK" if "comment" in kind else b""

    dark = np.full((2, 48, 48), 100, np.uint8)
    dark[1] += 1
    write(dark)
    before = load_faces(path, allow_missing=True)
    state = path.stat()
    write(dark + 10)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size
    after = load_faces(path, allow_missing=True)
    assert after.images.min() == before.images.min() + 10
    write(dark)
    assert load_faces(path, allow_missing=True).fingerprint == before.fingerprint


def test_unwritable_cache_is_no_obstacle(archive, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "file" / "cache"))
    assert len(load_faces(archive)) == 63


@pytest.mark.parametrize("spelling", ["Angry", "anger", "ANGER", "0_angry", "0"])
def test_unusual_spellings_are_mapped_and_reported(folder, spelling):
    for part in ("train", "test"):
        (folder / part / "angry").rename(folder / part / spelling)
    faces = load_faces(folder)
    assert (faces.counts() == 3).all().all()
    assert f"the folder {spelling!r} is read as angry" in [str(note) for note in faces.notes]


def test_label_order_is_the_csvs_not_the_folders(folder):
    cv2.imwrite(str(folder / "train/neutral/Training_7.png"), np.full((48, 48), 200, np.uint8))
    faces = load_faces(folder)
    bright = faces.images.reshape(len(faces), -1).min(axis=1) == 200
    assert faces.labels[bright].tolist() == [6]


def test_colour_large_and_16_bit_images_are_converted_with_a_count(folder):
    cv2.imwrite(str(folder / "train/sad/Training_a.png"), np.full((48, 48, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "train/sad/Training_b.png"), np.full((96, 64), 91, np.uint8))
    cv2.imwrite(str(folder / "train/sad/Training_c.png"), np.full((48, 48), 92 * 257, np.uint16))
    cv2.imwrite(
        str(folder / "train/sad/Training_d.png"),
        np.dstack([np.full((48, 48, 3), 93, np.uint8), np.full((48, 48), 255, np.uint8)]),
    )
    faces = load_faces(folder)
    added = [name.endswith(("_a.png", "_b.png", "_c.png", "_d.png")) for name in faces.files]
    assert sorted(set(faces.images[added].ravel().tolist())) == [90, 91, 92, 93]
    notes = " ".join(map(str, faces.notes))
    assert "2 images were colour" in notes
    assert "1 images were 64x96 pixels" in notes
    assert "1 images were 16-bit" in notes


def test_unreadable_images_and_other_files_are_left_out_with_a_count(folder):
    (folder / "train/sad/Training_x.jpg").write_bytes(b"not a picture")
    (folder / "train/sad/Training_y.jpg").write_bytes(b"")
    (folder / "train/sad/notes.txt").write_text("read me")
    (folder / "train/sad/.DS_Store").write_text("")
    (folder / "train/contempt").mkdir()
    cv2.imwrite(str(folder / "train/contempt/Training_1.png"), np.zeros((48, 48), np.uint8))
    faces = load_faces(folder)
    assert len(faces) == 63
    notes = " ".join(map(str, faces.notes))
    assert "2 unreadable images left out, the first is train/sad/Training_x.jpg" in notes
    assert "1 .txt files" in notes
    assert "'contempt', which names none of the seven emotions" in notes


def test_missing_and_empty_emotion_folders(folder):
    shutil.rmtree(folder / "train/disgust")
    for file in (folder / "test/fear").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"Training has no faces for disgust.*allow_missing"):
        load_faces(folder)
    assert len(load_faces(folder, allow_missing=True)) == 63 - 3 - 6


def test_validation_folders_without_prefixed_names(folder):
    shutil.copytree(folder / "train", folder / "validation")
    for file in (folder / "validation").rglob("*.png"):
        file.rename(file.with_name(file.name.replace("Training_", "image")))
    assert (load_faces(folder).counts()["PublicTest"] == 6).all()


def test_of_two_equal_copies_one_is_read_and_two_that_differ_are_refused(folder):
    shutil.copytree(folder, folder / "fer2013")
    faces = load_faces(folder)
    assert len(faces) == 63
    assert any("there 2 times" in note.text for note in faces.notes)
    next((folder / "fer2013/train/happy").iterdir()).unlink()
    with pytest.raises(ValueError, match=r"several copies of the dataset, in .*the top folder.*'fer2013'"):
        load_faces(folder)


def test_of_two_archives_with_the_same_faces_one_is_read_and_two_that_differ_are_refused(folder, archive):
    shutil.copy(archive, archive.with_name("other.zip"))
    faces = load_faces(archive.parent)
    assert "faces.zip and other.zip hold the same faces: faces.zip is read" in map(str, faces.notes)
    next((folder / "train/happy").iterdir()).unlink()
    pack(folder, archive.with_name("other.zip"))
    with pytest.raises(ValueError, match=r"several datasets \(faces.zip, other.zip\)"):
        load_faces(archive.parent)


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist; .*Kaggle.*data/fer2013.zip"):
        load_faces(tmp_path / "nowhere")


def test_folders_without_faces(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no dataset"):
        load_faces(tmp_path)
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"no faces in emotion folders .*'holiday'.*Expected train/<emotion>"
    ):
        load_faces(tmp_path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "faces.zip").write_text("this is text")
    with pytest.raises(ValueError, match=r"faces.zip is not a complete zip archive.*download it again"):
        load_faces(tmp_path / "faces.zip")
    (tmp_path / "faces.txt").write_text("this is text")
    with pytest.raises(ValueError, match=r"faces.txt is no dataset: expected"):
        load_faces(tmp_path / "faces.txt")


def test_truncated_archive(archive):
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match="not a complete zip archive"):
        load_faces(archive)


def test_damaged_archive_names_the_entry(archive):
    content = bytearray(archive.read_bytes())
    content[200] ^= 0xFF  # inside the first image
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"test/angry/PrivateTest_0.png in .* is damaged"):
        load_faces(archive)


@pytest.mark.parametrize("name", ["../train/happy/a.png", "/train/happy/a.png", "C:\\train\\happy\\a.png"])
def test_archive_with_unsafe_names(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as out:
        out.writestr(name, b"x")
    with pytest.raises(ValueError, match=r"evil.zip holds the unsafe name"):
        load_faces(tmp_path / "evil.zip")


def test_archive_that_declares_a_huge_image(archive):
    content = bytearray(archive.read_bytes())
    entry = content.find(b"PK\1\2")
    struct.pack_into("<I", content, entry + 24, 2_000_000_000)
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"declares 2,000,000,000 bytes"):
        load_faces(archive)


def test_no_data_gives_the_sample_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FER_DATA", "sample")
    faces = load_faces()
    assert faces.source == "built-in sample"
    assert "drawn by the kit" in capsys.readouterr().out


def test_fetch_without_network_says_how_to_do_it_by_hand(tmp_path, monkeypatch):
    import kagglehub

    def offline(handle):
        raise OSError("no route to host")

    monkeypatch.setattr(kagglehub, "dataset_download", offline)
    with pytest.raises(
        ConnectionError, match=r"download failed \(OSError\).*in a browser.*at .*fer2013.zip, unopened"
    ):
        fetch(tmp_path)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut short"])
def test_fetch_says_to_delete_what_is_damaged(tmp_path, content):
    (tmp_path / "fer2013.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"Delete .*fer2013.zip first"):
        fetch(tmp_path)


def test_fetch_packs_the_download_and_refuses_what_is_not_the_original(folder, tmp_path, monkeypatch):
    import kagglehub

    monkeypatch.setattr(kagglehub, "dataset_download", lambda handle: str(folder))
    with pytest.raises(ValueError, match=r"not the original FER-2013.*doctor"):
        fetch(tmp_path / "data")
    assert len(load_faces(tmp_path / "data")) == 63


def test_real_archive(real_archive):
    faces = load_faces(real_archive)
    assert faces.training.has_twin_in(faces[faces.usage != "Training"]).sum() == TWINS
    assert len(faces) == 35887
    assert faces.fingerprint == FINGERPRINT
    assert not faces.notes
    rest, held = faces.training.split()
    assert (len(rest), len(held)) == (22965, 5744)
    assert len(rest.of("disgust")) == 348


@pytest.mark.parametrize(
    ("word", "emotion"),
    [("Happiness", "happy"), ("6", "neutral"), ("3_sad", "sad"), ("contempt", None), ("9", None)],
)
def test_emotion_of(word, emotion):
    assert emotion_of(word) == emotion


# ---- nothing in an archive is dropped unsaid ----


@pytest.mark.parametrize("again", ["same", "other", "backslash", "no image"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(archive, again):
    name = "train/happy/Training_0.png" if again != "no image" else "notes.txt"
    with zipfile.ZipFile(archive, "a") as out:
        content = out.read(name) if again in ("same", "backslash") else b"another file"
        out.writestr("notes.txt", b"first")
        out.writestr(name.replace("/", "\\") if again == "backslash" else name, content)
    with pytest.raises(ValueError, match=f"1 names twice, the first is {name}.*point at the folder"):
        load_faces(archive)


def test_a_count_that_is_too_small_hides_no_file(archive, folder):
    """As where a tool writes 70,000 entries: the count has 16 bits."""
    content = bytearray(archive.read_bytes())
    struct.pack_into("<2H", content, content.rfind(b"PK\5\6") + 8, 2, 2)
    archive.write_bytes(content)
    assert load_faces(archive).fingerprint == load_faces(folder).fingerprint


def test_entries_in_64_bits_are_read(archive, folder, monkeypatch):
    """With and without a 64-bit end record: not every tool writes one for a 64-bit entry."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    large = pack(folder, archive.with_name("large.zip"))
    assert load_faces(large).fingerprint == load_faces(folder).fingerprint
    content = large.read_bytes()
    end = content.rfind(b"PK\6\6")
    count, _, size, start = struct.unpack_from("<4Q", content, end + 24)
    short = struct.pack("<I4H2IH", 0x06054B50, 0, 0, count, count, size, start, 0)
    large.write_bytes(content[:end] + short)
    assert load_faces(large).fingerprint == load_faces(folder).fingerprint
