"""The csv reader agrees with a plain one on every valid file and names the line of every fault."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_kit.data.files.csv import read_csv
from fer_kit.data.loading import load_faces

HEADER = "emotion,pixels,Usage\n"
GOOD = " ".join(["7"] * 2304)


def write(tmp_path, *rows, header=HEADER):
    path = tmp_path / "fer2013.csv"
    path.write_text(header + "\n".join(rows) + "\n")
    return path


def row(emotion=3, pixels=GOOD, usage="Training"):
    return f"{emotion},{pixels},{usage}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5), ending=st.sampled_from(["\n", "\r\n"]))
def test_reads_what_was_written(tmp_path, seed, count, ending):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 48, 48), np.uint8)
    labels, usage = rng.integers(0, 7, count), rng.choice(["Training", "PublicTest", "PrivateTest"], count)
    rows = [row(k, " ".join(map(str, i.ravel())), u) for i, k, u in zip(images, labels, usage, strict=True)]
    path = tmp_path / "fer2013.csv"
    path.write_bytes((HEADER.strip() + ending + ending.join(rows) + ending).encode())
    read = read_csv(path)
    assert np.array_equal(read[0], images)
    assert np.array_equal(read[1], labels)
    assert np.array_equal(read[2], usage)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet='0123456789 ,.-+\t"aTrining\n', max_size=40), place=st.integers(0, 2303))
def test_any_change_of_a_row_is_read_as_numbers_or_refused_by_line(tmp_path, text, place):
    numbers = GOOD.split()
    numbers[place] = text
    try:
        images, _, _ = read_csv(write(tmp_path, row(), row(pixels=" ".join(numbers))))
    except ValueError as error:
        assert "fer2013.csv, line" in str(error)
    else:
        assert images[1].ravel()[place] == int(text.strip().strip('"'))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(pixels=GOOD[:-2]), "has 2,303 pixels, not 2,304"),
        (row(pixels=GOOD + " 1"), "has 2,305 pixels"),
        (row(pixels=GOOD[:-1] + "256"), "pixel 2303 is '256', not a number from 0 to 255"),
        (row(pixels="-1" + GOOD[1:]), "pixel 0 is '-1'"),
        (row(pixels="1100" + GOOD[1:]), "pixel 0 is '1100'"),
        (row(pixels="T100" + GOOD[1:]), "pixel 0 is 'T100'"),
        (row(pixels="100.100" + GOOD[3:]), "has 2,303 pixels"),
        (row(pixels="7.5" + GOOD[1:]), "pixel 0 is '7.5'"),
        (row(pixels=""), "has 0 pixels"),
        (row(emotion=9), "emotion is '9', not a code from 0 to 6"),
        (row(emotion="happy"), "emotion is 'happy'"),
        (row(usage="Testing"), "Usage is 'Testing', not one of Training, PublicTest, PrivateTest"),
        ("3," + GOOD, "has 2 columns"),
        ("", "has 1 columns"),
    ],
)
def test_a_bad_row_is_named(tmp_path, bad, message):
    with pytest.raises(ValueError, match=r"fer2013.csv, line 3: ") as error:
        read_csv(write(tmp_path, row(), bad, row()))
    assert message in str(error.value)


def test_blank_lines_may_end_the_file_alone(tmp_path):
    assert len(read_csv(write(tmp_path, row(), row(), "", " ", ""))[0]) == 2
    with pytest.raises(ValueError, match=r"line 3: has 1 columns"):
        read_csv(write(tmp_path, row(), "", "", row()))


def test_a_row_that_lacks_what_the_next_has_too_much_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"line 2: has 2,303 pixels"):
        read_csv(write(tmp_path, row(pixels=GOOD[:-2]), row(pixels=GOOD + " 1")))


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("emotion,Usage\n", [], "no column pixels"),
        ("", ["hello"], "no column emotion and no column pixels and no column usage"),
        (HEADER, [], "has a header and no rows"),
    ],
)
def test_bad_files(tmp_path, header, rows, message):
    with pytest.raises(ValueError, match=message):
        read_csv(write(tmp_path, *rows, header=header))


def test_empty_file(tmp_path):
    (tmp_path / "fer2013.csv").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        read_csv(tmp_path / "fer2013.csv")


@pytest.mark.parametrize("separator", [";", "\t", ", "])
def test_cells_may_be_parted_by_semicolons_or_tabs(tmp_path, separator):
    lines = [
        line.replace(",", separator) for line in (HEADER.strip(), row(), row(emotion=4, usage="PublicTest"))
    ]
    for folder in ("file", "folder"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fer2013.csv").write_text("\n".join(lines))
    read = read_csv(tmp_path / "file" / "fer2013.csv")
    assert (
        (read[0] == 7).all() and read[1].tolist() == [3, 4] and read[2].tolist() == ["Training", "PublicTest"]
    )
    assert len(load_faces(tmp_path / "folder", allow_missing=True)) == 2


@pytest.mark.parametrize("first", ["label,pixels,usage", "3,7 7 7,Training", "emotion|pixels|Usage"])
def test_a_csv_alone_in_a_folder_or_an_archive_is_what_is_wrong(tmp_path, first):
    (tmp_path / "x").mkdir()
    write(tmp_path / "x", row(), header=f"{first}\n")
    shutil.make_archive(tmp_path / "y", "zip", tmp_path / "x")
    for path in (tmp_path / "x", tmp_path / "y.zip"):
        with pytest.raises(ValueError, match=r"fer2013.csv has no column emotion.*first line must be"):
            load_faces(path)


def test_a_long_cell_is_not_quoted_as_a_whole(tmp_path):
    with pytest.raises(ValueError, match=r"emotion is '7 7 7.*\.\.\.'") as error:
        read_csv(write(tmp_path, row(emotion=GOOD, pixels=3)))
    assert len(str(error.value)) < 300


def test_columns_in_another_order_with_spaces_quotes_and_leading_zeros(tmp_path):
    path = write(
        tmp_path, f'"4"," PublicTest","{GOOD.replace("7", "007", 1)}"', header='"emotion", Usage," pixels"\n'
    )
    images, labels, usage = read_csv(path)
    assert (images == 7).all()
    assert (labels.tolist(), usage.tolist()) == ([4], ["PublicTest"])


def test_loads_as_faces_that_know_their_lines(tmp_path):
    path = write(tmp_path, *(row(k % 7) for k in range(14)))
    faces = load_faces(path, cache=False)
    assert len(faces) == 14
    assert faces.files[0] == "line 2"


@pytest.mark.parametrize("name", ["emotion", "pixels", "Usage"])
def test_of_two_columns_of_one_name_none_is_chosen(tmp_path, name):
    path = write(tmp_path, row() + ",4", header=f"emotion,pixels,Usage,{name}\n")
    with pytest.raises(ValueError, match=f"several columns {name.lower()}"):
        read_csv(path)
