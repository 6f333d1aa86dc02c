"""The guides beside the notebooks: the instructor guide and the glossary speak of what is there."""

import json
import re
import shutil
from dataclasses import replace

import nbformat
import pandas as pd
import pytest
from house import NOTEBOOKS, ROOT, complain

from fer_kit import check_hardware, evaluation
from fer_kit.data.sample.people import draw_sample
from fer_kit.evaluation.scores import recorded_scores
from fer_kit.reports import REPORTED
from fer_kit.runtime import devices
from fer_kit.runtime.files import Written
from fer_kit.studies import gap, imbalance, tuning
from fer_kit.studies.reproduction import finished_runs
from fer_kit.tools.run import Outcome, Setting
from fer_kit.tools.times import hardware, read_times, write_times
from fer_kit.training.records import RECORDS, Run
from maintain import guide as guide
from maintain.__main__ import main as maintain_main
from maintain.guide import answers_page, in_minutes, tables, with_tables, write_guide
from maintain.methods import NAMES, keep_methods, keep_riddle

GUIDE = (ROOT / "notebooks" / "INSTRUCTORS.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| \[(\d\d)\]\((.+?)\) \|$", GLOSSARY, re.MULTILINE)
RECORD = {"profile": "lab", "hardware": "Tesla T4", "source": "fer2013.zip, 35,887 faces", "seconds": {}}


def lessons():
    return {path.name: nbformat.read(path, as_version=4) for path in NOTEBOOKS}


# ---- glossary ----


def test_terms_are_in_order_and_there_once():
    names = [term.lower() for term, *_ in TERMS]
    rows = len(re.findall(r"^\| \*\*", GLOSSARY, re.MULTILINE))
    assert len(TERMS) == rows > 80, "each row is `| **term** | one sentence | [NN](NN_name.ipynb) |`"
    assert names == sorted(set(names)), "sort the rows by term; each stands there once"


def test_each_term_is_met_in_the_lesson_it_names():
    read, problems = lessons(), []
    for term, _, number, name in TERMS:
        if not name.startswith(number):
            problems.append(f"{term}: {name} is not lesson {number}")
        if name in read and not re.search(rf"(?<![\w-]){re.escape(term)}", _words(read[name]), re.IGNORECASE):
            problems.append(f"{term} does not occur in {name}")
    complain(problems, "name the lesson that explains the term, or take the row out of GLOSSARY.md")


def _words(notebook):
    """All text of a notebook on one line, without the marks of emphasis."""
    text = " ".join(cell.source for cell in notebook.cells)
    return re.sub(r"[*`\s]+", " ", text)


def test_no_term_is_explained_earlier():
    """A lesson explains a term where it sets it in *italics* for the first time."""
    read, problems = lessons(), []
    for term, _, number, _ in TERMS:
        for name, notebook in read.items():
            prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
            if name[:2] < number and re.search(rf"(?<!\*)\*{re.escape(term)}\*(?!\*)", prose, re.IGNORECASE):
                problems.append(f"{term} is set in italics in {name} already")
                break
    complain(problems, "let GLOSSARY.md name the first of them")


# ---- instructor guide ----


def test_every_lesson_has_its_section():
    problems = []
    for path in NOTEBOOKS:
        section = GUIDE.partition(f"### {path.name[:2]} · ")[2].partition("\n### ")[0]
        parts = ("**Objectives:**", "**Before:**", "**Expect", "**Typical mistakes:**", "**Exercises:**")
        problems += [f"{path.stem}: no {part}" for part in parts if part not in section]
    complain(problems, "write the missing part into notebooks/INSTRUCTORS.md")


def test_links_lead_somewhere():
    headings = re.findall(r"^#+ (.+)", GUIDE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    problems = [f"#{a} is no heading" for a in re.findall(r"\]\(#([^)]+)\)", GUIDE) if a not in anchors]
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", GUIDE):
        if not (ROOT / "notebooks" / target).exists():
            problems.append(f"{target} does not exist")
    complain(problems, "mend the links of notebooks/INSTRUCTORS.md")


def test_the_tables_are_what_the_records_say():
    assert with_tables(GUIDE, tables(ROOT)) == GUIDE, "run `python -m maintain guide` and commit what changed"


def test_the_answers_are_those_of_the_lessons():
    page = (ROOT / "teaching" / "ANSWERS.md").read_text(encoding="utf-8")
    assert page == answers_page(NOTEBOOKS), "run `python -m maintain guide` and commit what changed"
    assert [link for link in re.findall(r"\]\(\.\./([^)#]+)", page) if not (ROOT / link).exists()] == []


def test_answers_stand_below_their_questions(tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell("# 00 · A lesson"),
        nbformat.v4.new_markdown_cell("## 1. Part\n\nWhy **two**,\nand not three? See [there](a.ipynb)."),
        nbformat.v4.new_markdown_cell(
            "<details><summary>Answer</summary>\n\nIt is\nso.\n\n</details>", metadata={"tags": ["reply"]}
        ),
        nbformat.v4.new_markdown_cell("> **Stop and talk.** Who\n> knows?"),
        nbformat.v4.new_markdown_cell("<details>a hint?</details>", metadata={"tags": ["hint"]}),
        nbformat.v4.new_markdown_cell("Nobody.", metadata={"tags": ["solution"]}),
        nbformat.v4.new_markdown_cell("### Exercise 1. Open\n\nWhat else?"),
        nbformat.v4.new_markdown_cell("<details>a hint?</details>", metadata={"tags": ["hint"]}),
        nbformat.v4.new_markdown_cell("Nothing.", metadata={"tags": ["solution"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_a.ipynb")
    assert answers_page([tmp_path / "00_a.ipynb"]).partition("## ")[2] == (
        "[00 · A lesson](../notebooks/00_a.ipynb)\n\n"
        "**Why two, and not three? See [there](../notebooks/a.ipynb).**\n\n> It is\n> so.\n\n"
        "**Stop and talk. Who knows?**\n\n> Nobody.\n\n"
        "**Exercise 1. Open**\n\nWhat else?\n\n> Nothing.\n"
    )


def test_what_lesson_15_says_of_twins_is_what_its_cells_compute():
    """It went stale once, when records were added."""
    lesson = next(notebook for name, notebook in lessons().items() if name.startswith("15"))
    sources = [cell.source for cell in lesson.cells]
    scored = [run for run in finished_runs() if run.private_predictions is not None]
    space = {"scored_runs": scored, "evaluation": evaluation, "pd": pd}
    exec(next(source for source in sources if "saw the twins" in source), space)
    means = space["by_twins"].groupby("training").difference.mean()
    memory = means["saw the twins"] - means["did not"]
    said = f"{means['saw the twins']:.1f} and {means['did not']:.1f} points, so about {memory:.0f} points"
    assert any(said in " ".join(source.split()) for source in sources), said


def test_report_ids_in_the_guides_exist():
    found = re.findall(r"\b(?:zhao|choudhari|hejslet|murphy)-[a-z]+[a-z0-9]*(?:-[a-z]+)?\b", GUIDE + GLOSSARY)
    assert set(found) <= set(REPORTED)


# ---- the tables ----


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small repository with the real guide, two notebooks and no record."""
    monkeypatch.setattr(guide, "RECORDS", tmp_path / "none")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    shutil.copy(ROOT / "notebooks" / "INSTRUCTORS.md", tmp_path / "notebooks")
    for path in NOTEBOOKS[:2]:
        shutil.copy(path, tmp_path / "notebooks")
    return tmp_path


def test_minutes_are_kept_and_drawn(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    first, second = NOTEBOOKS[0].stem, NOTEBOOKS[1].stem
    times = tmp_path / "times.json"
    times.write_text(json.dumps(RECORD | {"seconds": {first: 12.0, second: 754.0}}))
    assert maintain_main(["guide", str(times)]) == 0
    guide = (repository / "notebooks" / "INSTRUCTORS.md").read_text()
    assert "| lesson | `lab`, Tesla T4 |" in guide
    assert f"| [00]({first}.ipynb) | < 1 |\n| [01]({second}.ipynb) | 13 |" in guide
    times.write_text(json.dumps(RECORD | {"seconds": {first: 180.0}}))
    write_guide([times], repository)
    guide = (repository / "notebooks" / "INSTRUCTORS.md").read_text()
    assert f"| [00]({first}.ipynb) | 3 |\n| [01]({second}.ipynb) | 13 |" in guide
    times.write_text(json.dumps(RECORD | {"seconds": {first: 180.0}, "source": "other faces"}))
    guide = write_guide([times], repository).read_text()
    assert "| lesson | `lab`, Tesla T4, other faces | `lab`, Tesla T4 |" in guide
    assert f"| [00]({first}.ipynb) | 3 | 3 |\n| [01]({second}.ipynb) | – | 13 |" in guide


@pytest.fixture
def lab_runs(tmp_path):
    """Finished runs of `lab` on FER-2013 with trials, one of few faces, two on drawn ones, one of `smoke`."""
    source = next(path for path in RECORDS.iterdir() if (path / "provenance.json").exists())
    runs = tmp_path / "output"
    tuning.open_study(runs / "fer2013-1a/lab/08/search", create=True)
    tuning.open_study(runs / "fer2013-1a/lab/08/interrupted", create=True).ask()
    for where, seed, profile, dataset in [
        ("fer2013-1a/lab/kit-quick", 0, "lab", "fer2013.zip"),
        ("fer2013-1a/lab-seed-7/kit-quick", 7, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/kit-quick-seed1", 1, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/07/kit-quick/seed-1/plain", 1, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/08/search/trial-3", 0, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/08/search/trial-4", 0, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/08/interrupted/trial-0", 0, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/08_tuning/tuned/seed-1", 1, "lab", "fer2013.zip"),
        ("fer2013-1a/lab/06/few", 0, "lab", "fer2013.zip"),
        ("built-in-sample-2b/lab/kit-quick", 5, "lab", "built-in sample"),
        ("built-in-sample-2b/lab/18/shares", 0, "lab", "built-in sample"),
        ("fer2013-1a/smoke/kit-quick", 0, "smoke", "fer2013.zip"),
    ]:
        shutil.copytree(source, runs / where)
        path = runs / where / "provenance.json"
        facts = json.loads(path.read_text()) | {"seed": seed, "profile": profile}
        facts.pop("checksum", None)
        if where.endswith("few"):
            facts["trained_on"] = facts["trained_on"] | {"faces": 64}
        path.write_text(json.dumps(facts | {"dataset": facts["dataset"] | {"source": dataset}}))
    return runs


def test_what_lessons_train_is_kept_by_run_and_seed(repository, lab_runs):
    write_guide([lab_runs], repository)
    guide = write_guide(root=repository).read_text()
    accuracy = Run(lab_runs / "fer2013-1a/lab/kit-quick").best_accuracy
    shown = f"{100 * accuracy:.1f}"
    rows = guide[guide.index("<!-- begin lab") : guide.index("<!-- end lab")].strip().splitlines()
    assert rows[4:] == [
        f"| 05 | kit-quick | 3 | {shown} | {shown} |",
        f"| 07 | 07/kit-quick/plain | 1 | {shown} | {shown} |",
        f"| 08 | 08/search, best trial | 1 | {shown} | {shown} |",
        f"| 18 | 18/shares (built-in sample) | 1 | {shown} | {shown} |",
    ]
    assert json.loads((repository / "figures/lab.json").read_text())["kit-quick"] == {
        seed: accuracy for seed in "017"
    }
    with pytest.raises(ValueError, match="smoke holds no finished run of a lesson in `lab`"):
        write_guide([lab_runs / "fer2013-1a/smoke"], repository)


def test_the_methods_of_lesson_07_are_kept_by_seed(lab_runs, tmp_path):
    assert imbalance.recorded(tmp_path) is None
    folder = lab_runs / "fer2013-1a/lab/07/kit-quick/seed-1"
    with pytest.raises(ValueError, match="output holds no seed with all methods of lesson 07"):
        keep_methods([lab_runs], tmp_path)
    for name in set(NAMES) - {"plain"}:
        shutil.copytree(folder / "plain", folder / name)
    keep_methods([lab_runs], tmp_path)
    shutil.rmtree(folder / "plain")  # what is kept stays
    keep_methods([lab_runs], tmp_path)
    table, source = imbalance.recorded(tmp_path)
    assert table.method.tolist() == list(imbalance.METHODS) and set(table.seed) == {1}
    assert table.accuracy[0] == pytest.approx(recorded_scores(Run(folder / "mild-x10")).accuracy, abs=1e-4)
    assert "disgust" in table and str(source).startswith("fer2013.zip")
    with pytest.raises(ValueError, match="nowhere holds no finished run of lesson 07's methods"):
        keep_methods([tmp_path / "nowhere"], tmp_path)


def test_the_riddle_is_kept_by_seed(tmp_path, monkeypatch):
    assert gap.recorded(tmp_path) is None
    sample = draw_sample(700)
    with pytest.raises(ValueError, match="give --data fer2013.zip, not built-in sample"):
        keep_riddle(sample, tmp_path / "out", 0, tmp_path)
    assert not (tmp_path / "out").exists()
    asked = []

    def study(network, faces, recipe, out, seed, epochs):
        asked.append((network(6).output_shape, faces.names, out.parts[-3:]))
        return pd.DataFrame({"gap": [seed, 0.25]}, pd.Index(["copies", "honest"], name="cause"))

    monkeypatch.setattr(gap, "study_gap", study)
    for seed in (2, 0, 2):
        keep_riddle(replace(sample, source="fer2013.zip"), tmp_path / "out", seed, tmp_path)
    assert asked[0][0] == (None, 6) and "disgust" not in asked[0][1]
    assert asked[0][2] == ("07", "seed-2", "riddle")
    table, source = gap.recorded(tmp_path)
    assert table.seed.tolist() == [0, 0, 2, 2] and table.cause.tolist() == ["copies", "honest"] * 2
    assert table.gap.tolist() == [0, 0.25, 2, 0.25] and str(source).startswith("fer2013.zip")


def test_rooms_are_counted(repository):
    for name, text in {
        "fer_kit/__init__.py": "1\n",
        "fer_kit/data/a.py": 160 * "1\n",
        "fer_kit/data/b/c.py": "1\n",
    }.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    shutil.copy(ROOT / "ARCHITECTURE.md", repository)
    write_guide(root=repository)
    text = (repository / "ARCHITECTURE.md").read_text()
    assert "| __init__ | 1 | 100 |\n| data | 2 | 200 |\n| **all** | 3 | 200 |" in text


def test_without_records_the_guide_says_so(repository):
    text = write_guide(root=repository).read_text()
    assert text.count("No run has been recorded yet.") == 3


@pytest.mark.parametrize("text", ["{}", '{"profile": "lab"'])
def test_what_is_no_record_of_times_is_named(repository, tmp_path, text):
    (tmp_path / "times.json").write_text(text)
    with pytest.raises(ValueError, match="times.json"):
        write_guide([tmp_path / "times.json"], repository)


def test_a_measurement_that_is_not_there_is_named(repository, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no .*nowhere; give a times.json"):
        write_guide([tmp_path / "nowhere"], repository)


def test_a_guide_without_a_place_for_tables(repository):
    (repository / "notebooks" / "INSTRUCTORS.md").write_text("# For instructors")
    with pytest.raises(ValueError, match="no place for a table"):
        write_guide(root=repository)


def shown(monkeypatch, **found):
    """The output that a notebook keeps of `check_hardware`, which finds what is given here."""
    monkeypatch.setattr(devices, "gpus", lambda: found.get("gpus", []))
    monkeypatch.setattr(devices, "cpu_gains_from_bfloat16", lambda: found.get("bfloat16", False))
    monkeypatch.setattr("os.cpu_count", lambda: found.get("cores", 2))
    monkeypatch.setattr("IPython.get_ipython", lambda: "a notebook")
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    check_hardware()
    return nbformat.v4.new_output("display_data", data=bundles[0])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"gpus": [("Tesla T4", (7, 5))]}, "Tesla T4"),
        ({"gpus": [("Tesla T4", (7, 5))] * 2}, "Tesla T4, Tesla T4"),
        ({}, "2 CPU cores"),
        ({"cores": 8, "bfloat16": True}, "8 CPU cores with bfloat16"),
        (None, "unknown hardware"),
    ],
)
def test_hardware_is_what_the_notebooks_found(found, expected, tmp_path, monkeypatch):
    said = nbformat.v4.new_output("stream", text="hello")
    outputs = [said] if found is None else [said, shown(monkeypatch, **found)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=outputs)])
    good = Outcome(tmp_path / "00_a.ipynb", notebook, "ok", 1, 61.26)
    bad = Outcome(tmp_path / "01_b.ipynb", notebook, "FAILED", 1, 3.0)
    assert hardware([good, bad]) == expected
    setting = Setting("built-in sample", "sample", "smoke", tmp_path, tmp_path)
    write_times([good, bad], setting, Written(tmp_path))
    record = read_times(tmp_path / "times.json")
    assert record["seconds"] == {"00_a": 61.3} and record["hardware"] == expected
    assert record["profile"] == "smoke" and in_minutes(61.3) == "1"


def test_outside_of_a_notebook_the_hardware_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(devices, "gpus", list)
    found = check_hardware()
    assert found["gpus"] == [] and f"computing on {found['name']}" in capsys.readouterr().out


def minutes_of(part):
    """Minutes of `04, sections 4 to 6, and exercises`, as the lesson's headings and head say."""
    number, first, last = re.match(r"(\d\d)(?:, sections (\d+) to (\d+))?", part).groups()
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    sections = re.findall(r"^## (\d+)\..* \((\d+) min\)$", text, flags=re.MULTILINE)
    wanted = range(int(first or 1), int(last or 99) + 1)
    exercises = int(re.search(r"and (\d+) for the exercises", text)[1]) if "exercises" in part else 0
    return exercises + sum(int(minutes) for section, minutes in sections if int(section) in wanted)


def test_the_plan_of_weeks_keeps_its_two_hours():
    guide_text = (ROOT / "notebooks" / "INSTRUCTORS.md").read_text(encoding="utf-8")
    plan = guide_text.partition("## Six weeks")[2].partition("## One day")[0]
    weeks = re.findall(r"^\| \d \| (.+?) \| (\d+) \|", plan, flags=re.MULTILINE)
    assert len(weeks) == 9
    for lessons, minutes in weeks:
        assert sum(map(minutes_of, lessons.split("; "))) == int(minutes) <= 120, lessons
