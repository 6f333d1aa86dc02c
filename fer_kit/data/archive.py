"""Zip archives of many small images, read in place: nothing is unpacked to disk."""

import mmap
import os
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

MAX_IMAGE_BYTES = 20_000_000
"""An entry that declares more than this is refused: no face image is 20 MB, a zip bomb is."""

_CENTRAL = struct.Struct("<I6H3I5H2I")  # one entry of a zip's central directory, 46 bytes
_END = struct.Struct("<I4H2IH")  # the end record, 22 bytes
_IN_64_BITS = 0xFFFFFFFF  # a number that stands in an extra field, for which 32 bits are too few
_STORED = 0
_DEFLATED = 8


class ZipImages:
    """The files in a zip archive as a mapping from name to bytes.

    The standard library takes half a second to list FER-2013's 35,887 entries; reading the central
    directory directly takes a tenth of that. Archives in an unusual format go through `zipfile`.
    Raises ValueError, naming the archive, when it is no zip, is cut short or holds unsafe names.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not zipfile.is_zipfile(self.path):
            raise ValueError(
                f"{self.path} is not a complete zip archive (cut short while downloading, or another "
                f"kind of file named .zip, {self.path.stat().st_size:,} bytes); download it again"
            )
        with self.path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        listed = [(name, where) for name, where in self._listing() if not name.endswith("/")]
        self._entries = dict(listed)
        self._refuse_twice([name for name, _ in listed])
        for name, (size, *_) in self._entries.items():
            self._refuse_unsafe(name, size)

    def __iter__(self):
        return iter(self._entries)

    def __getitem__(self, name):
        """Return the bytes of one file. Raises ValueError when they are damaged."""
        size, compressed, method, crc, offset = self._entries[name]
        try:
            lengths = struct.unpack_from("<2H", self._data, offset + 26)
            start = offset + 30 + sum(lengths)
            content = self._data[start : start + compressed]
            if method == _DEFLATED:
                content = zlib.decompressobj(-15).decompress(content, size)
            elif method != _STORED:
                raise ValueError(f"compression method {method}")
            if zlib.crc32(content) != crc:
                raise ValueError("wrong checksum")
        except (struct.error, zlib.error, ValueError) as error:
            raise ValueError(
                f"{name} in {self.path} is damaged ({error}); download the archive again"
            ) from error
        return content

    def _listing(self):
        """Return a list of (name, (size, compressed size, method, crc, offset)) from the central directory.

        It is read to its end: a count of more than 65,535 entries does not fit into the end record.
        """
        end = self._data.rfind(b"PK\5\6")
        *_, count, size, start, _ = _END.unpack_from(self._data, end)
        if start + size != end or count == 0xFFFF:  # zip64, or something in front of the archive
            return list(self._slow_listing())
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
                return list(self._slow_listing())
            entries.append((name, (size, compressed, method, crc, offset)))
        return entries

    def _slow_listing(self):
        with zipfile.ZipFile(self.path) as archive:
            for i in archive.infolist():
                name = i.filename.replace("\\", "/")
                yield name, (i.file_size, i.compress_size, i.compress_type, i.CRC, i.header_offset)

    def _refuse_twice(self, names):
        if len(names) > len(self._entries):
            twice = [name for name, count in Counter(names).items() if count > 1]
            raise ValueError(
                f"{self.path} holds {len(twice):,} names twice, the first is {twice[0]}, so that it is not "
                "known which file is meant. Unpack it, keep one of each, and point at the folder"
            )

    def _refuse_unsafe(self, name, size):
        if ".." in name and ".." in PurePosixPath(name).parts or name.startswith("/") or name[1:2] == ":":
            raise ValueError(f"{self.path} holds the unsafe name {name!r}; do not use this archive")
        if size > MAX_IMAGE_BYTES:
            raise ValueError(
                f"{name} in {self.path} declares {size:,} bytes, too many for a face image; "
                "do not use this archive"
            )


class FolderImages:
    """The files under a folder as a mapping from name (relative, with `/`) to bytes."""

    def __init__(self, path):
        self.path = Path(path)
        self._names = sorted(self._listing())

    def __iter__(self):
        return iter(self._names)

    def __getitem__(self, name):
        """Return the bytes of one file."""
        with open(f"{self.path}/{name}", "rb", buffering=0) as file:  # noqa: PTH123, Path is slow
            return file.read()

    def _listing(self):
        # os.walk, because with pathlib listing FER-2013 takes longer than decoding it.
        for folder, _, files in os.walk(self.path):
            inside = folder[len(str(self.path)) + 1 :].replace(os.sep, "/")
            yield from (f"{inside}/{file}" if inside else file for file in files)
