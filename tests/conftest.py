"""Where the real data lie and what a test does without them; which examples Hypothesis makes up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run: what is green stays green. HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("suite", derandomize=True)
if "HYPOTHESIS_PROFILE" not in os.environ:
    settings.load_profile("suite")

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
