"""Writing: what the kit wrote it may replace and delete, and nothing else."""

import pytest

from fer_kit.runtime import settings
from fer_kit.runtime.files import Written, check_free, claim, replacing
from fer_kit.runtime.settings import choose_seed


@pytest.fixture
def written(tmp_path):
    """The kit's list in a folder that holds a file of somebody's."""
    (tmp_path / "theirs.png").write_bytes(b"theirs")
    return Written(tmp_path)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != Written.LIST}


def test_the_kits_own_files_are_replaced_also_by_a_later_run(written):
    written.write("a.png", b"one")
    Written(written.folder).write("a.png", b"two")
    assert contents(written.folder) == {"a.png": b"two", "theirs.png": b"theirs"}


@pytest.mark.parametrize("change", ["foreign", "edited", "swapped", "listed nowhere"])
def test_what_the_kit_did_not_write_is_neither_replaced_nor_deleted(written, change):
    written.write("a.png", b"kit's")
    path = written.folder / ("theirs.png" if change == "foreign" else "a.png")
    if change == "edited":
        path.write_bytes(b"kit's, and mine")
    if change == "swapped":
        (written.folder / "theirs.png").replace(path)
    if change == "listed nowhere":
        (written.folder / Written.LIST).unlink()
    before = contents(written.folder)
    again = Written(written.folder)
    with pytest.raises(FileExistsError, match=f"{path.name} was not written by fer_kit.*overwrite"):
        again.write(path.name, b"new")
    again.keep_only("*.png" if change != "foreign" else "theirs*", ())
    assert contents(written.folder) == before
    Written(written.folder, overwrite=True).write(path.name, b"new")
    assert path.read_bytes() == b"new"


def test_only_old_files_of_the_kits_list_are_deleted(written):
    for name in ("03-old.png", "03-new.png", "04-old.png"):
        written.write(name, name.encode())
    (written.folder / "03-mine.png").write_bytes(b"mine")
    written.keep_only("03-*.png", {"03-new.png"})
    assert set(contents(written.folder)) == {"03-new.png", "03-mine.png", "04-old.png", "theirs.png"}


def test_a_kill_between_list_and_file_makes_no_stranger(written):
    written.write("a.png", b"one")
    written.write("a.png", b"two")
    (written.folder / "a.png").write_bytes(b"one")  # as if the second writing had ended after the list
    Written(written.folder).write("a.png", b"three")
    assert (written.folder / "a.png").read_bytes() == b"three"


def test_only_a_folder_of_the_kits_own_is_emptied(tmp_path):
    from maintain.setups import empty

    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("theirs")
    (tmp_path / "says so").mkdir()
    (tmp_path / "says so" / "setup.txt").write_text("mine")
    for folder in ("theirs", "says so"):
        with pytest.raises(FileExistsError, match="holds other things"):
            empty(tmp_path / folder)
    assert (tmp_path / "theirs" / "thesis.txt").read_text() == "theirs"
    empty(tmp_path / "new")
    (tmp_path / "new" / "left over").write_text("")
    empty(tmp_path / "new")
    assert set(contents(tmp_path / "new")) == {"setup.txt"}
    with pytest.raises(FileExistsError, match="holds other things"):
        claim(tmp_path / "new", "site.txt", "another's")


def test_a_name_is_free_or_said_to_be_taken(tmp_path):
    check_free(tmp_path / "new")
    (tmp_path / "taken").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    for name in ("taken", "dangling"):
        with pytest.raises(FileExistsError, match=f"{name} is there already.*overwrite"):
            check_free(tmp_path / name)
        check_free(tmp_path / name, overwrite=True)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_free(tmp_path, overwrite=True)


def test_a_file_that_only_looks_like_a_partial_one_is_left_alone(tmp_path):
    (tmp_path / "film.partial").write_text("mine")
    with replacing(tmp_path / "film") as file:
        file.write(b"kit's")
    assert (tmp_path / "film.partial").read_text() == "mine"


def test_runs_lie_under_data_and_profile(faces, monkeypatch, tmp_path):
    monkeypatch.setenv("FER_OUT", str(tmp_path))
    here = settings.output_dir(faces)
    assert here.parent.parent == tmp_path and here.name == "smoke"
    assert here.parent.name == f"built-in-sample-{faces.fingerprint[:8]}"
    other_data = settings.output_dir(faces[:-1])
    monkeypatch.setenv("FER_PROFILE", "lab")
    assert len({here, other_data, settings.output_dir(faces)}) == 3
    assert settings.output_dir(faces, "smoke") == here and settings.output_dir() == tmp_path
    monkeypatch.setenv("FER_SEED", "7")
    assert settings.output_dir(faces, "smoke") == here.with_name("smoke-seed-7")
    assert settings.choose_seed() == 7 and settings.choose_seed(0) == 0


@pytest.mark.parametrize("text", ["", "-1", "1.5", "one", "2147483648", " 3", "²"])
def test_a_seed_from_outside_leaves_room_for_others_above_it(monkeypatch, text):
    monkeypatch.setenv("FER_SEED", text)
    with pytest.raises(ValueError, match="FER_SEED is .*; set it to a whole number from 0 to 2147483647"):
        settings.choose_seed()


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left on device: '.*a.txt'"), replacing(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError, match="^another reason$"), replacing(tmp_path / "a.txt"):
        raise OSError("another reason")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [-1, 2**32, 99_999_999_999])
def test_a_seed_that_numpy_does_not_take_is_named(seed):
    with pytest.raises(ValueError, match=f"the seed is {seed}; give a whole number from 0 to 4294967295"):
        choose_seed(seed)
