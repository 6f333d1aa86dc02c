"""`python -m maintain classroom --out DIR`: what a class needs of the kit, without solutions, to publish."""

import re
import shutil
from pathlib import Path

from fer_kit.runtime.files import claim, replacing
from maintain.badges import repository

KEPT = (
    *("README.md", "LICENSE", "LICENSE-lessons", "CITATION.cff", "CHANGELOG.md", "ARCHITECTURE.md"),
    *("pyproject.toml", "requirements.txt", "constraints.txt", "environment.yml"),
    *(".gitignore", ".gitattributes"),
    *("fer_kit", "labs", "figures", "data/README.md"),
    *("teaching/CONSENT.md", "teaching/ETHICS.md", "teaching/CAPSTONE.md"),
)
MARK = "class.txt"
"""By this file a folder is known as one that the command has written."""


def classroom(out, root=None):
    """Copy what students need of the repository at `root` to the folder `out`, and return its Path.

    In the README and other pages, what leads to a solved lesson is left out, and a link to another page that
    is not there becomes plain words. Raises FileExistsError for a folder of other things, and ValueError for
    one in the repository, which would be copied into itself.
    """
    root = Path(root or repository())
    out = Path(out)
    if out.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{out} lies in the repository; give a folder beside it with --out")
    claim(out, MARK, "Made by python -m maintain classroom, which replaces what is in this folder.\n")
    for name in KEPT:
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            leave_out = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(root / name, out / name, ignore=leave_out, dirs_exist_ok=True)
        else:
            shutil.copy2(root / name, out / name)
    for page in out.rglob("*.md"):
        with replacing(page) as file:
            file.write(for_students(page.read_text(encoding="utf-8"), page.parent).encode())
    return out


def for_students(text, folder):
    """Return a page of the class copy, whose text lies in `folder`, without what is not in that copy."""

    def link(found):
        target = found[2].partition("#")[0]
        return found[0] if not target or ":" in target or (folder / target).exists() else found[1]

    text = re.sub(r"\n\*\*For teachers:\*\*.*?\n(?=\n)", "", text, flags=re.DOTALL)
    text = re.sub(r"^python -m fer_kit run .*\n", "", text, flags=re.MULTILINE)  # a lab's stubs cannot run
    text = text.replace(" | lesson |\n|---|---|---|---|", " |\n|---|---|---|")
    text = re.sub(r" \| \[solved\]\(.*?\) \|", " |", text)
    return re.sub(r"(?<!!)\[([^\[\]]+)\]\(([^)\s]+)\)", link, text)
