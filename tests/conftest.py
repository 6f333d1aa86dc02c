"""Fixtures: the real FER-2013 archive where there is one, a small sample, and a small archive on disk."""

import os
import zipfile
from pathlib import Path

import pytest

# Tests run on JAX what they compile once or twice, so its compiler need not optimise.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
ARCHIVE = Path(os.environ.get("FER_TEST_ARCHIVE", Path(__file__).parents[2] / "shared/data/fer2013.zip"))


@pytest.fixture(scope="session")
def real_archive():
    """Path of the real FER-2013 archive; skips where it is missing."""
    if not zipfile.is_zipfile(ARCHIVE):
        pytest.skip(f"no FER-2013 at {ARCHIVE}; set FER_TEST_ARCHIVE to run this test")
    return ARCHIVE


@pytest.fixture(scope="session")
def faces():
    """A small piece of the built-in sample."""
    from fer_kit.data.sample.people import draw_sample

    return draw_sample(700)


@pytest.fixture(scope="session")
def few(faces):
    """135 faces of the built-in sample to learn from and 40 to select on."""
    return faces.training.sample(135).join(faces.public_test.sample(40))
