"""`fer2013.csv` to arrays, its cells parted by commas, semicolons or tabs: every value checked."""

import contextlib
from itertools import islice
from pathlib import Path

import numpy as np

from fer_kit.data.emotions import USAGES
from fer_kit.data.faceset import SIZE

COLUMNS = ("emotion", "pixels", "usage")
PIXELS = SIZE * SIZE
LINE = 100_000
"""The most bytes of one line: a file without line ends does not fill the memory."""

ROWS = 32  # parsed in one go: their text stays in the processor's cache


def columns_of(head):
    """Return the names of the columns, in small letters, that the first line of `head` (bytes) gives."""
    line = head.partition(b"\n")[0].decode("utf-8-sig", "replace")
    return [name.strip(' "\r\n').lower() for name in line.split(separator_of(head).decode())]


def separator_of(head):
    """Return what parts the names of the first line of `head`: a comma, a semicolon or a tab, as bytes."""
    line = head.partition(b"\n")[0]
    return max(b",", b";", b"\t", key=line.count)


def read_csv(path, file=None, usage=None):
    """Read a csv with the columns emotion (0-6), pixels (2,304 numbers 0-255) and Usage.

    Args:
        path: the file, or how messages are to call it.
        file: the opened file, where it is not the one at `path`.
        usage: the usage of all rows of a file without the column Usage; None refuses such a file.

    Returns:
        images uint8 (N, 48, 48), labels int64 (N,), usage str (N,).

    Raises:
        ValueError: naming the file and the line, for anything that is not so.
    """
    blocks = []
    with contextlib.nullcontext(file) if file else Path(path).open("rb", buffering=1 << 18) as opened:
        rows = _rows(path, opened, usage)
        while block := list(islice(rows, ROWS)):
            where, labels, pixels, usages = zip(*block, strict=True)
            blocks.append((_numbers(pixels, where), labels, usages))
    if not blocks:
        raise ValueError(f"{path} has a header and no rows; download it again")
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _rows(path, file, given):
    """Yield (file and line, label, pixels as text, usage) of each row; only the end may be blank."""
    header = file.readline(LINE)
    names = columns_of(header)
    wanted = COLUMNS[:2] if given else COLUMNS
    if missing := " and no column ".join(c for c in wanted if c not in names):
        first = header.decode("utf-8-sig", "replace")[:80]
        what = f"no column {missing}; its first line must be emotion,pixels,Usage, and is {first!r}"
        raise ValueError(f"{path} has {what}" if header else f"{path} is empty; download it again")
    twice = [c for c in wanted if names.count(c) > 1]
    if twice:
        raise ValueError(f"{path} has several columns {twice[0]}; keep the one that is meant")
    columns = [names.index(c) for c in wanted]
    separator = separator_of(header)
    for number, line in enumerate(iter(lambda: file.readline(LINE), b""), 2):
        if not line.strip() and not _rest(file):
            return
        where = f"{path}, line {number}"
        cells = [cell.strip(b' "\r\n') for cell in line.split(separator)]
        _check(len(cells) > max(columns), where, f"has {len(cells)} columns")
        label = cells[columns[0]].decode(errors="replace")
        usage = given or cells[columns[2]].decode(errors="replace")
        _check(label in {*"0123456"}, where, f"emotion is {_short(label)!r}, not a code from 0 to 6")
        _check(usage in USAGES, where, f"Usage is {_short(usage)!r}, not one of {', '.join(USAGES)}")
        yield where, int(label), cells[columns[1]], usage


def _rest(file):
    """Whether anything but blanks follows in a file."""
    return any(line.strip() for line in iter(lambda: file.readline(LINE), b""))


def _numbers(cells, where):
    """Return uint8 (rows, 48, 48): by arithmetic on all characters at once, or, if unusual, one by one."""
    text = np.frombuffer(b"\n\n\n" + b"\n".join(cells) + b"\n", np.uint8)
    digits = text - np.uint8(ord("0"))  # more than 9 for all that is no digit
    ends = np.flatnonzero(digits[3:] > 9)
    ones, tens, hundreds = (digits[k:].take(ends) for k in (2, 1, 0))
    two = tens < 10
    three = two & (hundreds < 10)
    values = ones + np.uint16(10) * (tens * two) + np.uint16(100) * (hundreds * three)
    length = 2 * len(ends) + np.count_nonzero(two) + np.count_nonzero(three)
    in_rows = text[3:].take(ends).tobytes() == (b" " * (PIXELS - 1) + b"\n") * len(cells)
    if not in_rows or length != len(text) - 3 or ones.max() > 9 or values.max() > 255:
        values = np.array([_one_by_one(*row) for row in zip(cells, where, strict=True)])
    return values.astype(np.uint8).reshape(-1, SIZE, SIZE)


def _one_by_one(cell, where):
    numbers = cell.decode("ascii", "replace").split()
    _check(len(numbers) == PIXELS, where, f"has {len(numbers):,} pixels, not {PIXELS:,}")
    place = next((k for k, n in enumerate(numbers) if not n.isdecimal() or int(n) > 255), None)
    _check(place is None, where, f"pixel {place} is {numbers[place or 0]!r}, not a number from 0 to 255")
    return [int(number) for number in numbers]


def _short(cell):
    return cell if len(cell) <= 40 else f"{cell[:40]}..."


def _check(right, where, what):
    if not right:
        raise ValueError(f"{where}: {what}; mend or delete the line")
