"""The errors a caller may meet; each message is one line that a lab technician can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AnalysisError",
    "CytoregError",
    "FCSError",
    "LinkError",
    "MissingDependency",
    "StoreError",
    "StudyError",
    "TemplateError",
    "suggest",
]


class CytoregError(Exception):
    """Anything that the input, not the program, is the cause of."""


class FCSError(CytoregError):
    """A file that cannot be read as FCS, or not beyond doubt."""


class TemplateError(CytoregError):
    """A gating template that is wrong, or does not fit the file it meets."""


class StudyError(CytoregError):
    """A study, samples sheet or results folder that cannot be used as it is."""


class LinkError(CytoregError):
    """Clinical tables that cannot be joined with the samples, or hold impossible values."""


class AnalysisError(CytoregError):
    """An analysis plan that is wrong, or asks for what the tables do not hold."""


class StoreError(CytoregError):
    """Results that cannot be written or read."""


class MissingDependency(CytoregError):
    """An optional library is not installed; the message names the extra to install."""


def suggest(word: str, choices: Iterable[str], *, limit: int = 12) -> str:
    """What to say after a wrong word: the nearest valid one, and what there is.

    >>> suggest("valey", ["valley", "tail"])
    "did you mean 'valley'? There are: tail, valley"
    >>> suggest("xyz", [])
    'there are none'
    """
    known = sorted({str(choice) for choice in choices})
    if not known:
        return "there are none"
    lower = {choice.casefold(): choice for choice in known}
    near = difflib.get_close_matches(str(word).casefold(), list(lower), n=1, cutoff=0.6)
    listed = ", ".join(known[:limit]) + (f" and {len(known) - limit} more" if len(known) > limit else "")
    return f"did you mean '{lower[near[0]]}'? There are: {listed}" if near else f"there are: {listed}"
