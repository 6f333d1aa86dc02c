"""Write what a run left: every notebook as HTML, its figures as files, and one page that shows it all."""

import platform
import re
from pathlib import Path

import jinja2

from fer_kit.reports import REPORTED
from fer_kit.runtime.files import replacing
from fer_kit.tools.gather import gather, title_of
from fer_kit.training import records

TEMPLATE = Path(__file__).with_name("page.html")

TEMPLATE_OF_A_NOTEBOOK = """{% extends "lab/index.html.j2" %}
{% block html_head_css %}
<style>@media print {
  .jp-Notebook pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .jp-Notebook .jp-RenderedHTMLCommon table { font-size: 7pt; }
  .jp-Notebook .jp-RenderedHTMLCommon :is(th, td) { padding: 0.3em 0.35em; }
}</style>
{% endblock %}
{% block data_png scoped %}
{% set alt = output | get_metadata("alt", "image/png") or "" %}
{{ super() | replace("<img ", '<img alt="' ~ (alt | escape_html) ~ '" ') }}
{% endblock %}"""
"""nbconvert's own, which leaves out the alt text of figures, and in print the ends of long lines and rows."""


def write_notebook(outcome, out):
    """Write an executed notebook to `out/notebooks/NN.html` and its figures to `out/figures/NN-*.png`.

    Figures that an earlier run left of the same notebook are removed.
    """
    from nbconvert import HTMLExporter

    number = outcome.path.name[:2]
    pictures, _ = gather(outcome.notebook, number)
    fresh = {picture.file: picture.png for picture in pictures}
    for old in (out / "figures").glob(f"{number}-*.png"):
        if old.name not in fresh:
            old.unlink()
    for name, png in fresh.items():
        with replacing(out / "figures" / name) as file:
            file.write(png)
    resources = {"metadata": {"name": title_of(outcome.notebook, outcome.path.stem)}}
    loader = jinja2.DictLoader({"notebook.html.j2": TEMPLATE_OF_A_NOTEBOOK})
    exporter = HTMLExporter(template_file="notebook.html.j2", extra_loaders=[loader])
    text, _ = exporter.from_notebook_node(outcome.notebook, resources=resources)
    text = re.sub(r'href="([0-9]{2})_\w+\.ipynb(#[^"]*)?"', r'href="\1.html\2"', text)
    with replacing(out / "notebooks" / f"{number}.html") as file:
        file.write(text.encode())


def write_page(outcomes, setting, seconds):
    """Write `out/index.html` for the outcomes so far and return its Path."""
    rows, pictures, results = [], [], []
    for outcome in outcomes:
        number = outcome.path.name[:2]
        shown, measured = gather(outcome.notebook, number)
        pictures += shown
        results += measured
        title = title_of(outcome.notebook, outcome.path.stem)
        rows.append({"number": number, "title": title, "outcome": outcome, "figures": len(shown)})
    text = render(rows, pictures, results, setting, seconds)
    index = setting.out / "index.html"
    with replacing(index) as file:
        file.write(text.encode())
    return index


def render(rows, pictures, results, setting, seconds):
    """Return the page as HTML text."""
    order = list(REPORTED)
    shown = {result.report_id for result in results} | {picture.report_id for picture in pictures}
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        rows=rows,
        results=sorted(results, key=lambda r: order.index(r.report_id)),
        of_reports=sorted((p for p in pictures if p.report_id), key=lambda p: order.index(p.report_id)),
        others=[p for p in pictures if not p.report_id],
        missing=[report_id for report_id in order if report_id not in shown],
        reported=REPORTED,
        setting=setting,
        warning=warning(setting),
        versions=versions(),
        duration=duration,
        seconds=seconds,
    )


def warning(setting):
    """Return why this run's numbers are not to be held against the reports', "" when they may be."""
    reasons = []
    if setting.data == "sample":
        reasons.append("The faces are the built-in sample, drawn by the kit, not FER-2013.")
    if setting.profile == "smoke":
        reasons.append("Profile smoke only checks that everything runs.")
    return " ".join([*reasons, "The numbers below mean nothing beside the reports'."]) if reasons else ""


def versions():
    """Return the versions of Python and of the packages that decide a result, as text."""
    return ", ".join([f"Python {platform.python_version()}", *map(" ".join, records.versions().items())])


def duration(seconds):
    """Return a time in seconds as text: `8.2 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
