"""Shipping a run's model: the card is the record's, and shipped files score what their cards say."""

import json
import shutil

import keras
import pytest
from test_reproduction import write_record

from fer_kit import load_faces
from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation.scoring import evaluate
from fer_kit.models import pretrained
from fer_kit.models.zoo import build
from fer_kit.runtime.files import write_json, write_sealed
from fer_kit.studies.reproduction import finished_runs, protocol_table, result_table
from fer_kit.training.records import RECORDS, Run
from maintain import ship as shipping
from maintain.ship import accuracy, add_views, how_often, limits, ship


@pytest.fixture
def run(tmp_path, faces, monkeypatch):
    """A record with an untrained network, said to have learnt from the sample, here a small one."""
    monkeypatch.setattr(shipping, "draw_sample", lambda: faces[:50])
    folder = tmp_path / "run"
    write_record(folder, "zhao-sepconv", "zhao", 2, [0.2, 0.3], 0.25)
    about = json.loads((folder / "provenance.json").read_text())
    dataset = {"source": faces.source, "fingerprint": faces.fingerprint}
    write_json(folder / "provenance.json", about | {"dataset": dataset, "trained_on": {"faces": 100}})
    metrics = json.loads((folder / "metrics.json").read_text())
    row = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "faces": 10}
    metrics["scores"]["PrivateTest"]["per_emotion"] = {"happy": row}
    write_json(folder / "metrics.json", metrics)
    keras.utils.set_random_seed(0)
    build("zhao-sepconv").save(folder / "best.keras")
    return folder


def test_ten_views_are_scored_once_and_stand_beside_the_strict_protocol(faces, tmp_path, monkeypatch):
    score = pretrained.card("kit-small")["PrivateTest"]
    records = tmp_path / "records"
    with pytest.raises(ValueError, match="no record has the PrivateTest score of kit-small's card"):
        add_views("kit-small", faces, records)
    run = Run(shutil.copytree(RECORDS / "kit-small-taught", records / "strict"))
    metrics = run.metrics
    ten = [name for name, one in metrics["scores"].items() if one.get("augment")]
    with pytest.raises(ValueError, match="strict was scored in ten views before"):
        add_views("kit-small", faces, records)
    again = Run(shutil.copytree(run.folder, records / "studies" / "with-twins"))
    config = again.config
    config["recipe"]["without_twins"] = False
    write_sealed(again.folder / "config.json", config)
    row = protocol_table(records).loc["kit-small-taught, 150 epochs, seed 0"]
    assert row.strict == score["accuracy"] and row.published == row["strict, ten views"] > row.strict
    shutil.move(again.folder, records / "with-twins")  # a network by another protocol is no result
    assert result_table(records).loc["kit-small-taught", "seeds"] == 1

    for name in ten:
        del metrics["scores"][name]
    run.write_metrics(metrics)
    shutil.rmtree(records / "with-twins")
    alone = protocol_table(records).iloc[0]
    assert alone.strict == score["accuracy"] and alone.isna().sum() == 2
    with pytest.raises(ValueError, match="has other PrivateTest faces than .*strict was scored on"):
        add_views("kit-small", faces, records)
    assert run.metrics["scores"] == metrics["scores"]

    few = faces.public_test[:10].join(faces.private_test[:10])
    of_few = {"source": str(few.source), "fingerprint": few.private_test.fingerprint}
    metrics["scores"]["PrivateTest"]["dataset"] = of_few
    run.write_metrics(metrics)
    monkeypatch.setattr(pretrained, "card", lambda name: {"PrivateTest": run.score("PrivateTest")})
    add_views("kit-small", few, records)
    of_private = evaluate("kit-small", few, "PrivateTest", augment="ten-crop")
    row = protocol_table(records).loc["kit-small-taught, 150 epochs, seed 0"]
    assert row["strict, ten views"] == of_private.accuracy and run.weights is None
    assert run.metrics["private_test_scored"] == metrics["private_test_scored"] + 1


def test_the_card_is_the_records(run, faces, tmp_path):
    path = ship(run, "tiny", faces, tmp_path / "weights")
    card, page = json.loads(path.with_suffix(".json").read_text()), path.with_suffix(".md").read_text()
    assert card["PrivateTest"]["accuracy"] == 0.25 and card["epochs"] == {"trained": 2, "best": 2}
    assert "**25.0%** [23.0%, 27.0%]" in page and "| happy | 0.50 |" in page
    assert "## Limits" in page and "## Licence" in page


def test_shipping_again_changes_nothing(run, faces, tmp_path):
    once = ship(run, "tiny", faces, tmp_path / "weights").read_bytes()
    assert ship(run, "tiny", faces, tmp_path / "weights", overwrite=True).read_bytes() == once


def test_what_is_shipped_stays_unless_asked_and_where_the_new_file_is_worse(
    run, faces, tmp_path, monkeypatch
):
    once = ship(run, "tiny", faces, tmp_path / "weights").read_bytes()
    build("zhao-sepconv").save(run / "best.keras")
    with pytest.raises(FileExistsError, match="tiny.keras is there already.*overwrite"):
        ship(run, "tiny", faces, tmp_path / "weights")
    monkeypatch.setattr(shipping, "LIMIT", -1)
    with pytest.raises(ValueError, match="float16 costs"):
        ship(run, "tiny", faces, tmp_path / "weights", overwrite=True)
    assert (tmp_path / "weights" / "tiny.keras").read_bytes() == once


def test_the_card_tells_what_a_run_learnt_from(run, faces, tmp_path):
    config = json.loads((run / "config.json").read_text())
    recipe = config["recipe"] | {"without_twins": True}
    write_json(run / "config.json", config | {"recipe": recipe, "teacher": "big, weights 0123"})
    page = ship(run, "tiny", faces, tmp_path / "weights").with_suffix(".md").read_text()
    assert "trained on Training without twins of test faces, taught by big, weights 0123, selected on" in page


def test_a_sentence_of_a_card_is_as_its_numbers():
    for name in pretrained.shipped():
        card = pretrained.card(name)
        table = card["PrivateTest"]["per_emotion"]
        (sentence,) = [text for text in card["limits"] if "disgust" in text]
        assert f"{table['disgust']['recall']:.0%} of them" in sentence and card["limits"] == limits(
            card["PrivateTest"]
        )
        worst = min(table, key=lambda emotion: table[emotion]["recall"])
        assert f"{worst}, {1 - table[worst]['recall']:.0%}" in sentence
        (run,) = [run for run in finished_runs() if run.score("PrivateTest") == card["PrivateTest"]]
        assert f"PrivateTest scored {how_often(run.metrics)}" in card["protocol"]
    rows = {"happy": {"recall": 0.2, "faces": 90}, "sad": {"recall": None, "faces": 0}}
    assert "0 of the 90 test faces are sad, and it finds 0%" in limits({"per_emotion": rows})[2]


def test_what_cannot_be_shipped(run, faces, tmp_path):
    with pytest.raises(ValueError, match="other data"):
        ship(run, "tiny", faces[:-1], tmp_path / "weights")
    metrics = json.loads((run / "metrics.json").read_text())
    write_json(run / "metrics.json", metrics | {"scores": {}})
    with pytest.raises(ValueError, match="no PrivateTest score"):
        ship(run, "tiny", faces, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_shipped_files_are_small():
    assert sum(path.stat().st_size for path in pretrained.WEIGHTS.glob("*")) < 10e6


def test_a_shipped_model_scores_what_its_card_says_on_the_sample():
    told = pretrained.card("kit-small")["built-in sample"]["accuracy"]  # the large one's digest is checked
    assert accuracy(pretrained.load_pretrained("kit-small"), draw_sample()) == pytest.approx(told, abs=0.003)


@pytest.mark.parametrize("name", pretrained.shipped())
def test_a_shipped_model_scores_what_its_card_says_on_fer2013(name, real_archive):
    scores, told = (
        evaluate(name, load_faces(real_archive), "PrivateTest"),
        pretrained.card(name)["PrivateTest"],
    )
    assert scores.accuracy == pytest.approx(told["accuracy"], abs=0.001)
    assert scores.accuracy_twin_free == pytest.approx(told["accuracy_twin_free"], abs=0.001)
    assert scores.macro_f1 == pytest.approx(told["macro_f1"], abs=0.002)
