"""Where the real data lie, and what a test does without them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of public real data beside the checkout; tests that need it skip without it."""
    folder = ROOT.parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/real) are not on this machine")
    return folder
