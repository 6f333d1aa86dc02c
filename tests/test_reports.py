"""What lessons say of themselves and of the records: sources, records, epochs."""

import pytest
from house import ROOT

import fer_kit
from fer_kit import reports
from fer_kit.plots.base import stamp
from fer_kit.reports import CITATIONS
from fer_kit.runtime.settings import PROFILES, Source
from fer_kit.studies import reproduction, tuning
from fer_kit.training.records import RECORDS, recorded


@pytest.fixture
def shown(monkeypatch):
    """The bundles that a notebook would keep."""
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: bundles.append(bundle))
    return bundles


def test_a_dataset_is_stamped_with_the_profile_in_force(monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setenv("FER_PROFILE", "lab")
    for source, expected in {
        "some faces": "some faces · profile lab",
        Source("FER-2013", "a-run", "full"): "FER-2013 · record a-run · profile full",
    }.items():
        figure = stamp(plt.figure(), source)
        assert [text.get_text() for text in figure.texts] == [expected]
    assert not stamp(plt.figure(), "").texts


def test_an_item_keeps_the_profile_of_its_record(shown):
    fer_kit.show_item("murphy-fig1", "2 %", Source("FER-2013", "a-run", "full"))
    fer_kit.show_item("murphy-fig1", "2 %", "the sample, profile of nobody")
    kept = [bundle[reports.RESULT_TYPE] for bundle in shown]
    assert (kept[0]["source"], kept[0]["profile"]) == ("FER-2013 · record a-run", "full")
    assert (kept[1]["source"], kept[1]["profile"]) == ("the sample, profile of nobody", "smoke")


def test_a_record_names_its_source():
    source = fer_kit.recorded("hejslet-light").source
    assert source.record == "hejslet-light" and source.profile == "full"
    assert f"record {source.record}" in str(source)


def test_a_record_is_shown_and_a_missing_one_told(capsys):
    figure = fer_kit.show_record("hejslet-light")
    assert figure._suptitle.get_text() == "hejslet-light (recorded)"
    assert "hejslet-light with recipe hejslet" in capsys.readouterr().out
    assert fer_kit.show_record("there-is-none") is None
    assert "no record of there-is-none" in capsys.readouterr().out


def test_a_recorded_study_comes_with_its_source(capsys, tmp_path):
    trials, curves, source = tuning.recorded("choudhari-fig6")
    assert len(trials) and set(curves.trial) <= set(trials.index)
    assert source.record == "tuning/choudhari-fig6" and str(source) in capsys.readouterr().out
    assert tuning.recorded("choudhari-fig6", tmp_path) is None
    assert "no record of choudhari-fig6" in capsys.readouterr().out


def test_without_records_the_table_has_its_columns_and_nothing_else(tmp_path):
    full, empty = reproduction.result_table(RECORDS), reproduction.result_table(tmp_path)
    assert list(empty.columns) == list(full.columns)
    assert empty.drop(columns="report").isna().all(axis=None) and recorded("there-is-none") is None


@pytest.mark.parametrize(("profile", "epochs"), [("smoke", 2), ("lab", 8), ("full", 50)])
def test_a_profile_shortens_a_recipe(profile, epochs):
    assert PROFILES[profile].epochs_for(fer_kit.RECIPES["hejslet"]) == epochs


@pytest.mark.parametrize(
    "place", ["README.md", "figures/README.md", "notebooks/15_reproduce_the_reports.ipynb"]
)
def test_the_reports_are_cited_in_full_where_readers_look(place):
    text = (ROOT / place).read_text(encoding="utf-8")
    assert [citation for citation in CITATIONS.values() if citation not in text] == []
