"""The table and figures of the reports, made from records."""

import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import maintain.gallery.page as drawing
from fer_kit.data.emotions import EMOTIONS
from fer_kit.models.backbones import load_backbone
from fer_kit.runtime.files import write_json
from fer_kit.studies import reproduction
from fer_kit.studies.reproduction import (
    AS_REPORTED,
    EXPERIMENTS,
    MURPHY,
    attempts,
    kit_vote,
    result_table,
    runs_of,
)
from fer_kit.training import callbacks
from fer_kit.training.records import RECORDS, Run
from maintain import murphy
from maintain.animation import animation
from maintain.gallery.drawing import Drawn
from maintain.gallery.from_records import of_classical, of_murphy, of_tuning
from maintain.gallery.page import figures, result_rows
from maintain.tracking import keep_speed

TWINS = 703
"""Training faces with a pixel-identical twin in PublicTest or PrivateTest; test_dataset.py counts them."""

BY_ID = {experiment.report_id: experiment for experiment in EXPERIMENTS}


def write_record(folder, model, recipe, epochs, accuracies, private=None, seed=0, variant=()):
    """A finished record with a history and, where `private` is given, a PrivateTest score."""
    without = {"without_twins": True} if recipe.startswith("kit-") else {}
    config = {
        "model": model,
        "variant": dict(variant),
        "recipe": {"name": recipe, "epochs": epochs, "monitor": "val_accuracy"} | without,
        "seed": seed,
    }
    write_json(folder / "config.json", config)
    dataset = {"source": "fer2013.zip", "fingerprint": "e9833f7aead18f9c"}
    said = {"dataset": dataset, "selected_on": "PublicTest", "emotions": list(EMOTIONS), "profile": "full"}
    write_json(
        folder / "provenance.json", said | {"seed": seed, "versions": {"keras": "3"}, "device": "a CPU"}
    )
    rows = {"accuracy": accuracies, "val_accuracy": accuracies, "loss": 1.0, "val_loss": 1.0, "seconds": 60.0}
    pd.DataFrame(rows, index=pd.RangeIndex(1, len(accuracies) + 1, name="epoch")).to_csv(
        folder / "history.csv"
    )
    scores = {}
    if private:
        confusion = (np.eye(7, dtype=int) * 10 + 1).tolist()
        more = {"macro_f1": 0.5, "calibration_error": 0.1, "confusion": confusion}
        scores["PrivateTest"] = {"accuracy": private, "accuracy_twin_free": private - 0.01, **more}
        scores["PrivateTest"]["interval"] = [private - 0.02, private + 0.02]
    write_json(
        folder / "metrics.json",
        {"status": "finished", "scores": scores, "private_test_scored": bool(private)},
    )


@pytest.fixture
def records(tmp_path):
    records = tmp_path / "records"
    write_record(records / "short", "hejslet-light", "hejslet", 2, [0.2, 0.3], 0.3)
    write_record(records / "long", "hejslet-light", "hejslet", 3, [0.3, 0.6, 0.5], 0.58)
    write_record(records / "long-1", "hejslet-light", "hejslet", 3, [0.3, 0.4, 0.5], 0.54, seed=1)
    write_record(records / "other-recipe", "hejslet-light", "zhao", 9, [0.9], 0.9)
    return records


def test_the_table_takes_the_longest_runs_of_the_reports_recipe_and_averages_seeds(records):
    row = result_table(records).loc["hejslet-light"]
    assert np.isnan(row.report) and row.seeds == 2 and row.record == "long"
    assert row["chosen on"] == pytest.approx(0.55) and row.PrivateTest == pytest.approx(0.56)
    assert (row.low, row.high) == pytest.approx((0.54, 0.58))


def test_a_reports_number_stands_beside_the_record_that_is_nearest_to_it(records):
    assert result_table(records).loc["hejslet-light (7 x 5,000)"].dropna().to_dict() == {"report": 0.643}
    write_record(records / "studies/balanced-light", "hejslet-light", "hejslet", 2, [0.6, 0.61], 0.62)
    table = result_table(records)
    row = table.loc["hejslet-light (7 x 5,000)"]
    assert (row.report, row.PrivateTest, row.record) == (0.643, 0.62, "studies/balanced-light")
    rows = list(table.index)
    assert rows.index("hejslet-light (7 x 5,000)") == rows.index("hejslet-light") + 1
    large = result_table().loc["hejslet-large (7 x 5,000)"]
    assert large.report == 0.63 and large["chosen on"] > 0.6 and large.PrivateTest > 0.6


def test_murphys_rows_name_the_backbone_that_learned_them(records):
    assert {"murphy-base", "murphy-finetune"} <= set(result_table(records).index)
    assert not list(of_murphy(records))
    lite = {"backbone": "EfficientNetLite0", "size": 224}
    write_record(
        records / "murphy-base", "EfficientNetLite0", "murphy-base", 2, [0.4, 0.5], 0.45, variant=lite
    )
    table = result_table(records)
    assert "murphy-base" not in table.index
    row = table.loc["murphy-base (EfficientNetLite0, 224 px)"]
    assert (row.report, row["chosen on"], row.PrivateTest) == (0.4414, 0.5, 0.45)
    shown = list(of_murphy(records))
    assert all("EfficientNetLite0 at 224 pixels" in caption for _, caption, *_ in shown[:2])
    drawn = [report_id for report_id, *_ in shown]
    assert drawn == ["murphy-base", "murphy-base", "murphy-fig5", "murphy-results"]
    plt.close("all")


def test_a_network_that_knows_imagenet_is_named_so_and_never_votes_as_one_without_extra_data(records):
    lite = {"backbone": "EfficientNetLite0", "size": 96}
    folder = records / "kit-transfer"
    write_record(folder, "EfficientNetLite0", "kit-transfer", 2, [0.6, 0.7], 0.75, variant=lite)
    table = result_table(records)
    assert table.loc["kit-transfer (EfficientNetLite0, 96 px)"].PrivateTest == 0.75
    assert "kit-transfer" not in table.index
    assert all(run.config["model"] != "EfficientNetLite0" for run in kit_vote())
    with_it = [run.config["model"] for run in kit_vote(extra_data=True)]
    row = "kit-vote with kit-transfer" in result_table().index
    assert row == ("EfficientNetLite0" in with_it)


def test_the_vote_with_extra_data_is_asked_for_by_name(monkeypatch):
    """kit-compact's record stands for the transferred network: a record that really votes."""
    by_name = {experiment.report_id: experiment for experiment in reproduction.KIT_NETWORKS}
    monkeypatch.setattr(reproduction, "KIT_TRANSFER", by_name.pop("kit-compact-taught"))
    monkeypatch.setattr(reproduction, "KIT_NETWORKS", tuple(by_name.values()))
    extra = {"kit-compact-taught"}
    assert not extra & {run.folder.name for run in kit_vote()}
    assert extra <= {run.folder.name for run in kit_vote(extra_data=True)}


def test_a_network_without_a_record_keeps_its_row(records, tmp_path):
    table = result_table(records)
    names = []
    for name in BY_ID:
        nearer = [f"{name} ({AS_REPORTED[name][0]})"] if name in AS_REPORTED else []
        names += [name, *nearer]
    reports = names.index("kit-small")  # murphy's rows follow those of the other reports
    assert list(table.index) == [*names[:reports], *MURPHY, *names[reports:]]
    assert np.isnan(table.PrivateTest["zhao-cnn"])
    assert runs_of(BY_ID["zhao-cnn"], records) == []
    assert "| zhao-cnn | 57.15% | – | – |" in result_rows(result_table(tmp_path / "no records at all"))


def test_attempts_are_all_records_of_a_network_studies_too_best_first():
    tried = attempts("kit-best")
    assert tried.PublicTest.is_monotonic_decreasing
    assert tried.augmentation[["kit-best", "kit-best-light"]].tolist() == ["strong", "light"]
    assert tried.teacher[["kit-best-taught", "kit-best-strong"]].tolist() == [0.7, 0]
    assert (tried["weight decay"] > 0).all() and "kit-compact" not in tried.index
    with pytest.raises(ValueError, match="no record of 'kit-bets'.*kit-best, kit-compact"):
        attempts("kit-bets")


def test_a_run_that_has_not_finished_is_no_result(records):
    path = records / "long" / "metrics.json"
    write_json(path, json.loads(path.read_text()) | {"status": "interrupted"})
    assert result_table(records).record["hejslet-light"] == "long-1"


def test_a_damaged_record_and_one_that_saw_private_test_block_no_other(records):
    whole = result_table(records).loc["hejslet-light"]
    write_record(records / "peeked", "hejslet-light", "hejslet", 9, [0.9], 0.9)
    about = json.loads((records / "peeked" / "provenance.json").read_text())
    write_json(records / "peeked" / "provenance.json", about | {"selected_on": "PublicTest + PrivateTest"})
    for name, part in (("cut", "metrics.json"), ("list", "provenance.json"), ("gap", "history.csv")):
        write_record(records / name, "hejslet-light", "hejslet", 9, [0.9, 0.8], 0.9)
        path = records / name / part
        path.write_text("[1]" if name == "list" else path.read_text().replace("\n1,", "\n3,")[:-20])
    with pytest.warns(UserWarning, match="left out of the results") as told:
        assert result_table(records).loc["hejslet-light"].equals(whole)
    named = " ".join(str(one.message) for one in told)
    assert all(f"{name}" in named for name in ("peeked was selected on PrivateTest", "cut", "list", "gap"))


def test_the_vote_is_the_mean_of_the_kits_networks_that_publictest_chose(records):
    assert kit_vote(records) == []
    members, row = kit_vote(), result_table().loc["kit-vote"]
    assert all(run.config["recipe"]["name"].startswith("kit-") for run in members)
    assert row.record == " + ".join(run.folder.name for run in members)
    stored = [run.private_predictions for run in members]
    mean = np.mean([one["probabilities"] for one in stored], axis=0)
    assert row.PrivateTest == np.mean(mean.argmax(1) == stored[0]["labels"])


def test_every_figure_has_a_sidecar_and_stands_on_the_page(records, tmp_path):
    out = tmp_path / "figures"
    count = figures(out, records)
    pictures = sorted(path.stem for path in out.glob("*.png"))
    assert len(pictures) == count and {
        "hejslet-light",
        "hejslet-light-2",
        "choudhari-fig3",
        "results",
    } <= set(pictures)
    page = (out / "README.md").read_text()
    assert "| vote of eight (Pramerdorfer & Kampel 2016) | – | – | 75.2% |" in page
    for stem in pictures:
        about = json.loads((out / f"{stem}.json").read_text())
        assert f"]({stem}.png)" in page and about["caption"] in page
    about = json.loads((out / "hejslet-light.json").read_text())
    assert about["record"] == "long" and about["profile"] == "full" and about["dataset"]["fingerprint"]


@pytest.mark.parametrize("name", ["README.md", "zhao-fig1.png", "zhao-fig1.json"])
def test_figures_write_over_nothing_of_somebodys(tmp_path, monkeypatch, name):
    drawn = Drawn("zhao-fig1", "A framework.", plt.figure(figsize=(1, 1)), {"dataset": "none"})
    monkeypatch.setattr(drawing, "draw_all", lambda records: iter([drawn]))
    (tmp_path / name).write_text("somebody's")
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(FileExistsError, match=f"{name} is there already.*overwrite=True"):
        figures(tmp_path, tmp_path)
    assert (tmp_path / name).read_text() == "somebody's"
    for overwrite in (True, False):  # what was written here may be drawn again
        assert figures(tmp_path, tmp_path, overwrite=overwrite) == 1
    assert (tmp_path / "index.html").read_text() == "mine"


def test_an_animation_writes_over_nothing(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "demo.gif").write_text("mine")
    with pytest.raises(ValueError, match="is a .gif"):
        animation(tmp_path / "README.md", overwrite=True)
    with pytest.raises(FileExistsError, match="demo.gif is there already"):
        animation(tmp_path / "demo.gif")


def test_figures_of_the_repositorys_records_of_classifiers_and_tuning():
    drawn = [*of_classical(RECORDS), *of_tuning(RECORDS)]
    assert {"zhao-related", "choudhari-pca", "choudhari-fig6", "murphy-tuning"} == {
        name for name, *_ in drawn
    }
    assert all(caption.endswith(".") and made["dataset"]["fingerprint"] for _, caption, _, made in drawn)


def test_no_record_of_the_repository_learnt_from_or_selected_on_test_faces():
    """Never select on PrivateTest, never train on anything but Training: asserted from the records."""
    for experiment in EXPERIMENTS:
        for run in runs_of(experiment):
            assert run.provenance["selected_on"] == "PublicTest", run.folder
            assert not run.provenance["selected_on_private_test"], run.folder
            clean = run.config["recipe"].get("without_twins", False)
            assert run.provenance["trained_on"]["faces"] == 28709 - TWINS * clean, run.folder
            assert clean == experiment.recipe.startswith("kit-"), (
                f"{run.folder} learnt from twins of test faces"
            )
            private = [one for name, one in run.metrics["scores"].items() if name.startswith("PrivateTest")]
            views = {one.get("augment") for one in private}
            assert run.metrics["private_test_scored"] <= len(views) and views <= {None, "ten-crop"}, (
                f"{run.folder} looked at PrivateTest more than once, and once in ten views"
            )
            assert set(run.predictions["usage"]) == {"PublicTest"}, run.folder


def test_murphys_heads_are_kept_by_seed(tmp_path):
    """Folders of other seeds add to what the records have of seed 0; here stand copies of these records."""
    for path in [*RECORDS.glob("murphy-*/"), *RECORDS.glob("studies/murphy-*/")]:
        shutil.copytree(path, tmp_path / "records" / path.relative_to(RECORDS))
    table = pd.read_csv(murphy.keep_heads([], tmp_path / "records"))
    assert table.experiment.tolist() == list(murphy.HEADS) and set(table.seed) == {0}
    assert table.PublicTest[0] == round(Run(RECORDS / "murphy-base").best_accuracy, 5)
    assert table["trained without"].count() == 1
    other = tmp_path / "other"
    for name in murphy.HEADS:
        shutil.copytree(RECORDS / murphy.RECORDED.get(name, f"studies/murphy-{name}"), other / name)
    with pytest.raises(ValueError, match="murphy-base has seed 0, which is there already"):
        murphy.keep_heads([other], tmp_path / "records")
    shutil.rmtree(other / "murphy-base")
    shutil.copytree(RECORDS / "murphy-dropdisgust", other / "murphy-base")
    with pytest.raises(ValueError, match="murphy-base was selected on other faces than .*give FER-2013's"):
        murphy.keep_heads([other], tmp_path / "records")
    shutil.rmtree(other / "plateau")
    with pytest.raises(FileNotFoundError, match="plateau"):
        murphy.keep_heads([other], tmp_path / "records")


def test_the_heads_are_those_that_are_trained(faces):
    """The small sample has not the faces for a size of 750."""
    trained = [name for name in murphy.HEADS if "per-emotion" not in name]
    assert [name for name, *_ in murphy.heads(faces)] == trained


def test_an_interrupted_head_is_not_scored_and_stops_the_others(faces, tmp_path, monkeypatch):
    def interrupted(watch, epoch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    small = load_backbone("MobileNet", 32, weights=None, precision="float32", alpha=0.25, seed=0)
    monkeypatch.setattr(murphy, "load_backbone", lambda *_: small)
    monkeypatch.setattr(callbacks.Watch, "on_epoch_begin", interrupted)
    with pytest.raises(KeyboardInterrupt, match="murphy-base is not finished"):
        murphy.train_heads(faces, tmp_path)
    assert Run.open(tmp_path / "murphy-base").score("PrivateTest") is None
    assert not (tmp_path / "class-weights").exists()


def test_the_pipelines_speed_is_kept_with_its_hardware(tmp_path):
    about = json.loads(keep_speed(tmp_path, length=3).read_text())
    assert about["frames_per_second"] > 0 and 1000 / about["frames_per_second"] <= about["worst_frame_ms"] + 1
    assert about["ms_per_face"] > 0 and about["device"] and about["frames"] == 3


def test_a_figure_in_which_one_digit_changed_is_written_anew(tmp_path):
    def drawn(text):
        figure, axis = plt.subplots(figsize=(8, 6))
        axis.text(0.5, 0.5, text)
        drawing._write(figure, {"report_id": "x"}, tmp_path / "x.png", overwrite=False)
        plt.close(figure)
        return (tmp_path / "x.png").read_bytes()

    first = drawn("+18.5 ± 2.4")
    assert drawn("+18.5 ± 2.4") == first != drawn("+18.5 ± 3.4") != drawn("+18.5 ± 8.4")
