"""What keeps the repository's records true: maintainers' commands refuse what is no record of FER-2013."""

import json
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import pytest
from house import ROOT
from nbclient.exceptions import DeadKernelError

from fer_kit.data.doctor import signatures
from fer_kit.training.records import RECORDS, Run
from maintain import methods, murphy, setups
from maintain.__main__ import main
from maintain.gallery import drawing, page
from maintain.gallery.page import figures, front_page


def test_signatures_are_those_of_fer2013_alone(monkeypatch, capsys):
    monkeypatch.setattr(
        signatures.Signatures, "save", lambda self: pytest.fail("the reference is overwritten")
    )
    assert main(["signatures", "--data", "sample"]) == 2
    assert "signatures are FER-2013's; give it with --data, not built-in sample" in capsys.readouterr().err


def test_a_score_on_private_test_is_not_taken_again(monkeypatch):
    monkeypatch.setattr(murphy, "evaluate", lambda *args, **more: pytest.fail("scored again"))
    murphy._score(Run(RECORDS / "murphy-base"), None)
    monkeypatch.setattr(murphy, "train_head", lambda *args, **more: Run(RECORDS / "studies/murphy-split"))

    class Faces:
        training = property(lambda self: self)

        def split(self, share):
            return self, self

    murphy.own_protocol(None, Faces(), None)


def test_two_runs_of_one_method_and_seed_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(methods, "counts", lambda run, name: True)
    for place in ("first", "second"):
        folder = tmp_path / place / "07" / "seed-1" / "plain"
        folder.mkdir(parents=True)
        for file in (RECORDS / "studies/plain").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(
        ValueError, match="second.* is a second run of none with seed 0; give the folder of one"
    ):
        methods.keep_methods([tmp_path], tmp_path / "records")
    assert not (tmp_path / "records").exists()


# ---- set-ups ----


def test_a_set_up_that_fails_is_a_row_and_the_others_go_on(tmp_path, capsys):
    table = setups.setups(["none=no-such-python", f"mine={sys.executable}"], tmp_path, lessons=())
    rows = table.splitlines()[2:]
    assert "FAILED" in rows[0] and rows[0].count("|") == rows[1].count("|")


def test_a_kernel_that_dies_is_a_failed_lesson(tmp_path, monkeypatch):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "00_start.ipynb")

    class Client:
        def execute(self, **options):
            raise DeadKernelError("Kernel died")

    monkeypatch.setattr(setups, "new_client", lambda *args: Client())
    assert setups.run_lesson("00", sys.executable, tmp_path, {}) == "FAILED: Kernel died"


# ---- figures ----


def test_sidecars_name_records_that_are_there():
    for path in sorted((ROOT / "figures").glob("*.json")):
        about = json.loads(path.read_text("utf-8"))
        named = about.get("record", [])
        for name in [named] if isinstance(named, str) else named:
            assert (RECORDS / name).exists(), f"{path.name} names {name}, which is no record"


def test_the_pages_show_the_results_that_the_records_have():
    table = page.result_table(RECORDS)
    shown = (ROOT / "figures" / "README.md").read_text("utf-8")
    assert page.result_rows(table) in shown and page.protocol_rows(RECORDS) in shown
    assert front_page(ROOT / "figures", table) in (ROOT / "README.md").read_text("utf-8")


def test_a_front_page_without_a_place_for_results_is_left_as_it_is(tmp_path, monkeypatch, capsys):
    drawn = drawing.Drawn("zhao-fig1", "A framework.", plt.figure(figsize=(1, 1)), {"dataset": "none"})
    monkeypatch.setattr(page, "draw_all", lambda records: iter([drawn]))
    (tmp_path / "README.md").write_bytes(b"somebody's, \xe4\r\n")
    figures(tmp_path / "figures", RECORDS)
    assert (tmp_path / "README.md").read_bytes() == b"somebody's, \xe4\r\n"
    assert "README.md has no place for results" in capsys.readouterr().out


def test_the_front_page_has_rows_of_scored_networks_only():
    table = page.result_table(RECORDS)
    best = table[~table.index.str.startswith("kit-vote")]["chosen on"].idxmax()
    table.loc[best, ["PrivateTest", "low", "high"]] = None
    table["report"] = None
    text = front_page(ROOT / "figures", table)
    assert "nan" not in text and "a report's network" not in text and f"**{best}**" not in text


def test_a_class_can_commit_its_copy_without_its_pictures():
    ignored = ["data/fer2013.zip", "output/a.npz", "my-labs/00.ipynb"]
    done = subprocess.run(
        ["git", "check-ignore", *ignored], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 128:
        pytest.skip("not a git repository")
    assert done.stdout.split() == ignored
