"""Writing files so that nothing is half-written or written over, reading them so that damage is noticed."""

import contextlib
import fnmatch
import hashlib
import json
from pathlib import Path

from fer_kit.runtime.names import by_door

CHECKSUM = "checksum"
"""The name under which a JSON file keeps a digest of everything else in it."""


@contextlib.contextmanager
def replacing(path):
    """Open a binary file that takes the place of `path` at the end, or leaves `path` as it was on any error.

    Missing folders are made. Raises OSError as `open` does; a full disk loses nothing that was there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(path)
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:  # a full disk names no file
            error.filename = str(path)
        raise


def partial_of(path):
    """Return the Path under which the kit writes a file until it is whole."""
    path = Path(path)
    return path.with_name(f"{path.name}.fer_kit-partial")


def check_free(path, overwrite=False):
    """Raise FileExistsError when there is something at `path`, IsADirectoryError when that is a folder.

    With `overwrite` a file may be there.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    if not overwrite and (path.exists() or path.is_symlink()):
        allow = by_door("pass overwrite=True", "add --overwrite")
        raise FileExistsError(f"{path} is there already, and stays as it is. Give another name, or {allow}")


class Written:
    """The files that the kit wrote into a folder: only these does it replace or delete there.

    Their names and digests stand in the folder's `Written.LIST`. A file that somebody has changed since, or
    put there, is left alone.
    """

    LIST = "fer_kit-written.json"

    def __init__(self, folder, overwrite=False):
        self.folder = Path(folder)
        self.overwrite = overwrite
        path = self.folder / self.LIST
        self.digests = read_json(path) if path.exists() else {}

    def check(self, names):
        """Raise FileExistsError for the first of `names` at which there is something that is not the kit's.

        With `overwrite` such files may be replaced, but not deleted.
        """
        for name in names:
            path = self.folder / name
            if path.exists() and not self.overwrite and not self.owns(name):
                otherwise = by_door("as out, or pass overwrite=True", "with --out, or add --overwrite")
                raise FileExistsError(
                    f"{path} was not written by fer_kit, or was changed since. Move it away, give another "
                    f"folder {otherwise}"
                )

    def owns(self, name):
        """Return whether the file `name` is there as the kit wrote it."""
        path = self.folder / name
        return path.is_file() and _digest(path.read_bytes()) in self.digests.get(name, ())

    def write(self, name, content):
        """Write bytes to the file `name`, all or nothing. Raises FileExistsError as `check` does."""
        self.check([name])
        # Until the new file is in its place the list holds both: a kill in between makes neither a stranger.
        self.digests[name] = [*self.digests.get(name, [])[-1:], _digest(content)]
        write_json(self.folder / self.LIST, self.digests)
        with replacing(self.folder / name) as file:
            file.write(content)

    def keep_only(self, pattern, names):
        """Delete the kit's files that match `pattern`, such as `figures/03-*.png`, and are not in `names`."""
        for name in fnmatch.filter(self.digests, pattern):
            if name not in names:
                if self.owns(name):
                    (self.folder / name).unlink()
                del self.digests[name]
        write_json(self.folder / self.LIST, self.digests)


def claim(folder, mark, text):
    """Make a folder whose content is the kit's, which the file `mark` in it says in the words of `text`.

    Raises FileExistsError for a folder that holds other things and no such file.
    """
    written = Written(folder)
    if written.folder.exists() and any(written.folder.iterdir()) and not written.owns(mark):
        raise FileExistsError(
            f"{folder} holds other things, and what is in it would be replaced; give a new folder with --out"
        )
    written.write(mark, text.encode())


def _digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


class Read(dict):
    """What a JSON file holds. A name that it lacks is a ValueError that names the file."""

    def __init__(self, path, content):
        super().__init__(content)
        self.path = path

    def __missing__(self, name):
        raise ValueError(f"{self.path} is damaged, or another program's: it says nothing of {name!r}")


def read_json(path, advice="restore it from a copy"):
    """Return the object that a JSON file holds, a dict. Raises ValueError, naming it, for anything else.

    When the file has the `CHECKSUM` of `write_sealed`, it is checked and left out of what is returned.
    `advice` says what to do about a damaged file.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=lambda node: Read(path, node))
    except (ValueError, RecursionError, IsADirectoryError) as error:  # also no UTF-8
        raise ValueError(f"{path} is damaged ({error}); {advice}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} is damaged: it holds a {type(content).__name__}, not names and values; {advice}"
        )
    if CHECKSUM in content and content.pop(CHECKSUM) != digest_of(content):
        raise ValueError(f"{path} is damaged, or was changed by hand: its checksum is another; {advice}")
    return content


def write_json(path, data):
    """Write `data` as JSON, all or nothing."""
    with replacing(path) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())


def write_csv(path, table, **options):
    """Write a DataFrame as CSV, all or nothing; `options` are those of its `to_csv`."""
    with replacing(path) as file:
        file.write(table.to_csv(**options).encode())


def write_sealed(path, data):
    """Write a dict as JSON with its checksum, all or nothing."""
    plain = json.loads(json.dumps(data))
    write_json(path, plain | {CHECKSUM: digest_of(plain)})


def digest_of(data):
    """Return 16 hexadecimal digits that change with any value in `data`, not with the order of names."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(path):
    """Return the SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
