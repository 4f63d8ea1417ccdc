"""Fixtures shared by the tests."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, max_examples=60, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _shared() -> Path | None:
    candidates = [os.environ.get("FASTPGS_SHARED"), Path(__file__).parents[2] / "shared"]
    for candidate in candidates:
        if candidate and (Path(candidate) / "data").is_dir():
            return Path(candidate) / "data"
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real smear images, beside the checkout or in $FASTPGS_SHARED/data."""
    found = _shared()
    if found is None:
        reason = "needs the real images in ../shared/data or $FASTPGS_SHARED/data"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; under CI their absence is a failure")
        pytest.skip(reason)
    return found
