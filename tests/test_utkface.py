"""The UTKFace format: gender labels, and names that lack a field."""

import zipfile

import cv2
import numpy as np
import pytest

from fer_kit.data.utkface import load_utkface, people


def archive(tmp_path, names):
    path = tmp_path / "utk.zip"
    picture = cv2.imencode(".jpg", np.full((64, 64), 120, np.uint8))[1].tobytes()
    with zipfile.ZipFile(path, "w") as out:
        for name in names:
            out.writestr(f"UTKFace/{name}", picture)
    return path


def test_reads_gender_age_and_group_and_counts_what_it_skips(tmp_path):
    names = [
        "25_0_2_20170116174525125.jpg.chip.jpg",
        "39_1_20170116174525125.jpg.chip.jpg",
        "61_1_4_2017.jpg",
    ]
    faces = load_utkface(archive(tmp_path, names))
    assert faces.names == ("male", "female")
    assert faces.labels.tolist() == [0, 1]
    assert "1 files whose names lack a field left out, the first is UTKFace/39_1_2017" in faces.notes[0].text
    table = people(faces)
    assert table["age"].tolist() == [25, 61]
    assert table["group"].tolist() == ["Asian", "other"]


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no files named <age>_<gender>_<race>_<date>.jpg"):
        load_utkface(archive(tmp_path, ["portrait.jpg"]))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_utkface(tmp_path / "nowhere.zip")


def test_real_archive(real_archive):
    path = real_archive.with_name("utkface64.zip")
    if not path.exists():
        pytest.skip(f"no UTKFace at {path}")
    faces = load_utkface(path)
    assert len(faces) == 23704
    assert "3 files" in faces.notes[0].text
