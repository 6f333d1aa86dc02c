"""`fer2013.csv` to arrays: every value checked, all cores used, one block of rows at a time."""

import functools
import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fer_kit.data.emotions import EMOTIONS, USAGES
from fer_kit.data.faceset import SIZE

COLUMNS = ("emotion", "pixels", "usage")
PIXELS = SIZE * SIZE
BLOCK = 256
"""Rows parsed in one go: about 2 MB of text, which fits into a processor's cache."""


def read_csv(path):
    """Read a csv with the columns emotion (0-6), pixels (2,304 numbers 0-255) and Usage.

    Returns (images uint8 (N, 48, 48), labels int64 (N,), usage str (N,)).
    Raises ValueError, naming the file and the line, for anything that is not so.
    """
    path = Path(path)
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty; download it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        header = text.readline()
        columns = _columns(path, header)
        starts = _line_starts(text, len(header))
        rows = len(starts) - 1
        if not rows:
            raise ValueError(f"{path} has a header and no rows; download it again")
        images = np.empty((rows, PIXELS), np.uint8)
        labels, usage = np.empty(rows, np.int64), np.empty(rows, "<U11")

        def parse(first):
            last = min(first + BLOCK, rows)
            lines = [text[starts[i] : starts[i + 1]] for i in range(first, last)]
            block = _Block(path, first + 2, lines, columns)
            labels[first:last], usage[first:last] = block.labels_and_usage()
            images[first:last] = block.pixels()

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(parse, range(0, rows, BLOCK)))
    return images.reshape(rows, SIZE, SIZE), labels, usage


def _columns(path, header):
    names = [n.strip(' "\r\n').lower() for n in header.decode("utf-8-sig", "replace").split(",")]
    missing = [c for c in COLUMNS if c not in names]
    if missing:
        raise ValueError(
            f"{path} has no column {' and no column '.join(missing)}; its first line must be "
            f"emotion,pixels,Usage, and is {', '.join(names)[:80]}"
        )
    return [names.index(c) for c in COLUMNS]


def _line_starts(text, start):
    """Offsets of the lines' starts and of the end, empty lines at the end of the file left out."""
    end = len(text)
    while end > start and text[end - 1] in b"\r\n ":
        end -= 1
    starts = [start]
    while (start := text.find(b"\n", start, end) + 1) > 0:
        starts.append(start)
    return starts + [end] if end > starts[-1] else starts


class _Block:
    """Some consecutive rows of the csv, split into their cells."""

    def __init__(self, path, first_line, lines, columns):
        self.path, self.first_line = path, first_line
        self.cells = []
        for i, line in enumerate(lines):
            cells = line.rstrip(b"\r\n").split(b",")
            if len(cells) <= max(columns):
                self._fail(i, f"has {len(cells)} columns")
            self.cells.append([cells[c].strip(b' "') for c in columns])

    def _fail(self, row, what):
        raise ValueError(f"{self.path}, line {self.first_line + row}: {what}; mend or delete the line")

    def labels_and_usage(self):
        codes = {str(k).encode(): k for k in range(len(EMOTIONS))}
        usages = {u.encode(): u for u in USAGES}
        for i, (emotion, _, usage) in enumerate(self.cells):
            if emotion not in codes:
                self._fail(i, f"emotion is {emotion.decode()!r}, not a code from 0 to {len(EMOTIONS) - 1}")
            if usage not in usages:
                self._fail(i, f"Usage is {usage.decode()!r}, not one of {', '.join(USAGES)}")
        return [codes[c[0]] for c in self.cells], [usages[c[2]] for c in self.cells]

    def pixels(self):
        """uint8 (rows, 2304): all rows at once, or row by row when something in them is unusual."""
        values = _parse_digits([cells[1] for cells in self.cells])
        if values is None:
            values = [self._pixels_of(i) for i in range(len(self.cells))]
        return values

    def _pixels_of(self, row):
        numbers = self.cells[row][1].split()
        if len(numbers) != PIXELS:
            self._fail(row, f"has {len(numbers):,} pixels, not {PIXELS:,}")
        for place, number in enumerate(numbers):
            if not (number.isdigit() and int(number) <= 255):
                self._fail(
                    row, f"pixel {place} is {number.decode(errors='replace')!r}, not a number from 0 to 255"
                )
        return [int(n) for n in numbers]


@functools.cache
def _number_table():
    """uint16 (2**24,): for the three bytes in front of a separator, the number they end with plus 1, or 0.

    One look-up thus reads a number of one to three digits and checks it. Only the 1,500 or so entries
    for real numbers are ever touched, so the table stays in the processor's cache.
    """
    table = np.zeros(1 << 24, np.uint16)
    space = (b" ", b"\n")
    for value in range(256):
        digits = str(value).encode()
        before = {1: [bytes([a]) + b for a in b"0123456789 \n" for b in space], 2: space, 3: [b""]}
        for front in before[len(digits)]:
            table[int.from_bytes(front + digits, "little")] = value + 1
    return table


def _parse_digits(cells):
    """Parse rows of numbers parted by single spaces: uint8 (rows, 2304), or None where they are not that."""
    text = b"\n\n\n" + b"\n".join(cells) + b"\n"
    codes = np.frombuffer(text, np.uint8, offset=3)
    separator = codes < ord("0")
    ends = np.cumsum([len(c) + 1 for c in cells])
    counts = (np.count_nonzero(separator[e - len(c) - 1 : e]) for e, c in zip(ends, cells, strict=True))
    if np.count_nonzero(codes == ord(" ")) != (PIXELS - 1) * len(cells) or any(n != PIXELS for n in counts):
        return None
    three_before = np.ndarray(len(separator), "<u4", text, strides=(1,))
    values = _number_table().take(np.compress(separator, three_before) & 0xFFFFFF)
    if not values.all():
        return None
    values = (values - 1).astype(np.uint8)
    # Three bytes do not show what stands before a number of three digits: all lengths must add up.
    length = 2 * len(values) + np.count_nonzero(values > 9) + np.count_nonzero(values > 99)
    return values.reshape(len(cells), PIXELS) if length == len(separator) else None
