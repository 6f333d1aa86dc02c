"""What the setup cell does in Google Colab once the kit is there: missing packages, the data, the Drive."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from fer_kit.data.fetch import fetch
from fer_kit.runtime import settings

EXTRAS = ("fetch", "classical", "tuning", "faces", "camera")
"""The extras that lessons need, beside what the kit itself needs."""

MODULES = {
    "opencv-contrib-python-headless": "cv2",  # Colab has another build of it, and they share one folder
    "scikit-learn": "sklearn",
    "scikit-image": "skimage",
}
"""The module of a package, where it is not called as the package is."""


def prepare():
    """Install what is missing, find the dataset, and keep runs on Drive; say what was done.

    Changes no package that is installed. Sets FER_OUT and FER_DATA, unless they are set, for this
    session. Whatever fails is told and left: the lessons then run on the built-in sample, or keep their
    runs in the session alone.
    """
    install_missing()
    drive = mount_drive()
    if drive and not settings.is_set("FER_OUT"):
        os.environ["FER_OUT"] = str(drive / "fer_kit" / "output")
    if drive:
        print(f"Runs are kept in {settings.output_dir()}: after a lost session, run the notebook again.")
    if not settings.is_set("FER_DATA"):
        data = find_on(drive) or download()
        if data:
            os.environ["FER_DATA"] = str(data)


def missing():
    """Return the kit's requirements, such as `optuna>=4.0`, whose module is not there, as a list of str."""
    wanted = []
    for line in metadata.requires("fer-kit") or []:
        requirement, _, condition = line.partition(";")
        extra = re.search(r"extra == ['\"](\w+)['\"]", condition)
        package = re.match(r"[\w.-]+", requirement)[0]
        module = MODULES.get(package, package.replace("-", "_"))
        if (not extra or extra[1] in EXTRAS) and importlib.util.find_spec(module) is None:
            wanted.append(requirement.strip())
    return wanted


def install_missing():
    """Install what is missing beside what is there.

    Every installed package is held at its version: pip then refuses rather than replace one, TensorFlow,
    Keras and numpy above all. A refusal is told; only the lessons that need the package notice.
    """
    wanted = missing()
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "installed.txt"
        versions = {f"{found.name}=={found.version}" for found in metadata.distributions() if found.name}
        held.write_text("\n".join(sorted(versions)))
        for requirement in wanted:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", held, requirement]
            if subprocess.run(command, check=False).returncode:
                print(
                    f"{requirement} does not go with what is installed; the lesson that needs it will say so."
                )
    importlib.invalidate_caches()


def mount_drive():
    """Mount the Google Drive and return the Path of its files, or None, with a word why, when refused."""
    from google.colab import drive

    place = Path("drive").resolve()
    try:
        drive.mount(str(place))
    except Exception as error:  # Colab raises several kinds when somebody says no
        print(f"No Drive ({error}): runs are lost with this session.")
        return None
    return place / "MyDrive"


def find_on(drive):
    """Return the Path of FER-2013 on the Drive, or None: in its top folder, in `fer_kit` or in `data`."""
    if drive is None:
        return None
    folders = (drive, drive / "fer_kit", drive / "data")
    places = [folder / f"fer2013.{suffix}" for folder in folders for suffix in ("zip", "csv")]
    return next((place for place in places if place.exists()), None)


def download():
    """Download FER-2013 through kagglehub and return its Path, or None, with a word why, when that fails."""
    try:
        fetch("data")
    except (OSError, ValueError) as error:
        print(error)
        return None
    return Path("data/fer2013.zip").resolve()
