"""`python -m maintain badges`: one address, written into every badge and clone line."""

import re
import shutil

import pytest
from house import NOTEBOOKS, ROOT

from maintain.__main__ import main as maintain_main
from maintain.badges import address_of, texts, with_address, write_badges

ELSEWHERE = "https://github.com/a-school/faces.2026"
HERE = "faces.2026"


@pytest.fixture
def copy(tmp_path):
    """A copy of what of the repository holds an address, with an empty file beside it."""
    for path in [ROOT / "pyproject.toml", *texts(ROOT)]:
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(exist_ok=True)
        shutil.copy(path, copied)
    return tmp_path


def move(root, address):
    """Put another address into pyproject.toml."""
    file = root / "pyproject.toml"
    file.write_text(file.read_text().replace(address_of(root), address))


def test_the_repository_is_up_to_date():
    stale = [
        path for path in texts(ROOT) if with_address(path.read_text(), address_of(ROOT)) != path.read_text()
    ]
    assert not stale, f"{stale} hold another address than pyproject.toml: run `python -m maintain badges`"


def test_another_address_reaches_every_notebook_and_comes_back(copy):
    before = {path: path.read_bytes() for path in texts(copy)}
    old = address_of(copy)
    move(copy, ELSEWHERE)
    changed = write_badges(copy)
    notebooks = [*copy.glob("notebooks/*.ipynb"), *copy.glob("labs/*.ipynb")]
    assert {*notebooks, copy / "README.md", copy / "CITATION.cff"} <= set(changed)
    for path in notebooks:
        text = path.read_text()
        assert f"/github/a-school/faces.2026/blob/main/{path.parent.name}/{path.name})" in text
        assert f"%pip install --quiet --no-deps git+{ELSEWHERE}\\n" in text
        assert old not in text and old.removeprefix("https://github.com/") + "/blob" not in text
    assert write_badges(copy) == []
    move(copy, old)
    write_badges(copy)
    assert {path: path.read_bytes() for path in texts(copy)} == before


@pytest.mark.parametrize("path", texts(ROOT), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_badges_open_a_file_that_is_there(path):
    """A lesson's opens the lesson, a lab's the lab."""
    opened = re.findall(r"/blob/main/([\w./-]+)", path.read_text())
    for name in opened:
        assert (ROOT / name).is_file(), f"{path.name} opens {name}, which is not there"
    if path.suffix == ".ipynb":
        assert opened == [path.relative_to(ROOT).as_posix()]


@pytest.mark.parametrize("lesson", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_readme_opens_each_lab_and_lesson(lesson):
    lab = f"{address_of(ROOT).removeprefix('https://github.com/')}/blob/main/labs/{lesson.name}"
    row = (
        rf"^\| \[{lesson.name[:2]} .+?\]\(labs/{lesson.name}\) \| .+ \| "
        rf"\[Colab\]\(https://colab\.research\.google\.com/github/{lab}\) · "
        rf"\[Kaggle\]\(https://kaggle\.com/kernels/welcome\?src=https://github\.com/{lab}\) \| "
        rf"\[solved\]\(notebooks/{lesson.name}\) \|$"
    )
    readme = (ROOT / "README.md").read_text()
    assert re.search(row, readme, re.MULTILINE), f"the table of README.md needs a row like the others: {row}"


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120
    assert (ROOT / "figures" / "demo.gif").stat().st_size <= 1_500_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("git clone https://github.com/x/y", f"git clone {ELSEWHERE}"),
        ("git clone https://github.com/x/y.git && cd y", f"git clone {ELSEWHERE} && cd {HERE}"),
        ("git clone https://github.com/x/y\ncd y\n", f"git clone {ELSEWHERE}\ncd {HERE}\n"),
        ("pip install git+https://github.com/x/y", f"pip install git+{ELSEWHERE}"),
        ("(`git clone --depth 1 https://github.com/x/y`).", f"(`git clone --depth 1 {ELSEWHERE}`)."),
        (
            "(https://kaggle.com/kernels/welcome?src=https://github.com/x/y/blob/main/labs/a.ipynb)",
            f"(https://kaggle.com/kernels/welcome?src={ELSEWHERE}/blob/main/labs/a.ipynb)",
        ),
        ('repository-code: "https://github.com/x/y"', f'repository-code: "{ELSEWHERE}"'),
        ("![a](https://github.com/x/y/raw/main/figures/a.gif)", f"![a]({ELSEWHERE}/raw/main/figures/a.gif)"),
        ("see https://github.com/keras-team/keras", "see https://github.com/keras-team/keras"),
    ],
)
def test_clone_lines(line, expected):
    assert with_address(line, ELSEWHERE) == expected


@pytest.mark.parametrize("address", ["https://gitlab.com/a/b", "github.com/a/b", "https://github.com/a", ""])
def test_an_address_that_colab_cannot_open(copy, address):
    move(copy, address)
    with pytest.raises(ValueError, match=r"pyproject.toml: put the address under \[project.urls\]"):
        write_badges(copy)


def test_the_command_says_what_changed(copy, capsys, monkeypatch):
    monkeypatch.chdir(copy)
    assert maintain_main(["badges"]) == 0
    assert "All badges and clone lines are right." in capsys.readouterr().out
    move(copy, ELSEWHERE)
    assert maintain_main(["badges"]) == 0
    assert "00_start_here.ipynb" in capsys.readouterr().out
