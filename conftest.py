"""What every test runs with: the smoke profile, the built-in sample, and throw-away folders."""

import os
import shutil
import tempfile

SCRATCH = tempfile.mkdtemp(prefix="fer_kit_tests_") if "PYTEST_XDIST_WORKER" not in os.environ else None

if SCRATCH:  # workers and kernels inherit it
    os.environ |= {"FER_PROFILE": "smoke", "FER_DATA": "sample", "FER_OUT": f"{SCRATCH}/output"}
    os.environ.setdefault("FER_CACHE", f"{SCRATCH}/cache")  # the real FER-2013 may be there, decoded
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("FER_SEED", "FER_STUDIES"):
        os.environ.pop(name, None)

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker more than CI has cores, for while one waits for a kernel or a file. More threads would
    # only wait for one another.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Lessons share runs, and only one process at a time may write into a run's folder.
    os.environ["FER_OUT"] = f"{os.environ['FER_OUT']}/{os.environ['PYTEST_XDIST_WORKER']}"


def pytest_unconfigure(config):
    """Remove the throw-away folders when the last worker is done."""
    if SCRATCH:
        shutil.rmtree(SCRATCH, ignore_errors=True)
