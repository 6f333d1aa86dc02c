"""What every notebook does first: `setup`.

In Colab and Kaggle, where each session starts on a bare machine, it also installs missing packages, finds
the dataset and chooses where runs are kept.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from fer_kit.data.emotions import emotion_of
from fer_kit.runtime import settings
from fer_kit.runtime.stderr import import_backend, print_anywhere, quiet

HARDWARE_TYPE = "application/vnd.fer-kit.hardware+json"
"""Media type under which a notebook's output carries what `check_hardware` found."""

EXTRAS = ("fetch", "classical", "tuning", "faces", "camera", "transfer", "quiz")
"""The extras that lessons need, beside what the kit itself needs."""

IMPORT_NAMES = {
    "opencv-contrib-python-headless": "cv2",  # Colab has another build of it, and they share one folder
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "scikit-image": "skimage",
}
"""The name under which a package is imported, where it differs from the package's own."""

GPU_MENU = {
    "colab": "For a GPU choose Runtime, Change runtime type. ",
    "kaggle": "For a GPU choose Settings, Accelerator. ",
}

DATASETS = ("fer2013.zip", "fer2013.csv", "icml_face_data.csv")
"""Names under which FER-2013 is published in one file."""


def setup():
    """Prepare the session, set the plot style, and print versions, profile and hardware.

    In Colab it installs missing packages, mounts the Drive, keeps runs there and finds or downloads FER-2013.
    In Kaggle it installs missing packages where there is internet, looks for FER-2013 under /kaggle/input and
    keeps runs in /kaggle/working/output. Installed packages are never changed, and FER_DATA and FER_OUT are
    left alone where they are set. A step that fails prints why and is skipped; the lessons then use the
    built-in sample. Anywhere else it installs and fetches nothing.

    Raises ImportError when the backend that Keras is set to is not installed, and ValueError when Keras is
    set to images with channels first.
    """
    print_anywhere()
    host = settings.host()
    if host == "colab":
        prepare_colab()
    elif host == "kaggle":
        prepare_kaggle()
    else:
        _tell_missing(missing(extras=()), "install them with `pip install`.")
    with quiet():
        import_backend()
        from fer_kit.runtime.devices import require_channels_last

        require_channels_last()
    from fer_kit.plots.base import use_style

    use_style()
    packages = ["fer-kit", "keras", settings.backend(), "numpy"]
    profile = settings.profile()
    print(" · ".join(f"{p} {_version(p)}" for p in packages), f"· Python {platform.python_version()}")
    print(f"Profile {profile.name}: {profile.meaning}.")
    check_opencv()
    check_hardware()


# ---- what it runs on ----


def check_hardware():
    """Say what Keras computes on, and return it; without a GPU, say what that means.

    Returns:
        A dict of `name` (str, such as "Tesla T4" or "2 CPU cores with bfloat16"), `gpus` (list of str),
        `cores` (int) and `bfloat16` (bool, whether the CPU trains faster in it). In a notebook the output
        carries the same dict, under `HARDWARE_TYPE`.
    """
    with quiet():
        from fer_kit.runtime import devices

        gpus = [name for name, _ in devices.gpus()]
        bfloat16 = not gpus and settings.backend() == "tensorflow" and devices.cpu_gains_from_bfloat16()
    cores = os.cpu_count()
    cpu = f"{cores} CPU cores"
    if bfloat16:
        cpu += " with bfloat16"
    found = {"name": ", ".join(gpus) or cpu, "gpus": gpus, "cores": cores, "bfloat16": bfloat16}
    if gpus:
        _show(f"GPU: {found['name']}", found)
    else:
        said = f"No GPU found, computing on {cpu}: everything runs, training takes longer."
        _show(f"{said}\n{gpu_advice()}The profile `lab` fits a CPU.", found)
    return found


def gpu_advice():
    """Return in words how a GPU would be found on this machine, as far as one can tell; else ""."""
    host = settings.host()
    if host or settings.backend() != "tensorflow":
        return GPU_MENU.get(host, "")
    if sys.platform == "win32":
        return "On Windows TensorFlow uses a GPU only within WSL: install the kit there. "
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "TensorFlow has no GPU on a Mac; `pip install torch` and KERAS_BACKEND=torch use Apple's. "
    if shutil.which("nvidia-smi"):
        return 'For the NVIDIA GPU here: `pip install "tensorflow[and-cuda]"`, then restart Python. '
    return ""


def _show(text, found):
    """Print a text, in a notebook together with the data it was written from."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from IPython.display import display

        display({"text/plain": text, HARDWARE_TYPE: found}, raw=True)
    else:
        print(text)


def check_opencv():
    """Print what to do where OpenCV lacks what the lessons on faces and cameras need; say nothing otherwise.

    OpenCV 5, and every build without the contrib modules, lacks the Haar cascades or the KCF tracker. All of
    its packages share one folder, so that the one installed last wins.
    """
    try:
        import cv2
    except ImportError:
        return  # told among the missing packages
    if int(cv2.__version__.split(".")[0]) >= 5 or not hasattr(cv2, "TrackerKCF"):
        from fer_kit.camera.detection import opencv_advice

        print(f"For lessons 12 to 14: {opencv_advice('Haar cascades or no KCF tracker')}.")


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


# ---- Colab and Kaggle ----


def prepare_colab():
    """Install what is missing, find or download the dataset, and keep runs on the Drive."""
    _tell_missing(install_missing(), "they do not go with what is installed.")
    drive = mount_drive()
    if drive:
        settings.set_default("FER_OUT", drive / "fer_kit" / "output")
        print(f"Runs are kept in {settings.output_dir()}: after a lost session, run the notebook again.")
    if not settings.is_set("FER_DATA"):
        settings.set_default("FER_DATA", find_on(drive) or download())


def prepare_kaggle(root=settings.KAGGLE):
    """Install what is missing, find the dataset under `root`/input, keep runs in `root`/working/output."""
    _tell_missing(install_missing(), "if Internet is off under Settings, switch it on.")
    settings.set_default("FER_OUT", root / "working" / "output")
    if not settings.is_set("FER_DATA"):
        settings.set_default("FER_DATA", find_below(root / "input"))
    if not settings.is_set("FER_DATA"):
        print(f"No FER-2013 in {root / 'input'}: choose Add Input, msambare/fer2013, and run this again.")


def missing(extras=EXTRAS):
    """Return the kit's requirements, such as `optuna>=4.0`, whose module is not there, as a list of str.

    Beside the kit's own they are those of `extras`. The list is empty where the kit was not installed but
    found on the path, since its requirements are not known then.
    """
    from packaging.requirements import Requirement  # which Keras and matplotlib require

    try:
        lines = metadata.requires("fer-kit") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = []
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        requirement.marker = None
        applies = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
        module = IMPORT_NAMES.get(requirement.name, requirement.name.replace("-", "_"))
        if applies and importlib.util.find_spec(module) is None:
            wanted.append(str(requirement))
    return wanted


def install_missing():
    """Install what is missing and return what pip refused, a list of str such as `optuna>=4.0`.

    Every installed package is held at its version: pip then refuses rather than replace one, TensorFlow,
    Keras and numpy above all.
    """
    wanted = missing()
    refused = []
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "installed.txt"
        versions = {f"{found.name}=={found.version}" for found in metadata.distributions() if found.name}
        held.write_text("\n".join(sorted(versions)), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--constraint", held]
        for requirement in wanted:
            if subprocess.run([*pip, requirement], check=False).returncode:
                refused.append(requirement)
    importlib.invalidate_caches()
    return refused


def _tell_missing(packages, remedy):
    """Print one sentence on `packages` that lessons need and that are not there."""
    if packages:
        print(f"Not installed: {', '.join(packages)}. The lessons that need them will say so; {remedy}")


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
    places = [folder / name for folder in folders for name in DATASETS]
    return next((place for place in places if place.exists()), None)


def find_below(root, depth=3):
    """Return the Path of FER-2013 in `root` or at most `depth` folders below it, or None.

    It is one of the files of `DATASETS`, or a folder that holds two usages, `train` and `validation` or
    `test`, with a folder per emotion.
    """
    from fer_kit.data.files.layout import usage_of  # needs packages that setup may have installed

    for place, folders, files in os.walk(root):
        here = Path(place)
        for name in DATASETS:
            if name in files:
                return here / name
        usages = {usage_of(folder): folder for folder in folders}
        train = usages.get("Training")
        if (
            train
            and len(usages.keys() - {None}) > 1
            and any(emotion_of(p.name) for p in (here / train).iterdir())
        ):
            return here
        folders.sort()
        if len(here.relative_to(root).parts) == depth:
            folders.clear()
    return None


def download():
    """Download FER-2013 through kagglehub and return its Path, or None, with a word why, when that fails."""
    from fer_kit.data.fetch import fetch

    try:
        fetch("data")
    except (OSError, ValueError) as error:
        print(error)
        return None
    return Path("data/fer2013.zip").resolve()
