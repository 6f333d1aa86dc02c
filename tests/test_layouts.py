"""Datasets as people have them: whatever they are packed in and however they are named, the same faces."""

import bz2
import gzip
import io
import json
import os
import re
import string
import sys
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_kit.data.doctor import examine_path
from fer_kit.data.emotions import EMOTIONS, USAGES
from fer_kit.data.faceset import FaceSet
from fer_kit.data.files import archive
from fer_kit.data.files.layout import USAGE_WORDS, usage_of
from fer_kit.data.files.numbering import NUMBERINGS
from fer_kit.data.loading import check_outside, find_dataset, load_faces
from fer_kit.tools.cli import main

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
RAF = dict(zip(NUMBERINGS["RAF-DB"][1], range(1, 8), strict=True))
SHORT = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


@pytest.fixture(scope="module")
def some(faces):
    """Two faces of each emotion and usage."""
    rows = [np.flatnonzero((faces.labels == k) & (faces.usage == u))[:2] for k in range(7) for u in USAGES]
    return faces[np.concatenate(rows)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))


def png(image):
    return cv2.imencode(".png", image)[1].tobytes()


def named(some, place):
    """{name: content} of the faces as png files; `place` names the folder of an emotion and a usage."""
    return {
        f"{place(EMOTIONS[k], u)}/{n}.png": png(image)
        for n, (image, k, u) in enumerate(zip(some.images, some.labels, some.usage, strict=True))
    }


def usual(emotion, usage):
    return f"{SHORT[usage]}/{emotion}"


def zipped(contents, target):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in contents.items():
            out.writestr(name, content)
    return target


def tarred(contents, target, mode):
    with tarfile.open(target, mode) as out:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return target


def laid(contents, folder):
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def csv(some, usage=True):
    rows = ["emotion,pixels,Usage" if usage else "emotion,pixels"]
    for image, label, its in zip(some.images, some.labels, some.usage, strict=True):
        rows.append(f"{label},{' '.join(map(str, image.ravel()))}{f',{its}' if usage else ''}")
    return ("\n".join(rows) + "\n").encode()


# ---- what it is packed in ----


def test_the_same_faces_whatever_they_are_packed_in(some, tmp_path):
    pictures = named(some, usual)
    text = csv(some)
    inner = zipped(pictures, tmp_path / "inner").read_bytes()
    paths = [
        zipped(pictures, tmp_path / "no_ending"),
        tarred(pictures, tmp_path / "a.tar.gz", "w:gz"),
        tarred({"fer2013/fer2013.csv": text}, tmp_path / "b.csv", "w"),
        tarred({"./x/" + n: c for n, c in pictures.items()}, tmp_path / "c.txz", "w:xz"),
        zipped({"archive/fer2013.zip": inner, "README.md": b"read me"}, tmp_path / "d.zip"),
        zipped({"fer2013.csv": text, "test.csv": b"pixels\n", "fer2013.tar.gz": b""}, tmp_path / "e.zip"),
        laid({"fer2013.csv.gz": gzip.compress(text)}, tmp_path / "f"),
        laid({"f.bz2": bz2.compress(text)}, tmp_path / "g") / "f.bz2",
        laid(pictures | {"train_labels.csv": b"image,label\n1.png,4\n"}, tmp_path / "h"),
        laid(pictures | {"labels.zip": zipped({"a.txt": b"x"}, tmp_path / "l").read_bytes()}, tmp_path / "i"),
        zipped({f"fer/{r}/{n}": c for r in ("a", "a/b") for n, c in pictures.items()}, tmp_path / "j.zip"),
    ]
    for path in paths:
        assert load_faces(path).fingerprint == some.fingerprint, path.name
        assert load_faces(path).fingerprint == some.fingerprint, f"{path.name} from the cache"


def test_a_place_inside_an_archive_can_be_pointed_at(some, tmp_path):
    pictures = named(some, usual)
    half = dict(list(pictures.items())[::2])
    path = zipped(
        {f"a/{n}": c for n, c in pictures.items()} | {f"b/{n}": c for n, c in half.items()},
        tmp_path / "x.zip",
    )
    with pytest.raises(ValueError, match=r"several copies of the dataset, in 'a' and 'b', that differ"):
        load_faces(path)
    assert load_faces(path / "a").fingerprint == some.fingerprint
    assert load_faces(path / "a").source == "x.zip/a"
    with pytest.raises(ValueError, match="holds no c"):
        load_faces(path / "c")


def test_tables_without_usage_take_it_from_their_names(some, tmp_path):
    test = some[some.usage == "PrivateTest"]
    folder = laid({"train.csv": csv(some.training, False), "test.csv": csv(test, False)}, tmp_path / "x")
    assert load_faces(folder).fingerprint == some.training.join(test).fingerprint
    assert (load_faces(folder / "train.csv").usage == "Training").all()
    with pytest.raises(ValueError, match="no column emotion"):
        load_faces(laid({"test.csv": b"pixels\n1 2\n"}, tmp_path / "y") / "test.csv")


def test_arrays_as_people_save_them(some, tmp_path):
    test = some[some.usage == "PrivateTest"]
    words = np.array(EMOTIONS)
    training = some.training
    np.savez(
        tmp_path / "a.npz",
        x_train=training.x / 255,
        y_train=words[training.labels],
        x_test=test.images,
        y_test=words[test.labels],
    )
    wanted = training.join(test).fingerprint
    assert load_faces(tmp_path / "a.npz").fingerprint == wanted
    (tmp_path / "b").mkdir()
    np.save(tmp_path / "b/fdataX.npy", (training.x.astype(np.float32) - 127.5) / 127.5)
    np.save(tmp_path / "b/flabels.npy", np.eye(7)[training.labels])
    with pytest.raises(ValueError, match=r"numbers 0, 1, 2, 3, 4, 5, 6 alone"):
        load_faces(tmp_path / "b")
    assert load_faces(tmp_path / "b", names=EMOTIONS).fingerprint == training.fingerprint
    np.save(tmp_path / "b/third.npy", training.images)
    with pytest.raises(ValueError, match="one array of pictures .* and one of labels"):
        load_faces(tmp_path / "b")


def test_parquet_of_a_hub(some, tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet

    order = ("happy", "angry", "sad", "neutral", "fear", "surprise", "disgust")
    features = {"image": {"_type": "Image"}, "label": {"names": list(order), "_type": "ClassLabel"}}
    said = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for usage, name in (("Training", "train"), ("PrivateTest", "test")):
        part = some.part(usage)
        cells = [{"bytes": png(image), "path": None} for image in part.images]
        table = pa.Table.from_pandas(
            pd.DataFrame({"image": cells, "label": [order.index(EMOTIONS[k]) for k in part.labels]})
        )
        (tmp_path / "data").mkdir(exist_ok=True)
        pa.parquet.write_table(
            table.replace_schema_metadata(said), tmp_path / f"data/{name}-00000-of-00001.parquet"
        )
    read = load_faces(tmp_path / "data")
    assert read.fingerprint == some[some.usage != "PublicTest"].fingerprint


@pytest.mark.parametrize("cell", ["lists", "lists of grey", "lists of colours", "text"])
def test_parquet_with_pixels(some, tmp_path, cell):
    pytest.importorskip("pyarrow")
    kinds = {
        "lists": lambda image: image.tolist(),
        "lists of grey": lambda image: image[..., None].tolist(),
        "lists of colours": lambda image: np.stack([image] * 3, -1).tolist(),
        "text": lambda image: " ".join(map(str, image.ravel())),
    }
    cells = [kinds[cell](image) for image in some.training.images]
    assert parquet(tmp_path, cells, words_of(some.training)).fingerprint == some.training.fingerprint


def test_threads_that_read_at_once_open_one_archive(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as out:
        for number in range(40):
            out.writestr(f"{number}.txt", str(number))
    files, plain, opened = archive.ZipFiles(tmp_path / "a.zip"), zipfile.ZipFile, []

    def slowly(file):
        opened.append(file)
        time.sleep(0.05)
        return plain(file)

    monkeypatch.setattr(zipfile, "ZipFile", slowly)
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(files.__getitem__, files))
    assert len(opened) == 1 and read == [name.removesuffix(".txt").encode() for name in files]


@pytest.mark.parametrize(("where", "folder"), [("/", "/train/angry"), ("data", "data/train/angry")])
def test_names_in_a_folder_are_whole_also_at_the_root_of_a_drive(monkeypatch, where, folder):
    monkeypatch.setattr(os, "walk", lambda *_, **__: [(where, [], ["readme.txt"]), (folder, [], ["1.png"])])
    assert list(archive.FolderFiles(where)) == ["readme.txt", "train/angry/1.png"]


@pytest.mark.parametrize("labels", [[[0.5, 0.5, 0]], [[2, -1, 0]], [0.5], [np.inf], [np.nan]])
def test_numbers_that_are_no_labels_are_refused(tmp_path, labels):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 48, 48), np.uint8), y=np.array(4 * labels))
    with pytest.raises(ValueError, match="a.npz"):
        load_faces(tmp_path / "a.npz", allow_missing=True)


@pytest.mark.parametrize("gone", ["a picture", "a label", "a number"])
def test_rows_of_parquet_that_lack_something_are_left_out_by_name(some, tmp_path, gone):
    pytest.importorskip("pyarrow")
    training = some.training
    cells = [{"bytes": png(image)} for image in training.images]
    labels = words_of(training) if gone != "a number" else training.labels.tolist()
    (cells if gone == "a picture" else labels)[3] = None
    faces = parquet(tmp_path, cells, labels, names=EMOTIONS if gone == "a number" else None)
    assert len(faces) == len(training) - 1 and "x.parquet row 3" not in faces.files
    assert any(
        "1 rows without a picture or a label left out, the first is x.parquet row 3" in n.text
        for n in faces.notes
    )


@pytest.mark.parametrize(
    ("cell", "label", "told"),
    [
        ("happy/3.jpg", "sad", "row 1 has the text 'happy/3.jpg' in place of a picture"),
        ("1 2 256", "sad", "row 1 has the text '1 2 256'"),
        ("1 2 3", "sad", r"row 1 is no picture like the others .*\(3,\)"),
        ("7 " * 2304, [0, 1], r"label array\(\[0, 1\]\); a label is a word or a whole number"),
        ("7 " * 2304, 2.5, "label 2.5; a label is"),
    ],
)
def test_cells_of_parquet_that_are_none_are_named(tmp_path, cell, label, told):
    pytest.importorskip("pyarrow")
    good = "7 " * 2304
    with pytest.raises(ValueError, match=told):
        parquet(tmp_path, [good, cell, good], [label] * 3)


def parquet(folder, images, labels, **options):
    import pandas as pd

    pd.DataFrame({"image": images, "label": labels}).to_parquet(folder / "x.parquet")
    return load_faces(folder / "x.parquet", **options)


def words_of(faces):
    return [EMOTIONS[label] for label in faces.labels]


@pytest.mark.parametrize("shape", [(2304,), (2304, 1), (1, 2304), (1, 48, 48)])
def test_rows_of_pixels_are_pictures(some, tmp_path, shape):
    training = some.training
    words = np.array(EMOTIONS)[training.labels].astype(bytes)
    np.savez(tmp_path / "a.npz", x=training.images.reshape(-1, *shape), y=words)
    assert load_faces(tmp_path / "a.npz").fingerprint == training.fingerprint


def test_parquet_without_pyarrow_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("fer_kit.data.files.arrays.importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"train.parquet in .* is a Parquet table; pyarrow is not installed"
    ):
        load_faces(laid({"train.parquet": b"PAR1"}, tmp_path / "x"))


# ---- what is refused, and in which words ----


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LFS, "fer2013.zip is a placeholder|zip archive but a placeholder"),
        (b"<!DOCTYPE html>", "a web page in place of the file"),
        (b"Rar!\x1a\x07\0" + bytes(50), "a RAR archive: unpack it"),
        (b"PK\3\4" + bytes(50), "not a complete zip archive"),
        (b"PK\7\10PK\3\4" + bytes(50), "one part of a split archive: unpack all parts together"),
        (b"\0middle of a file", "the last part of a split one: unpack all|no kind of file"),
        (b"\x1f\x8b" + bytes(50), "is damaged"),
    ],
)
def test_what_lies_in_place_of_an_archive_is_named(content, words, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/fer2013.zip").write_bytes(content)
    for path in (tmp_path / "data/fer2013.zip", tmp_path / "data"):
        with pytest.raises(ValueError, match=words):
            load_faces(path)


def test_pictures_that_are_placeholders_are_an_error_for_all_who_read_them(some, tmp_path, capsys):
    folder = laid(dict.fromkeys(named(some, usual), LFS), tmp_path / "x")
    words = r"no readable picture among 40: the first, test/angry/4.png, is a placeholder of a few bytes"
    with pytest.raises(ValueError, match=words):
        load_faces(folder)
    with pytest.raises(ValueError, match=words):
        examine_path(folder)
    train = [
        "train",
        "kit-small",
        "--recipe",
        "kit-small",
        "--data",
        str(folder),
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(["doctor", str(folder)]) == 1
    assert main(train) == 2
    assert "is a placeholder" in capsys.readouterr().err


def test_a_password_is_asked_for_and_is_no_damage(some, tmp_path):
    path = zipped(named(some, usual), tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    place = 0
    while (place := content.find(b"PK\1\2", place)) >= 0:
        content[place + 8] |= 1
        place += 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.zip has a password .*unpack it with the password") as error:
        load_faces(path)
    assert "damage" not in str(error.value)


def linked(contents, target, name, to, kind):
    tarred(contents, target, "w")
    with tarfile.open(target, "a") as out:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = to
        out.addfile(info)
    return target


def test_no_file_of_a_tar_archive_is_dropped_unsaid(some, tmp_path):
    contents = named(some, usual)
    first, second, *_ = contents
    for number, twice in enumerate((first, f"./{first}")):
        target = tarred(contents, tmp_path / f"{number}.tar", "w")
        with tarfile.open(target, "a") as out:
            out.addfile(tarfile.TarInfo(twice))
        with pytest.raises(ValueError, match=f"holds 1 names twice, the first is {first}"):
            load_faces(target)
    folder, _, file = first.rpartition("/")
    around = f"../{folder.rpartition('/')[2]}/{file}"
    for kind, to in ((tarfile.LNKTYPE, first), (tarfile.SYMTYPE, file), (tarfile.SYMTYPE, around)):
        faces = load_faces(linked(contents, tmp_path / "linked.tar", f"{folder}/again.png", to, kind))
        assert len(faces) == len(some) + 1
        dangling = linked(contents, tmp_path / "dangling.tar", f"{folder}/again.png", "elsewhere.png", kind)
        with pytest.raises(ValueError, match="again.png as a link to what is not in it"):
            load_faces(dangling)


def test_nothing_is_written_into_a_dataset(some, tmp_path, monkeypatch, capsys):
    contents = named(some, usual)
    pictures = tmp_path / "pictures"
    laid(contents, pictures)
    (tmp_path / "link").symlink_to(pictures)
    before = sorted(pictures.rglob("*"))
    train = ["train", "kit-small", "--recipe", "kit-small", "--epochs", "1"]
    outs = (
        pictures,
        pictures / "train",
        pictures / "runs" / "new",
        tmp_path / "link",
        pictures / ".." / "pictures",
    )
    for out in outs:
        for command in (train, ["run", "--only", "00"]):
            assert main([*command, "--data", str(pictures), "--out", str(out)]) == 2
            assert "lies in the dataset" in capsys.readouterr().err
    monkeypatch.setenv("FER_DATA", str(pictures))
    assert main([*train, "--out", str(pictures)]) == 2
    assert sorted(pictures.rglob("*")) == before
    (tmp_path / "data").mkdir()
    archive = zipped(contents, tmp_path / "data" / "faces.zip")
    for path, out in ((archive.parent, archive.parent / "runs"), (archive, archive.parent), ("sample", "x")):
        check_outside(out, path)
    with pytest.raises(ValueError, match="Give another folder as out"):
        check_outside(archive.parent, archive.parent)


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "C:\\evil.png"])
def test_tar_archives_with_unsafe_names_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="unsafe name"):
        load_faces(tarred({name: b"x"}, tmp_path / "a.tar", "w"))


def test_bombs_are_refused(some, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_kit.data.files.archive.MAX_BYTES", 100_000)
    with pytest.raises(ValueError, match="unpacks to more than 100,000 bytes"):
        load_faces(laid({"a.csv.gz": gzip.compress(bytes(200_000))}, tmp_path / "x") / "a.csv.gz")
    bomb = zipped({"fer2013.csv": bytes(50)}, tmp_path / "0.zip")
    for depth in range(1, 6):
        bomb = zipped({"a.zip": bomb.read_bytes()}, tmp_path / f"{depth}.zip")
    with pytest.raises(ValueError, match="no faces in emotion folders|is no dataset"):
        load_faces(bomb)


def test_pictures_without_emotion_folders_are_told(some, tmp_path):
    flat = laid({f"KA.{n}.png": png(image) for n, image in enumerate(some.images)}, tmp_path / "x")
    with pytest.raises(
        ValueError, match=r"40 images in the top folder, which names none of the seven emotions"
    ):
        load_faces(flat)


# ---- words for usages ----


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("training_set", "validation_set", "test_set"),
        ("FER2013Train", "FER2013Valid", "FER2013Test"),
        ("01-Train", "02-Dev", "03-Testing"),
        ("train data", "public_test", "private_test"),
        ("images/train", "images/val", "images/test"),
    ],
)
def test_usages_in_other_words(some, tmp_path, train, val, test):
    word = {"Training": train, "PublicTest": val, "PrivateTest": test}
    assert (
        load_faces(laid(named(some, lambda e, u: f"{word[u]}/{e}"), tmp_path / "x")).fingerprint
        == some.fingerprint
    )
    turned = laid(named(some, lambda e, u: f"{e}/{word[u].rpartition('/')[2]}"), tmp_path / "y")
    assert load_faces(turned).fingerprint == some.fingerprint


def test_an_unknown_word_for_a_usage_is_named_and_the_known_are_listed(some, tmp_path):
    word = {"Training": "train", "PublicTest": "holiday", "PrivateTest": "test"}
    folder = laid(named(some, lambda e, u: f"{word[u]}/{e}"), tmp_path / "x")
    with pytest.raises(
        ValueError, match=r"'holiday' names no usage that the kit knows \(Training: train, "
    ) as error:
        load_faces(folder)
    assert "PublicTest: val, valid" in str(error.value)


@settings(max_examples=200, deadline=None)
@given(
    usage=st.sampled_from(USAGES),
    data=st.data(),
    before=st.sampled_from(["", "my_", "FER2013", "01-", "fer "]),
    after=st.sampled_from(["", "_set", "-data", " images", "2"]),
    case=st.sampled_from([str.lower, str.capitalize]),
)
def test_a_word_for_a_usage_is_known_among_others(usage, data, before, after, case):
    word = data.draw(st.sampled_from(USAGE_WORDS[usage]))
    assert usage_of(before + case(word) + after) == usage


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=string.ascii_letters + string.digits + "_- .", max_size=20))
def test_any_word_stands_for_a_usage_or_for_none(word):
    assert usage_of(word) in {None, *USAGES}
    if usage_of(word):
        assert any(known in word.lower() for known in USAGE_WORDS[usage_of(word)])


# ---- numbers ----


def test_numbers_are_refused_until_somebody_says_what_they_mean(some, tmp_path, capsys):
    folder = laid(named(some, lambda e, u: f"{SHORT[u]}/{RAF[e]}"), tmp_path / "DATASET")
    with pytest.raises(
        ValueError, match=r"numbers 1, 2, 3, 4, 5, 6, 7 alone.*RAF-DB: 1 surprise.*names=\('sur"
    ):
        load_faces(folder)
    assert load_faces(folder, names=NUMBERINGS["RAF-DB"][1]).fingerprint == some.fingerprint
    assert main(["doctor", str(folder)]) == 1
    assert "--names surprise,fear" in capsys.readouterr().err
    assert main(["doctor", str(folder), "--names", ",".join(NUMBERINGS["RAF-DB"][1])]) in (0, 1)
    assert '"no face' not in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"7 numbers .* and 2 names are given"):
        load_faces(folder, names=("happy", "sad"))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(EMOTIONS), start=st.integers(0, 12), width=st.sampled_from([1, 2, 4]))
def test_any_numbering_is_read_by_its_names_alone(some, tmp_path_factory, order, start, width):
    number = {emotion: str(start + k).zfill(width) for k, emotion in enumerate(order)}
    folder = laid(named(some, lambda e, u: f"{SHORT[u]}/{number[e]}"), tmp_path_factory.mktemp("numbers"))
    with pytest.raises(ValueError, match="numbers"):
        load_faces(folder)
    assert load_faces(folder, names=order).fingerprint == some.fingerprint


def test_pixels_that_are_no_numbers_are_left_out_by_row(some, tmp_path):
    pixels = some.training.x.astype(np.float32) / 255
    words = np.array(EMOTIONS)[some.training.labels]
    pixels[2, 5, 5] = np.nan
    pixels[4] = np.inf
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=words)
    read = load_faces(tmp_path / "a.npz", allow_missing=True)
    rows = np.setdiff1d(np.arange(len(words)), [2, 4])
    assert read.fingerprint == some.training[rows].fingerprint
    assert any("2 unreadable images left out, the first is x_train.npy row 2" in str(n) for n in read.notes)
    np.savez(tmp_path / "b.npz", x_train=pixels * np.nan, y_train=words)
    with pytest.raises(ValueError, match="x_train.npy has no readable picture among .* no numbers"):
        load_faces(tmp_path / "b.npz")


def test_a_dataset_without_faces_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros((0, 48, 48), np.uint8), y_train=np.array([], str))
    with pytest.raises(ValueError, match="a.npz holds no faces"):
        load_faces(tmp_path / "a.npz")


def test_folders_in_another_language_are_named(some, tmp_path):
    words = dict(
        zip(EMOTIONS, ("wut", "ekel", "angst", "freude", "trauer", "staunen", "neutral"), strict=True)
    )
    contents = named(some, lambda e, u: f"{SHORT[u]}/{words[e]}")
    with pytest.raises(ValueError, match="neutral alone beside images in the folder 'angst'.*Rename"):
        load_faces(laid(contents, tmp_path / "x"))


def test_an_eighth_emotion_is_left_out_by_name(some, tmp_path):
    first, order = NUMBERINGS["CK+"]
    contents = named(some, lambda e, u: f"{SHORT[u]}/{first + order.index(e)}")
    contents["train/2/more.png"] = png(some.images[0])
    read = load_faces(laid(contents, tmp_path / "x"), names=order)
    assert read.fingerprint == some.fingerprint
    assert any("1 faces of contempt" in note.text for note in read.notes)


@pytest.mark.parametrize("names", [("colère",) * 7, ("a", "b", "c", "d", "e", "f", "g"), ("contempt",) * 7])
def test_names_that_leave_no_face_are_what_is_wrong(some, tmp_path, names):
    laid(named(some, lambda e, u: f"{SHORT[u]}/{EMOTIONS.index(e)}"), tmp_path / "x")
    with pytest.raises(
        ValueError, match=f"holds no faces: 40 faces of .*{names[0]}.*none of the seven"
    ) as error:
        load_faces(tmp_path / "x", names=names)
    assert "fetch" not in str(error.value)


def test_names_for_folders_that_have_some_are_refused(some, tmp_path):
    folder = laid(named(some, usual), tmp_path / "x")
    some.save(tmp_path / "saved.npz")
    for path in (folder, tmp_path / "saved.npz", "sample"):
        with pytest.raises(ValueError, match="names its emotions itself"):
            load_faces(path, names=EMOTIONS)


def test_fer2013s_own_faces_tell_what_their_numbers_mean(real_archive, tmp_path):
    few = load_faces(real_archive).per_usage(200)
    folder = laid(named(few, lambda e, u: f"{SHORT[u]}/{RAF[e]}"), tmp_path / "x")
    read = load_faces(folder, allow_missing=True)
    assert read.fingerprint == few.fingerprint
    assert any("told by the faces" in note.text for note in read.notes)


# ---- fewer emotions ----


def test_five_emotions_are_a_dataset_of_five_emotions(some, tmp_path):
    five = some.drop("fear").drop("disgust")
    pictures = {n: c for n, c in named(some, usual).items() if "fear" not in n and "disgust" not in n}
    read = load_faces(laid(pictures, tmp_path / "x"))
    assert read.names == five.names and read.fingerprint == five.fingerprint
    assert any("no face is disgust or fear" in note.text for note in read.notes)
    assert find_dataset(tmp_path / "x") == tmp_path / "x"
    assert examine_path(tmp_path / "x").has("empty-emotion")


def test_saved_faces_come_back_as_they_were(some, tmp_path):
    targets = np.full((len(some), 7), 1 / 7, np.float32)
    soft = FaceSet(some.images, some.labels, some.usage, files=some.files, targets=targets)
    soft.save(tmp_path / "a.npz")
    assert load_faces(tmp_path / "a.npz").fingerprint == soft.fingerprint != some.fingerprint


def test_linked_folders_are_read_and_no_link_is_walked_for_ever(some, tmp_path, monkeypatch):
    whole = load_faces(laid(named(some, usual), tmp_path / "whole"))
    (tmp_path / "linked").mkdir()
    for usage in SHORT.values():
        (tmp_path / "linked" / usage).symlink_to(tmp_path / "whole" / usage)
    (tmp_path / "whole" / SHORT["Training"] / "happy" / "back").symlink_to(tmp_path / "whole")
    monkeypatch.chdir(tmp_path / "whole" / SHORT["Training"])
    for folder in (tmp_path / "linked", tmp_path / "whole", "..", "../../linked"):
        assert load_faces(folder).fingerprint == whole.fingerprint


def test_a_folder_that_cannot_be_listed_is_named(some, tmp_path, monkeypatch):
    dataset = laid(named(some, usual), tmp_path / "x")
    whole = load_faces(dataset)
    locked = [dataset / ".Trash-1000", dataset / "lost+found"]
    for folder in locked:
        folder.mkdir()
    real = os.scandir

    def scandir(path):
        if Path(path) in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert load_faces(dataset).fingerprint == whole.fingerprint
    locked.append(dataset / SHORT["PrivateTest"])
    with pytest.raises(PermissionError, match=f"Permission denied: '{re.escape(str(locked[-1]))}'"):
        load_faces(dataset)


@pytest.mark.skipif(sys.platform != "linux", reason="names have to be UTF-8 here")
def test_archives_of_any_name_are_read_and_leave_one_cache_each(some, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    for name in (b"fer[1].csv", b"M\xfcller.csv"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        for count in (30, 35):
            path.write_bytes(csv(some[:count]))
            assert len(load_faces(path, allow_missing=True)) == count
    assert len(list((tmp_path / "cache").iterdir())) == 2
