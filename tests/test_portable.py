"""`.keras` files of a newer Keras: what an older one does not know is left out, and said where it matters."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_kit.models import pretrained, zoo
from fer_kit.models.portable import NEWER, copy_portable, portable_config, written_by
from fer_kit.training.loop import fit


def keys_of(path):
    """All keys at any depth of the configuration in a `.keras` file."""
    with zipfile.ZipFile(path) as stored:
        waiting, keys = [json.loads(stored.read("config.json"))], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            keys |= set(node)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return keys


def edit_config(source, target, change):
    """Copy a `.keras` file with its configuration, as text, changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, change(content.decode()) if entry.filename == "config.json" else content)


@pytest.mark.parametrize("name", pretrained.shipped())
def test_shipped_weights_hold_no_key_of_a_newer_keras(name):
    assert not keys_of(pretrained.WEIGHTS / f"{name}.keras") & set(NEWER)


def test_what_fit_keeps_is_portable(few, tmp_path):
    run = fit("kit-small", few, "kit-small", tmp_path / "run", epochs=1)
    assert not keys_of(run.folder / "best.keras") & set(NEWER)


def test_only_defaults_are_left_out():
    config = {"a": [{"renorm": False, "renorm_momentum": 0.99}, {"renorm": True}], "input_axes": [0]}
    assert json.loads(portable_config(json.dumps(config))) == {"a": [{}, {"renorm": True}], "input_axes": [0]}


def test_a_copy_answers_alike(tmp_path, faces):
    model = zoo.build("kit-small")
    model.save(tmp_path / "new.keras")
    copy_portable(tmp_path / "new.keras", tmp_path / "old.keras")
    read = pretrained.load_model(tmp_path / "old.keras")
    np.testing.assert_array_equal(*(m.predict(faces.x[:8], verbose=0) for m in (model, read)))


def test_a_file_takes_its_own_place_when_it_is_closed(tmp_path, monkeypatch):
    """Windows replaces no file that is open."""
    path = tmp_path / "model.keras"
    zoo.build("kit-small").save(path)
    plain, opened, found = zipfile.ZipFile, [], []
    monkeypatch.setattr(zipfile, "ZipFile", lambda *args: opened.append(plain(*args)) or opened[-1])
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda *args: found.append(opened[0].fp) or replace(*args))
    copy_portable(path, path)
    assert found == [None], "the source is open while it is replaced"


def test_a_file_of_a_newer_keras_is_read(tmp_path, monkeypatch):
    """Seen from a Keras that does not know a key: here a key that no Keras knows stands for it."""
    from fer_kit.models import portable

    monkeypatch.setitem(portable.NEWER, "of_the_future", None)
    zoo.build("kit-small").save(tmp_path / "plain.keras")
    edit_config(
        tmp_path / "plain.keras",
        tmp_path / "future.keras",
        lambda text: text.replace('"filters"', '"of_the_future": null, "filters"'),
    )
    with pytest.raises(Exception, match="of_the_future"):
        keras.saving.load_model(tmp_path / "future.keras")
    assert pretrained.load_model(tmp_path / "future.keras").count_params()


def test_an_unreadable_file_names_both_versions_in_few_words(tmp_path):
    zoo.build("kit-small").save(tmp_path / "plain.keras")
    edit_config(
        tmp_path / "plain.keras",
        tmp_path / "strange.keras",
        lambda text: text.replace('"filters"', '"unheard_of": 1, "filters"'),
    )
    with pytest.raises(
        ValueError, match=rf"strange.keras cannot be read .*written by Keras {keras.__version__}, read by"
    ) as raised:
        pretrained.load_model(tmp_path / "strange.keras")
    assert len(str(raised.value)) < 800


def test_a_file_of_a_newer_keras_that_needs_it_asks_for_that_keras(tmp_path):
    zoo.build("kit-small").save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as old, zipfile.ZipFile(tmp_path / "n.keras", "w") as new:
        for entry in old.infolist():
            content = old.read(entry).decode() if entry.filename.endswith("json") else old.read(entry)
            if entry.filename == "metadata.json":
                content = json.dumps({"keras_version": "3.99.0"})
            elif entry.filename == "config.json":
                content = content.replace('"filters"', '"unheard_of": 1, "filters"')
            new.writestr(entry, content)
    with pytest.raises(ValueError, match=r"install keras>=3\.99\.0"):
        pretrained.load_model(tmp_path / "n.keras")


@pytest.mark.parametrize("content", [b"", b"PK", b"hello"])
def test_what_is_no_model_has_no_version(tmp_path, content):
    (tmp_path / "no.keras").write_bytes(content)
    assert written_by(tmp_path / "no.keras") is None
    with pytest.raises(ValueError, match="no.keras cannot be read as a Keras model"):
        pretrained.load_model(tmp_path / "no.keras")
