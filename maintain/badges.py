"""Write the repository's address into every badge and clone line; it is kept in one place, pyproject.toml."""

import re
from pathlib import Path

from fer_kit.runtime.files import replacing

ADDRESS = re.compile(r'^Repository = "(.*)"', re.MULTILINE)
OPENING = r"https://colab\.research\.google\.com/github/|https://kaggle\.com/kernels/welcome\?src=https://github\.com/"
BADGE = re.compile(rf"({OPENING})[\w.-]+/[\w.-]+(/blob/)")
PICTURE = re.compile(r"(https://github\.com/)[\w.-]+/[\w.-]+(/raw/main/figures/)")
CLONE = re.compile(r"(git clone (?:--?[\w-]+ (?:\d+ )?)*|git\+|repository-code: \")https://[\w./-]+[\w-]")
FOLDER = re.compile(r"(git clone .*https://\S+(?:\n| && )cd )\S+")

FOLDERS = ("notebooks", "labs", "teaching")
KINDS = ("ipynb", "md")


def write_badges(root=None):
    """Rewrite all badges and clone lines of the repository at `root`; return the Paths that changed.

    Looks through lessons, labs and the guides beside them, and the files at the top. Raises ValueError for
    an address that Colab cannot open.
    """
    root = Path(root or repository())
    address = address_of(root)
    changed = []
    for path in texts(root):
        before = path.read_text(encoding="utf-8")
        after = with_address(before, address)
        if after != before:
            changed.append(path)
            with replacing(path) as file:
                file.write(after.encode())
    return changed


def repository():
    """Return the Path of the repository: the current folder, or the one that the package lies in.

    Raises FileNotFoundError when the kit was installed without its repository.
    """
    for root in (Path(), Path(__file__).parents[1]):
        if (root / "pyproject.toml").exists() and (root / "notebooks").is_dir():
            return root
    raise FileNotFoundError("there is no pyproject.toml beside notebooks/; start this in the repository")


def texts(root):
    """Return the Paths of the files that may hold an address, sorted."""
    patterns = ("*.md", "*.cff", "*.yml", *(f"{folder}/*.{kind}" for folder in FOLDERS for kind in KINDS))
    return sorted(path for pattern in patterns for path in Path(root).glob(pattern))


def address_of(root):
    """Return the address in [project.urls] of a repository's pyproject.toml, such as `https://github.com/a/b`.

    Raises ValueError when it is missing or is not GitHub's: Colab's badges open nothing else.
    """
    found = ADDRESS.search((Path(root) / "pyproject.toml").read_text(encoding="utf-8"))
    if not found or not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", found[1]):
        raise ValueError(
            f"{Path(root) / 'pyproject.toml'}: put the address under [project.urls] as "
            f'Repository = "https://github.com/OWNER/NAME", not {found[1] if found else "nothing"!r}'
        )
    return found[1].removesuffix(".git")


def with_address(text, address):
    """Return a file's text with `address` in its badges, pictures, `git clone` lines and `git+https` links.

    The `cd` after a clone enters its folder. Badges are links that open a notebook in Colab or Kaggle.
    """
    owner_and_name = address.removeprefix("https://github.com/")
    for pattern in (BADGE, PICTURE):
        text = pattern.sub(rf"\g<1>{owner_and_name}\g<2>", text)
    text = FOLDER.sub(rf"\g<1>{address.rpartition('/')[2]}", text)
    return CLONE.sub(rf"\g<1>{address}", text)
