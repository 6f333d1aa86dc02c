"""Folders and archives of many small files as mappings from name to bytes, read in place."""

import bz2
import contextlib
import gzip
import lzma
import mmap
import os
import posixpath
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath
from threading import Lock

from fer_kit.data.files.kinds import HEAD, kind_of, looks_like_picture

MAX_IMAGE_BYTES = 20_000_000
"""A picture that declares more than this is refused: no face image is 20 MB, a zip bomb is."""

MAX_BYTES = 2_000_000_000
"""Any other file in an archive may unpack to this many bytes; fer2013.csv has 301 million."""

_CENTRAL = struct.Struct("<I6H3I5H2I")  # one entry of a zip's central directory, 46 bytes
_END = struct.Struct("<I4H2IH")  # the end record, 22 bytes
_IN_64_BITS = 0xFFFFFFFF  # a number that stands in an extra field, for which 32 bits are too few
_STORED = 0
_DEFLATED = 8
_ENCRYPTED = 1

SYSTEM_FOLDERS = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""At the top of a disk, and locked: no faces are in them."""

_OPENERS = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}


class FolderFiles:
    """The files under a folder as a mapping from name (relative, with `/`) to bytes."""

    def __init__(self, path):
        self.where = Path(path)
        self._names = sorted(self._listing())

    def __iter__(self):
        return iter(self._names)

    def __getitem__(self, name):
        """Return the bytes of one file."""
        with open(f"{self.where}/{name}", "rb", buffering=0) as file:  # noqa: PTH123, Path is slow
            return file.read()

    def open(self, name):
        """Return one file opened for reading."""
        return (self.where / name).open("rb")

    def head(self, name):
        """Return the first `HEAD` bytes of one file, none where it cannot be opened."""
        try:
            with self.open(name) as file:
                return file.read(HEAD)
        except (FileNotFoundError, PermissionError):
            return b""

    def _listing(self):
        # os.walk, because with pathlib listing FER-2013 takes longer than decoding it.
        for folder, folders, files in os.walk(self.where, onerror=_refuse, followlinks=True):
            folders[:] = [inner for inner in folders if not _leads_back(Path(folder, inner), self.where)]
            inside = os.path.relpath(folder, self.where).replace(os.sep, "/")
            yield from (file if inside == "." else f"{inside}/{file}" for file in files)


def _refuse(error):
    name = Path(error.filename).name
    if not name.startswith(".") and name not in SYSTEM_FOLDERS:
        raise error  # a folder that cannot be listed would be missing without a word


def _leads_back(folder, where):
    """Whether a folder is a link to one above it, in which one would walk for ever."""
    if not folder.is_symlink():
        return False
    between = ((where / part).resolve() for part in folder.relative_to(where).parents)
    return folder.resolve() in {*between, *where.resolve().parents}


class OneFile:
    """A single file as a mapping of one name: `name` in the folder `where`, or the opened `file`."""

    def __init__(self, where, name, file=None):
        self.where = Path(where)
        self.name = name
        self._file = file

    def __iter__(self):
        return iter([self.name])

    def __getitem__(self, name):
        """Return the bytes of the file."""
        with self.open(name) as file:
            return file.read()

    def open(self, name):
        """Return the file opened for reading."""
        if self._file is None:
            return (self.where / name).open("rb")
        file = os.fdopen(os.dup(self._file.fileno()), "rb")  # so that it can be closed and opened again
        file.seek(0)
        return file

    def head(self, name):
        """Return the first `HEAD` bytes of the file."""
        with self.open(name) as file:
            return file.read(HEAD)


class ZipFiles:
    """The files in a zip archive as a mapping from name to bytes.

    The standard library takes half a second to list FER-2013's 35,887 entries; reading the central
    directory directly takes a tenth of that. Archives in an unusual format go through `zipfile`.

    Args:
        path: the archive, or the name by which messages are to call it.
        file: the opened archive, where it is not the file at `path`.

    Raises:
        ValueError: naming the archive, when it is no zip, is cut short, has a password or unsafe names.
    """

    def __init__(self, path, file=None):
        self.where = Path(path)
        self._file = file or self.where.open("rb")
        self._opening = Lock()
        self._standard = None
        if not zipfile.is_zipfile(self._file):
            size = self._file.seek(0, os.SEEK_END)
            raise ValueError(
                f"{self.where} is not a complete zip archive (cut short while downloading, one part of "
                f"several, or another kind of file named .zip, {size:,} bytes); download it again"
            )
        self._data = _mapped(self._file)
        listed = [entry for entry in self._listing() if not entry[0].endswith("/")]
        self._refuse_locked(listed)
        self._entries = {name: where for name, where, _ in listed}
        _refuse_twice(self.where, [name for name, *_ in listed])
        for name, (size, *_) in self._entries.items():
            _refuse_unsafe(self.where, name, size)

    def __iter__(self):
        return iter(self._entries)

    def __getitem__(self, name):
        """Return the bytes of one file. Raises ValueError when they are damaged."""
        size, compressed, method, crc, offset = self._entries[name]
        if size > MAX_IMAGE_BYTES:
            raise ValueError(_too_large(name, self.where, size))
        if method not in (_STORED, _DEFLATED):
            return self._rarely_packed(name)
        try:
            lengths = struct.unpack_from("<2H", self._data, offset + 26)
            start = offset + 30 + sum(lengths)
            content = self._data[start : start + compressed]
            if method == _DEFLATED:
                content = zlib.decompressobj(-15).decompress(content, max(size, 1))  # 0 is no limit
            if zlib.crc32(content) != crc:
                raise ValueError("wrong checksum")
        except (struct.error, zlib.error, ValueError) as error:
            raise ValueError(
                f"{name} in {self.where} is damaged ({error}); download the archive again"
            ) from error
        return content

    def open(self, name):
        """Return one file, however large, unpacked to a temporary file that goes when it is closed."""
        with self._packed(name) as packed:
            return _unpacked(packed, f"{name} in {self.where}")

    def head(self, name):
        """Return the first `HEAD` bytes of one file."""
        with self._packed(name) as packed:
            return packed.read(HEAD)

    def _rarely_packed(self, name):
        with self._packed(name) as packed:
            return packed.read()

    @contextlib.contextmanager
    def _packed(self, name):
        """The standard library's stream of one file, with its errors in the kit's words."""
        try:
            archive, infos = self._opened()
            with archive.open(infos[name]) as packed:
                yield packed
        except NotImplementedError as error:
            raise ValueError(
                f"{name} in {self.where} is packed by a method that Python cannot undo; unpack the archive "
                "and point at the folder"
            ) from error
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise ValueError(
                f"{name} in {self.where} is damaged ({error}); download the archive again"
            ) from error

    def _opened(self):
        """The standard library's archive and its entries by name; threads that ask at once share one."""
        with self._opening:
            if self._standard is None:
                archive = zipfile.ZipFile(self._file)
                self._standard = archive, {i.filename.replace("\\", "/"): i for i in archive.infolist()}
        return self._standard

    def _refuse_locked(self, listed):
        locked = next((name for name, _, flags in listed if flags & _ENCRYPTED), None)
        if locked:
            raise ValueError(
                f"{self.where} has a password ({locked} is encrypted): unpack it with the password that its "
                "authors gave you, and point at the folder"
            )

    def _listing(self):
        """Return a list of (name, (size, compressed size, method, crc, offset), flags) of the directory.

        It is read to its end: a count of more than 65,535 entries does not fit into the end record.
        """
        end = self._data.rfind(b"PK\5\6")
        *_, count, size, start, _ = _END.unpack_from(self._data, end)
        if start + size != end or count == 0xFFFF:  # zip64, or something in front of the archive
            return self._slow_listing()
        entries = []
        place = start
        while place < end:
            entry = _CENTRAL.unpack_from(self._data, place)
            _, _, _, flags, method, _, _, crc, compressed, size, *lengths, _, _, _, offset = entry
            start = place + _CENTRAL.size
            place = start + sum(lengths)  # of the name, of extra fields and of a comment
            raw = self._data[start : start + lengths[0]]
            name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace").replace("\\", "/")
            if _IN_64_BITS in (size, compressed, offset):
                return self._slow_listing()
            entries.append((name, (size, compressed, method, crc, offset), flags))
        return entries

    def _slow_listing(self):
        entries = []
        for i in self._opened()[0].infolist():
            place = (i.file_size, i.compress_size, i.compress_type, i.CRC, i.header_offset)
            entries.append((i.filename.replace("\\", "/"), place, i.flag_bits))
        return entries


class TarFiles:
    """The files in a tar archive that is not compressed, as a mapping from name to bytes.

    `path` and `file` are as in `ZipFiles`. Raises ValueError for an archive that is cut short or holds
    unsafe names.
    """

    def __init__(self, path, file=None):
        self.where = Path(path)
        file = file or self.where.open("rb")
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                members = [m for m in archive.getmembers() if not m.isdir()]
        except tarfile.TarError as error:
            raise ValueError(f"{self.where} is damaged ({error}); download it again") from error
        self._data = _mapped(file)
        plain = [m for m in members if m.isreg() and not m.issparse()]
        _refuse_twice(self.where, [m.name.removeprefix("./") for m in members])
        self._entries = {m.name.removeprefix("./"): (m.offset_data, m.size) for m in plain}
        self._follow([m for m in members if m not in plain])
        for name, (offset, size) in self._entries.items():
            _refuse_unsafe(self.where, name, size)
            if offset + size > len(self._data):
                raise ValueError(f"{self.where} is cut short within {name}; download it again")

    def _follow(self, others):
        """Take what links lead to, as in a folder. Raises ValueError for a picture that cannot be had."""
        for member in others:
            home = "" if member.islnk() else posixpath.dirname(member.name)
            target = posixpath.normpath(posixpath.join(home, member.linkname))
            name = member.name.removeprefix("./")
            if target in self._entries:
                self._entries[name] = self._entries[target]
            elif looks_like_picture(name):
                raise ValueError(
                    f"{self.where} holds {name} as a link to what is not in it, or in an unusual form; "
                    "unpack it, and point at the folder"
                )

    def __iter__(self):
        return iter(self._entries)

    def __getitem__(self, name):
        """Return the bytes of one file."""
        start, size = self._entries[name]
        if size > MAX_IMAGE_BYTES:
            raise ValueError(_too_large(name, self.where, size))
        return self._data[start : start + size]

    def head(self, name):
        """Return the first `HEAD` bytes of one file."""
        start, size = self._entries[name]
        return self._data[start : start + min(size, HEAD)]

    def open(self, name):
        """Return one file as a temporary file, which goes when it is closed."""
        file = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
        start, size = self._entries[name]
        file.write(memoryview(self._data)[start : start + size])
        file.seek(0)
        return file


def open_archive(path, kind, file=None):
    """Return the mapping of what is in an archive.

    Args:
        path: the file, or how messages are to call it.
        kind: as `kind_of` tells it, one of `kinds.ARCHIVES`.
        file: the opened archive, where it is not the file at `path`.

    Raises:
        ValueError: it is damaged, locked, unsafe or too large.
    """
    if kind == "zip":
        return ZipFiles(path, file)
    if kind == "tar":
        return TarFiles(path, file)
    try:
        with _OPENERS[kind](file or path) as packed:
            content = _unpacked(packed, path)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"{path} is damaged ({error}); download it again") from error
    inner = kind_of(content.read(HEAD))
    content.seek(0)
    if inner in _OPENERS:
        raise ValueError(f"{path} is compressed twice; unpack it once")
    if inner in ("zip", "tar"):
        return open_archive(path, inner, content)
    return OneFile(path, Path(path).stem, content)


def _mapped(file):
    """Return the content of an opened file, mapped into memory; a mapping outlives the file."""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _unpacked(packed, name):
    """Return a temporary file with all that `packed` gives. Raises ValueError beyond `MAX_BYTES`."""
    file = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
    while block := packed.read(1 << 20):
        file.write(block)
        if file.tell() > MAX_BYTES:
            file.close()
            raise ValueError(f"{name} unpacks to more than {MAX_BYTES:,} bytes; do not use this archive")
    file.seek(0)
    return file


def _refuse_twice(where, names):
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{where} holds {len(twice):,} names twice, the first is {twice[0]}, so that it is not known "
            "which file is meant. Unpack it, keep one of each, and point at the folder"
        )


def _refuse_unsafe(where, name, size):
    if ".." in name and ".." in PurePosixPath(name).parts or name.startswith("/") or name[1:2] == ":":
        raise ValueError(f"{where} holds the unsafe name {name!r}; do not use this archive")
    if size > MAX_IMAGE_BYTES and (size > MAX_BYTES or looks_like_picture(name)):
        raise ValueError(_too_large(name, where, size))


def _too_large(name, where, size):
    return f"{name} in {where} declares {size:,} bytes, too many for a face image; do not use this archive"
