"""`python -m maintain site --out DIR`: everything as web pages that can be read without running anything.

The lessons are executed on drawn faces, in the smoke profile, and show the recorded results of FER-2013
beside their own. Sphinx with MyST-NB makes the pages, which need no server: `pip install "fer-kit[site]"`.
A lesson is executed again only when it has changed.
"""

import re
import shutil
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from sphinx.application import Sphinx

from fer_kit.runtime.files import claim, replacing
from fer_kit.tools.labs import write_labs
from fer_kit.tools.run import Line, Outcome, find_notebooks, find_setting, run_notebook

ROOT = Path(__file__).parents[1]

PAGES = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "LICENSE-lessons", "CITATION.cff")
FOLDERS = ("teaching/*.md", "notebooks/*.md", "figures/**/*", "fer_kit/models/weights/*.md")

ROOMS = ("data", "models", "training", "evaluation", "studies", "camera", "plots")
"""The faces whose names lessons use."""

CONTENTS = {
    "Lessons": ("notebooks/[0-9]*",),
    "Labs, without solutions": ("labs/[0-9]*", "labs/GLOSSARY"),
    "Look things up": ("notebooks/GLOSSARY", "figures/README", "fer_kit/models/weights/*", "api/*"),
    "For teachers": ("notebooks/INSTRUCTORS", "slides", "teaching/*"),
    "The project": ("ARCHITECTURE", "CONTRIBUTING", "CHANGELOG"),
}

SLIDES = """# Slides

A deck for each lesson: its headings, the first words below them, and its figures. To show one, be online.

```{{raw}} html
<ul>{decks}</ul>
```
"""

SETTINGS = {
    "project": "Facial expression recognition: a teaching kit",
    "copyright": "lessons and figures: CC BY 4.0, code: MIT",
    "extensions": ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"],
    "html_theme": "furo",
    "html_title": "Facial expression recognition",
    "html_static_path": ["site.css"],
    "html_css_files": ["site.css"],
    "html_show_sphinx": False,
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "myst_heading_anchors": 4,
    "myst_enable_extensions": ["dollarmath"],
    "autodoc_default_options": {"members": True, "imported-members": True},
    "autodoc_typehints": "none",
    "default_role": "code",
    "highlight_language": "text",
    "suppress_warnings": [
        *("myst.header", "mystnb.unknown_mime_type", "misc.highlighting_failure"),
        *("app.add_node", "app.add_directive", "app.add_role"),  # a second site in one process
    ],
}


STYLE = """.cell_output { overflow-x: auto; }
.cell_output table { border: none; border-collapse: collapse; }
.cell_output th, .cell_output td { border: none; padding: 0.2em 0.6em; }
"""
"""A table that is wider than the page is moved by itself, and has the look of those with a style."""

MARK = "site.txt"
"""By this file a folder is known as that of a site."""


def site(out):
    """Build the site below `out` and return its index.html.

    `html` gets the pages and, in `html/slides`, a deck for each lesson; `source` is what they are made of.
    Raises FileExistsError for a folder of other things, and RuntimeError where a link leads nowhere.
    """
    claim(out, MARK, "Made by python -m maintain site, which replaces what is in this folder.\n")
    source = Path(out) / "source"
    html = Path(out) / "html"
    for old in [html, *(path for path in source.glob("*") if path.name != "notebooks")]:
        shutil.rmtree(old, ignore_errors=True)
    for page in [*source.glob("*.*"), *source.glob("notebooks/*.md")]:
        page.unlink()
    source.mkdir(parents=True, exist_ok=True)
    copy_pages(source)
    (source / "site.css").write_text(STYLE, encoding="utf-8")
    execute_lessons(source / "notebooks")
    write_labs(source / "labs")
    write_api(source / "api")
    write_index(source)
    app = Sphinx(source, None, html, Path(out) / "doctrees", "html", SETTINGS, warningiserror=True)
    app.connect("autodoc-process-docstring", keep_lines)
    app.build()
    if app.statuscode:
        raise RuntimeError("Sphinx has warnings, above: mend the pages that they name")
    write_slides(source / "notebooks", html / "slides")
    return html / "index.html"


def keep_lines(_app, what, _name, _object, _options, lines):
    """Show the table in a face's docstring as it is written."""
    if what == "module":
        lines[:] = ["::", "", *(f"   {line}" for line in lines)]


def copy_pages(source):
    """Copy the repository's pages and pictures; they keep their places, so links between them hold."""
    found = [path for pattern in FOLDERS for path in ROOT.glob(pattern) if path.is_file()]
    for path in [*(ROOT / name for name in PAGES), *found]:
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def execute_lessons(folder):
    """Execute every lesson that changed since the last call; raises RuntimeError when one fails."""
    setting = find_setting("sample", "smoke", folder.parent.parent / "output")
    for copy in folder.glob("*.ipynb"):
        if not (ROOT / "notebooks" / copy.name).exists():
            copy.unlink()  # the lesson has another name now
    for path in find_notebooks(ROOT / "notebooks"):
        copy = folder / path.name
        if copy.exists() and sources(copy) == sources(path):
            continue
        outcome = Outcome(path, nbformat.v4.new_notebook())
        run_notebook(outcome, setting, Line(path.stem))
        if outcome.failure:
            raise RuntimeError(f"{path.name} failed in {outcome.failure}")
        with replacing(copy) as file:
            file.write(nbformat.writes(outcome.notebook).encode())


def sources(path):
    """Return the texts of a notebook's cells."""
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def write_api(folder):
    """Write a page for each face: its docstring and the names that lessons import."""
    folder.mkdir(exist_ok=True)
    for room in ROOMS:
        page = f"# fer_kit.{room}\n\n```{{eval-rst}}\n.. automodule:: fer_kit.{room}\n```\n"
        (folder / f"{room}.md").write_text(page, encoding="utf-8")


def write_index(source):
    """Write the first page, the README with the contents of the site below it, and the list of slides."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for caption, patterns in CONTENTS.items():
        listed = "\n".join(patterns)
        page += f"\n```{{toctree}}\n:caption: {caption}\n:hidden:\n:glob:\n\n{listed}\n```\n"
    (source / "index.md").write_text(page, encoding="utf-8")
    lessons = find_notebooks(ROOT / "notebooks")
    decks = [
        f'<li><a href="slides/{path.stem}.html">{path.stem.replace("_", " ")}</a></li>' for path in lessons
    ]
    (source / "slides.md").write_text(SLIDES.format(decks="\n".join(decks)), encoding="utf-8")


# ---- slides: headings, the first paragraph below each, and figures; reveal.js from its public address ----

KEPT = ("image/png", "text/html")
"""The outputs that are shown: figures and tables."""


def write_slides(lessons, out):
    """Write a deck for each executed lesson of the folder `lessons` into `out`; return their Paths."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    exporter = SlidesExporter(exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.reveal_theme = "white"
    written = []
    for path in find_notebooks(lessons):
        text, _ = exporter.from_notebook_node(deck(nbformat.read(path, as_version=4)))
        written.append(out / f"{path.stem}.html")
        with replacing(written[-1]) as file:
            file.write(text.encode())
    return written


def deck(notebook):
    """Return the notebook of a deck: a slide for each section, and one below it for each figure or table."""
    slides = nbformat.v4.new_notebook(metadata=notebook.metadata)
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            continue
        kept = beginning(cell) if cell.cell_type == "markdown" else shown(cell)
        if kept is not None:
            slides.cells.append(kept)
    return slides


def beginning(cell):
    """Return a section's heading and its first paragraph that is no badge; None without a heading."""
    found = re.match(r"(#{1,3}) .+", cell.source)
    if found is None and not cell.source.startswith("**In this notebook you will**"):
        return None
    paragraphs = [part for part in re.split(r"\n\s*\n", cell.source.strip()) if not part.startswith("[![")]
    kind = "subslide" if found is None or len(found[1]) == 3 else "slide"
    about = {"slideshow": {"slide_type": kind}}
    return nbformat.v4.new_markdown_cell("\n\n".join(paragraphs[:2]), metadata=about)


def shown(cell):
    """Return a cell with the figures and tables that it showed, or None where there are none."""
    outputs = [output for output in cell.outputs if set(KEPT) & set(output.get("data", {}))]
    if not outputs:
        return None
    about = {"slideshow": {"slide_type": "subslide"}}
    return nbformat.v4.new_code_cell("", outputs=outputs, metadata=about)
