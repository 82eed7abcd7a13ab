"""What the reader says of a file: the problem that it notes, or the one line with which it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cytoreg import FCSError, read_fcs
from cytoreg.fcs import Problem, Sample


def one_line(path: Path | str, *, says: str | None = None, **choices: Any) -> str:
    """The message with which a file is refused: one line that names it (or `says`, where that is not its name)."""
    with pytest.raises(FCSError) as caught:
        read_fcs(path, **choices).to_numpy()
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    assert (says if says is not None else Path(path).name) in message
    return message


def noted(sample: Sample, *words: str, affects_numbers: bool | None = None) -> Problem:
    """The problem of a sample in which all these words stand; fails where there is none.

    affects_numbers: what that problem must say of the numbers, where it matters.
    """
    found = [p for p in sample.problems if all(word.casefold() in str(p).casefold() for word in words)]
    assert found, f"no problem says {words}; noted: {[str(problem) for problem in sample.problems]}"
    for problem in found:
        assert problem.what
        assert problem.where
        assert problem.assumed
    if affects_numbers is not None:
        found = [problem for problem in found if problem.affects_numbers is affects_numbers]
        assert found, f"the problem that says {words} should have affects_numbers={affects_numbers}"
    return found[0]


def conforming(path: Path | str, **choices: Any) -> Sample:
    """A sample of a file that departs from nothing in the standard, so that strict=True opens it too."""
    sample = read_fcs(path, strict=True, **choices)
    sample.to_numpy()
    assert [str(problem) for problem in sample.problems if problem.is_departure] == []
    return sample
