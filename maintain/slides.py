"""Slides of a lesson, for the teacher: its headings, the first paragraph below each, and its figures.

They are made from the executed lesson and open in a browser (reveal.js, from its public address).
"""

import re
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter

from fer_kit.runtime.files import replacing

KEPT = ("image/png", "text/html")
"""The outputs that are shown: figures and tables."""


def write_slides(lessons, out):
    """Write a deck for each executed lesson of the folder `lessons` into `out`; return their Paths."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    exporter = SlidesExporter(exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.reveal_theme = "white"
    written = []
    for path in sorted(Path(lessons).glob("[0-9][0-9]_*.ipynb")):
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
    """Return a section's heading and its first paragraph, or None for a cell without a heading."""
    found = re.match(r"(#{1,3}) .+", cell.source)
    if found is None and not cell.source.startswith("**In this notebook you will**"):
        return None
    paragraphs = re.split(r"\n\s*\n", cell.source.strip())
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
