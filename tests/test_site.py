"""The site: pages from the repository's own, with links that hold. The lessons are not executed here."""

import re
import shutil

import nbformat
import pytest

pytest.importorskip("sphinx", reason="the extra `site` is not installed")

from house import NOTEBOOKS, ROOT

from maintain import site


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of the built site, its lessons without outputs. Sphinx's warnings are errors."""

    def copy(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in NOTEBOOKS:
            shutil.copy(path, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "execute_lessons", copy)
        return site.site(tmp_path_factory.mktemp("site")).parent


def test_every_lesson_lab_and_face_has_a_page(pages):
    for path in NOTEBOOKS:
        assert (pages / "notebooks" / path.with_suffix(".html").name).exists()
        assert "TODO" in (pages / "labs" / path.with_suffix(".html").name).read_text("utf-8")
    models = (pages / "api" / "models.html").read_text("utf-8")
    assert "load_pretrained" in models and "Raises" in models and "pretrained  the trained weights" in models


def test_a_deck_has_a_slide_for_each_section_and_figure_and_no_solution(pages):
    image = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "figure"})
    text = nbformat.v4.new_output("stream", text="epoch 1")
    lesson = nbformat.v4.new_notebook()
    lesson.cells = [
        nbformat.v4.new_markdown_cell("# 04 · A network\n\nbadge"),
        nbformat.v4.new_markdown_cell("## 1. Train it\n\nThe point.\n\nDetails."),
        nbformat.v4.new_code_cell("train()", outputs=[text]),
        nbformat.v4.new_code_cell("draw()", outputs=[text, image]),
        nbformat.v4.new_code_cell("answer = 3", outputs=[image], metadata={"tags": ["solution"]}),
        nbformat.v4.new_markdown_cell("Nothing to show."),
    ]
    made = site.deck(lesson)
    kinds = [cell.metadata.slideshow.slide_type for cell in made.cells]
    assert kinds == ["slide", "slide", "subslide"]
    assert made.cells[1].source == "## 1. Train it\n\nThe point." and made.cells[2].outputs == [image]
    assert len(list((pages / "slides").glob("*.html"))) == len(NOTEBOOKS)


def test_a_link_that_leads_nowhere_is_no_site(tmp_path, monkeypatch):
    for name in ("execute_lessons", "write_api", "write_index", "write_labs"):
        monkeypatch.setattr(site, name, lambda folder: None)
    monkeypatch.setattr(
        site, "copy_pages", lambda folder: (folder / "index.md").write_text("# A\n\n[b](b.md)")
    )
    with pytest.raises(RuntimeError, match="Sphinx has warnings"):
        site.site(tmp_path / "site")


def test_links_within_the_site_lead_somewhere(pages):
    dead = []
    for page in set(pages.rglob("*.html")) - set((pages / "slides").iterdir()):
        text = page.read_text("utf-8")
        for link in re.findall(r'(?:href|src)="([^"#?]+)', text):
            if not re.match(r"\w+:|//", link) and not (page.parent / link).exists():
                dead.append(f"{page.relative_to(pages)}: {link}")
    assert not dead


def test_a_lesson_is_executed_again_only_when_its_cells_changed(tmp_path, monkeypatch):
    ran = []

    def run(outcome, setting, line):
        outcome.notebook = nbformat.read(outcome.path, as_version=4)
        ran.append(outcome.path.name)

    monkeypatch.setattr(site, "run_notebook", run)
    folder = tmp_path / "source" / "notebooks"
    folder.mkdir(parents=True)
    site.execute_lessons(folder)
    assert ran == [path.name for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    changed = folder / ran[3]
    changed.write_text(changed.read_text("utf-8").replace("## Exercises", "## Exercise"), "utf-8")
    del ran[:]
    site.execute_lessons(folder)
    assert ran == [changed.name]
