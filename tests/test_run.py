"""`python -m fer_kit run`: what it prints, what it leaves, and what it says when something is wrong."""

import contextlib
import io
import os
import re
import threading
from pathlib import Path

import nbformat
import pytest
from house import NOTEBOOKS
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fer_kit.reports import FIGURE_TYPE, REPORTED, report_item
from fer_kit.runtime import settings
from fer_kit.runtime.files import Written
from fer_kit.runtime.locks import locked
from fer_kit.tools import cli
from fer_kit.tools import run as runner
from fer_kit.tools.page import duration, gather, warning, write_notebook
from fer_kit.tools.run import Failure, Line, Outcome, Setting, find_notebooks, first_line, run

PLOT = """
import matplotlib.pyplot as plt
from fer_kit.reports import show_figure, show_item
show_item("murphy-split", "22,965 / 5,744", "a <dataset>", note="seed 0")
show_figure(plt.figure(figsize=(2, 1)), "choudhari-fig3", "Disgust is the smallest")
plt.plot([1, 2]);
"""
TELL = "import os\nprint(os.getcwd(), *[os.environ[f'FER_{n}'] for n in ('DATA', 'PROFILE', 'OUT')])"


def write(folder, name, *cells):
    """Write a notebook of markdown (str beginning with #) and code cells (all others)."""
    made = [new_markdown_cell(c) if c.startswith("# ") else new_code_cell(c) for c in cells]
    nbformat.write(new_notebook(cells=made), folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three small notebooks; the middle one fails in its second code cell, which follows a comment."""
    folder = tmp_path_factory.mktemp("notebooks")
    write(folder, "00_plot", "# 00 · A plot\n[next](01_fails.ipynb#there)", PLOT)
    failing = "# why\nint('x <b>')"
    cells = [
        new_markdown_cell("# 01 · Fails"),
        new_code_cell("1"),
        new_code_cell(failing),
        new_code_cell("2"),
    ]
    nbformat.write(new_notebook(cells=cells), folder / "01_fails.ipynb")
    write(folder, "02_tells", "# 02 · Tells", TELL)
    write(folder, "notes", "# no numbered notebook", "1 / 0")
    return folder


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    """(exit status, what was printed, output folder) of a run of them all."""
    out = tmp_path_factory.mktemp("out")
    Written(out).write("figures/00-of-an-earlier-run.png", b"")
    (out / "figures" / "00-mine.png").write_bytes(b"somebody's")
    (out / "README.md").write_text("mine")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = run(data="sample", profile="smoke", out=out, notebooks=folder)
    return status, printed.getvalue(), out


def test_a_failing_notebook_is_named_and_the_others_still_run(done):
    status, printed, _ = done
    assert status == 1
    assert re.search(r"\[1/3\] 00_plot +ok +1 cell +[\d.]+ s\n\[2/3\] 01_fails +FAILED +2 cells", printed)
    assert re.search(r"\[3/3\] 02_tells +ok", printed)
    assert "cell 2: int('x <b>')\n    ValueError: invalid literal" in printed
    assert "2 of 3 notebooks ran to their end." in printed
    assert "built-in sample" in printed and "Profile smoke" in printed


def test_the_last_line_says_where_the_page_is(done):
    _, printed, out = done
    assert printed.rstrip().splitlines()[-1] == str(out / "index.html")


def test_kernels_get_data_profile_and_output_folder_and_start_beside_the_notebook(done, folder):
    _, _, out = done
    text = (out / "notebooks" / "02.html").read_text()
    assert f"{folder} sample smoke {out}" in text


def test_the_page_shows_numbers_beside_the_reports(done):
    page = (done[2] / "index.html").read_text().replace("<wbr>", "")
    assert "22,965 / 5,744; disgust 436 -&gt; 348" in page
    assert "a &lt;dataset&gt;, profile smoke" in page and "seed 0" in page


def test_the_page_shows_failure_and_warning(done):
    page = (done[2] / "index.html").read_text()
    assert "int(&#39;x &lt;b&gt;&#39;)" in page and "invalid literal" in page
    assert "Not results." in page and "built-in sample, drawn by the kit" in page


def test_everything_the_page_points_at_exists(done):
    out = done[2]
    page = (out / "index.html").read_text()
    targets = re.findall(r'(?:href|src)="([^"#]+)(?:#([^"]*))?"', page)
    assert len(targets) >= 8
    for file, anchor in targets:
        assert (out / file).is_file(), file
        assert not anchor or f'id="{anchor}"' in (out / file).read_text(), anchor
    assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", page))


def test_figures_are_named_by_report_id_or_heading_and_old_ones_go(done):
    names = sorted(path.name for path in (done[2] / "figures").iterdir())
    assert names == ["00-00-a-plot.png", "00-choudhari-fig3.png", "00-mine.png"]
    assert (done[2] / "figures" / "00-mine.png").read_bytes() == b"somebody's"
    assert (done[2] / "README.md").read_text() == "mine"


def test_notebooks_as_html_link_to_each_other_and_have_alt_texts(done):
    text = (done[2] / "notebooks" / "00.html").read_text()
    assert 'href="01.html#there"' in text
    assert 'alt="choudhari-fig3: Disgust is the smallest"' in text and 'alt="00 · A plot"' in text


@pytest.mark.parametrize("only", ["2", "02", " 02 "])
def test_only_takes_a_number_in_any_spelling(folder, only):
    assert [path.name for path in find_notebooks(folder, only)] == ["02_tells.ipynb"]


def test_only_takes_a_list_and_keeps_the_order(folder):
    assert [path.name[:2] for path in find_notebooks(folder, "2,00")] == ["00", "02"]


@pytest.mark.parametrize("only", ["7", "00,07", "plot", ""])
def test_an_unknown_number_lists_what_there_is(folder, only):
    with pytest.raises(ValueError, match="there are 00_plot, 01_fails, 02_tells"):
        find_notebooks(folder, only)


def test_two_notebooks_of_one_number_are_named(folder, tmp_path):
    for name in ("04_custom.ipynb", "04_custom-Copy1.ipynb"):
        (tmp_path / name).write_bytes((folder / "00_plot.ipynb").read_bytes())
    (tmp_path / "07_other.ipynb").write_bytes((folder / "00_plot.ipynb").read_bytes())
    for only in (None, "4", "4,7"):
        with pytest.raises(ValueError, match="04_custom-Copy1.ipynb and 04_custom.ipynb for notebook 04"):
            find_notebooks(tmp_path, only)
    assert [path.name for path in find_notebooks(tmp_path, "7")] == ["07_other.ipynb"]


def test_without_a_notebook_of_the_tour_all_run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FER_PROFILE", raising=False)
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "04_plot.ipynb").write_bytes((folder / "00_plot.ipynb").read_bytes())
    assert run(data="sample", out=tmp_path / "out", notebooks=tmp_path / "labs") == 0
    assert "1 notebook" in capsys.readouterr().out


def test_no_notebooks_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="copy of the repository"):
        find_notebooks(tmp_path)


def test_a_missing_dataset_stops_before_anything_is_written(folder, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="nowhere.zip does not exist"):
        run(data="nowhere.zip", out=tmp_path / "out", notebooks=folder)
    assert not (tmp_path / "out").exists() and "[1/3]" not in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_to_stops_before_anything_runs(folder, tmp_path, monkeypatch):
    def read_only(path, mode="r", *of, **options):
        if "w" in mode:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, mode, *of, **options)

    real = Path.open
    monkeypatch.setattr(Path, "open", read_only)
    monkeypatch.setattr(runner, "run_notebook", lambda *_: pytest.fail("it ran"))
    monkeypatch.setattr(runner, "locked", contextlib.nullcontext)  # as there is no lock in such a folder
    with pytest.raises(PermissionError, match="fer_kit-written"):
        run(data="sample", profile="smoke", out=tmp_path / "out", notebooks=folder)


def test_a_list_may_be_given_in_pieces(tried, capsys):
    ran, _ = tried(capsys, "--only", "02", "--only", "0,3")
    assert [number for number, _ in ran] == ["00", "02", "03"]


def test_an_unknown_profile_lists_what_there_is(folder, tmp_path):
    with pytest.raises(ValueError, match="no profile 'ful'; there are smoke, lab, full"):
        run(data="sample", profile="ful", out=tmp_path / "out", notebooks=folder)


def test_ctrl_c_leaves_a_page_of_what_was_done(folder, tmp_path, monkeypatch, capsys):
    def interrupt(line, state):
        raise KeyboardInterrupt

    monkeypatch.setattr(Line, "show", interrupt)
    assert run(only="00,02", data="sample", out=tmp_path, notebooks=folder) == 130
    assert "Stopped before the end of 00_plot, 02_tells." in capsys.readouterr().out
    assert "not run" in (tmp_path / "index.html").read_text()


def test_a_dead_kernel_and_a_damaged_notebook_are_failures(tmp_path):
    (tmp_path / "00_damaged.ipynb").write_text("{")
    write(tmp_path, "01_dies", "import os; os._exit(1)")
    setting = Setting("sample", "sample", "smoke", tmp_path, tmp_path)
    failures = []
    for path in find_notebooks(tmp_path):
        outcome = Outcome(path, new_notebook())
        runner.run_notebook(outcome, setting, Line(""))
        assert outcome.status == "FAILED"
        failures.append(str(outcome.failure))
    assert "not JSON" in failures[0].replace("does not appear to be", "not")
    assert failures[1].startswith("cell 1: import os; os._exit(1)\nthe kernel died")


def test_a_full_disk_leaves_the_former_page(tmp_path, monkeypatch):
    written = Written(tmp_path)
    written.write("notebooks/00.html", b"former")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_notebook(Outcome(Path("00_x.ipynb"), new_notebook()), written)
    assert [p.read_text() for p in (tmp_path / "notebooks").iterdir()] == ["former"]


@pytest.mark.parametrize("name", ["index.html", "times.json", "kernels.log", "notebooks/02.html"])
def test_a_file_that_no_run_wrote_is_not_replaced(folder, tmp_path, name):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(FileExistsError, match=f"{name} was not written by fer_kit.*overwrite"):
        run(only="2", data="sample", profile="smoke", out=tmp_path, notebooks=folder)
    assert (tmp_path / name).read_text() == "somebody's" and len(list(tmp_path.rglob("*"))) <= 3
    if name == "index.html":
        assert run("2", "sample", "smoke", tmp_path, folder, overwrite=True) == 0
        assert (tmp_path / name).read_text() != "somebody's"


def test_data_and_profile_each_have_their_own_page_and_runs(folder, tmp_path, monkeypatch):
    """Without --out one profile never replaces the page of the other; kernels get the folder above both."""
    monkeypatch.setenv("FER_OUT", str(tmp_path / "output"))
    for profile in ("smoke", "lab"):
        assert run(only="2", data="sample", profile=profile, notebooks=folder) == 0
    pages = sorted((tmp_path / "output").rglob("index.html"))
    assert [page.parent.name for page in pages] == ["lab", "smoke"]
    assert pages[0].parent.parent == pages[1].parent.parent
    assert f"sample lab {tmp_path / 'output'}\n" in (pages[0].parent / "notebooks" / "02.html").read_text()


def test_two_runs_do_not_write_into_one_folder(folder, tmp_path):
    outcomes = []

    def second():
        try:
            run(only="2", data="sample", profile="smoke", out=tmp_path, notebooks=folder)
        except BlockingIOError as error:
            outcomes.append(str(error))

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"written to by process {os.getpid()}" in outcomes[0]


def test_the_same_picture_twice_in_a_cell_counts_once_and_names_never_clash():
    def picture(png, **data):
        return new_output("display_data", {"image/png": png, **data})

    shown = {FIGURE_TYPE: {"id": "murphy-fig1", "caption": "c"}}
    cells = [
        new_markdown_cell("# 01 · T\n## How *much*?"),
        new_code_cell("", outputs=[picture("YQ=="), picture("YQ=="), picture("Yg==")]),
        new_code_cell("", outputs=[picture("YQ==", **shown), picture("Yw==", **shown)]),
    ]
    pictures, _ = gather(new_notebook(cells=cells), "01")
    names = ["01-how-much", "01-how-much-2", "01-murphy-fig1", "01-murphy-fig1-2"]
    assert [p.file for p in pictures] == [f"{name}.png" for name in names]


def test_warnings_name_the_reason():
    real = Setting("fer2013.zip", "/data/fer2013.zip", "full", Path(), Path())
    assert warning(real) == ""
    assert "Profile smoke" in warning(Setting("fer2013.zip", "/data/fer2013.zip", "smoke", Path(), Path()))
    assert "not FER-2013" in warning(Setting("built-in sample", "sample", "full", Path(), Path()))


def test_durations_read_as_a_person_says_them():
    assert [duration(s) for s in (8.24, 200, 7500)] == ["8.2 s", "3 min 20 s", "2 h 05 min"]


def test_the_first_line_of_a_cell_is_its_first_statement():
    assert first_line("\n# comment\n  x = 1\n") == "x = 1"
    assert first_line("# only this") == "# only this"
    assert first_line("") == ""
    assert str(Failure(3, "x", "E: y")) == "cell 3: x\nE: y"


def test_an_unknown_report_id_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'murphy-split'"):
        report_item("murphy-splits")


def test_every_report_is_there():
    assert {name.partition("-")[0] for name in REPORTED} == {"zhao", "choudhari", "hejslet", "murphy"}
    assert len(REPORTED) == 49


@pytest.mark.parametrize(
    "arguments",
    [["run", "--data", "nowhere.zip"], ["run", "--only", "99"], ["doctor", "nowhere.zip"]],
)
def test_a_mistake_of_the_users_is_one_line_and_status_2(arguments, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("fer_kit: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["doctor", "--help"], ["fetch", "--help"]]
)
def test_help_reads_well(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    shown = capsys.readouterr().out
    assert stopped.value.code == 0 and len(shown) > 200 and max(map(len, shown.splitlines())) < 100


def test_tests_see_the_smoke_profile_and_the_sample_alone():
    assert settings.profile().name == "smoke"
    assert str(settings.data_path()) == "sample"
    assert "fer_kit_tests_" in str(settings.output_dir())


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """A `run` of the kit's own notebooks in which none is executed: returns which, and what was printed."""
    ran = []

    def pretend(outcome, setting, line):
        outcome.status = "ok"
        ran.append((outcome.path.name[:2], setting.profile))

    monkeypatch.setattr(runner, "run_notebook", pretend)
    monkeypatch.delenv("FER_PROFILE")

    def attempt(capsys, *options):
        assert cli.main(["run", "--data", "sample", "--out", str(tmp_path / "out"), *options]) == 0
        return ran, capsys.readouterr().out

    return attempt


def test_by_default_it_is_a_tour_of_minutes(tried, capsys):
    ran, printed = tried(capsys)
    assert ran == [(number, "smoke") for number in runner.TOUR.split(",")]
    seconds = re.search(r"took (?:(\d+) min )?(\d+) s on", printed)
    assert 60 * int(seconds[1] or 0) + int(seconds[2]) < 300, "the tour is to stay below five minutes"
    assert "That was the tour. Every notebook: --profile smoke" in printed


@pytest.mark.parametrize(
    ("options", "count", "expected"),
    [
        (["--profile", "smoke"], len(NOTEBOOKS), r"These \d+ notebooks took \d+ min"),
        (
            ["--profile", "lab"],
            len(NOTEBOOKS),
            r"These \d+ notebooks took \d h \d+ min on 2 CPU cores and 2 CPU cores with",
        ),
        (["--profile", "full"], len(NOTEBOOKS), r"Nobody has timed all of it.* took \d+ h"),
        (["--only", "07", "--profile", "lab"], 1, r"This notebook took \d+ min.* on 2 CPU cores\."),
        (["--only", "3"], 1, r"Profile smoke.*\nThis notebook took [\d.]+ s"),
    ],
)
def test_how_long_it_takes_is_said_before(tried, capsys, options, count, expected):
    ran, printed = tried(capsys, *options)
    assert len(ran) == count and "tour" not in printed
    assert re.search(expected, printed.partition("[1/")[0])


def test_a_line_in_a_terminal_needs_no_codes(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    line = Line("[1/1] 00_plot")
    line.show("cell 10/12 31 s, and more than that")
    line.end(Outcome(Path("00_plot.ipynb"), new_notebook(), "ok", 12, 31.5))
    shown = capsys.readouterr().out
    assert "\033" not in shown
    first, second, third = shown.rstrip("\n").split("\r")
    assert len(third) >= len(second) and third.rstrip().endswith("31.5 s")


def test_windows_gets_a_loop_that_can_wait_for_a_kernel(monkeypatch):
    chosen = []
    monkeypatch.setattr(runner.sys, "platform", "win32")
    monkeypatch.setattr(runner.asyncio, "WindowsSelectorEventLoopPolicy", lambda: "waits", raising=False)
    monkeypatch.setattr(runner.asyncio, "set_event_loop_policy", chosen.append)
    monkeypatch.setattr(runner, "AsyncKernelManager", lambda **_: None)
    monkeypatch.setattr(runner, "NotebookClient", lambda *_, **__: None)
    runner.new_client(new_notebook(), Path(), {})
    assert chosen == ["waits"]
