"""What a file is, told by its first bytes: neither its name nor its ending is asked."""

HEAD = 512
"""How many bytes from the beginning of a file are enough to tell what it is."""

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm"}
"""Files that end so in a dataset are taken for pictures unopened; others only when they begin like one."""

ARCHIVES = {"zip", "tar", "gzip", "bzip2", "xz"}
TABLES = {"parquet", "npy", "text"}

_BEGINNINGS = (
    (b"PK\3\4", "zip"),
    (b"PK\5\6", "zip"),
    (b"PK\7\10", "part"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"PAR1", "parquet"),
    (b"\x93NUMPY", "npy"),
    (b"\xff\xd8\xff", "picture"),
    (b"\x89PNG\r\n", "picture"),
    (b"GIF8", "picture"),
    (b"II*\0", "picture"),
    (b"MM\0*", "picture"),
    (b"P5\n", "picture"),
    (b"P6\n", "picture"),
    (b"version https://git-lfs", "placeholder"),
    (b"/annex/objects", "placeholder"),
)

_PHONE = {b"ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")}
"""How HEIC and AVIF begin, after four bytes."""

_IN_WORDS = {
    "empty": "an empty file",
    "placeholder": (
        "a placeholder of a few bytes, left by git's storage for large files, in place of the file itself: "
        "get the real files with `git lfs pull` (or `git annex get .`), or download them in a browser"
    ),
    "web page": "a web page in place of the file, perhaps the one that asks for a login: download it again",
    "part": "one part of a split archive: unpack all parts together and point at the folder",
    "rar": "a RAR archive: unpack it and point at the folder",
    "7z": "a 7z archive: unpack it and point at the folder",
    "text": "a text",
    "picture": "a picture",
    "parquet": "a Parquet table",
    "npy": "a NumPy array",
    "unknown": "no kind of file that the kit knows",
}


def kind_of(head):
    """Return what a file is, given its first `HEAD` bytes.

    "zip", "tar", "gzip", "bzip2", "xz", "rar", "7z", "part" (of a split zip archive), "parquet", "npy",
    "picture", "placeholder" (of git's storage for large files), "web page", "text", "empty" or "unknown".
    """
    if not head:
        return "empty"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" or head[4:12] in _PHONE or head[:2] == b"BM":
        return "picture"
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return "web page"
    return "unknown" if b"\0" in head else "text"


def in_words(kind):
    """Return what a kind is in words that end a sentence, such as "an empty file"."""
    return _IN_WORDS.get(kind, f"a {kind} archive")


def looks_like_picture(name):
    """Whether a file's name ends as those of pictures do."""
    return name[name.rfind(".") :].lower() in PICTURE_SUFFIXES
