"""Download FER-2013 from Kaggle and check that it is the original."""

import zipfile
from pathlib import Path

from fer_kit.data.files.archive import FolderFiles
from fer_kit.data.loading import BY_HAND, load_faces
from fer_kit.runtime.extras import how_to_install
from fer_kit.runtime.files import replacing

HANDLE = "msambare/fer2013"
FINGERPRINT = "e9833f7aead18f9c"
"""`FaceSet.fingerprint` of the Kaggle archive's 35,887 faces."""


def fetch(folder="data"):
    """Download FER-2013 to `folder`/fer2013.zip with kagglehub, check it, and return its `FaceSet`.

    An archive that is already there is only checked. Raises ConnectionError when the download is not
    possible, with how to put the file in place by hand; ValueError when the content is not the original.
    """
    target = Path(folder) / "fer2013.zip"
    if not target.exists():
        _pack(_download(target), target)
    try:
        faces = load_faces(target)
    except ValueError as error:
        raise ValueError(
            f"{error}. Delete {target} first: fetch downloads nothing where a file is"
        ) from error
    if faces.fingerprint != FINGERPRINT:
        raise ValueError(
            f"{target} is not the original FER-2013 (fingerprint {faces.fingerprint}, not {FINGERPRINT}); "
            f"`python -m fer_kit doctor {target}` tells how it differs"
        )
    return faces


def _download(target):
    by_hand = BY_HAND.format(target)
    try:
        import kagglehub

        return Path(kagglehub.dataset_download(HANDLE))
    except ImportError as error:
        raise ConnectionError(f"{how_to_install('kagglehub')}, or {by_hand}") from error
    except Exception as error:  # kagglehub raises many kinds; all mean that there is no download
        raise ConnectionError(
            f"the download failed ({type(error).__name__}). Without a network, {by_hand}"
        ) from error


def _pack(folder, target):
    """Put the downloaded files into one archive, all or nothing: it opens faster than 35,887 files."""
    files = FolderFiles(folder)
    with replacing(target) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in files:
            archive.writestr(name, files[name])
