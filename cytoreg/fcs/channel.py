"""What an FCS file says of one of its parameters (FCS 3.1, section 3.2.20), and of what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Channel", "Problem", "carries", "is_scatter_or_time", "label_pieces", "named", "quoted"]

_TELLS_NOTHING = re.compile(r"[-+.,*0-9eE ]{0,40}|none|nothing|nan|inf|[A-Za-z]{1,2}", re.IGNORECASE)
_LIKE_STANDARD = re.compile(r"\$[A-Z0-9_]{1,30}")


@dataclass(frozen=True)
class Problem:
    """What is odd about a file: what, where, what was assumed, and whether a number may be affected.

    is_departure: whether it departs from the standard, so that strict reading raises; a few things that the
    standard allows are worth knowing too.
    """

    what: str
    where: str
    assumed: str
    affects_numbers: bool = False
    is_departure: bool = True

    def __str__(self) -> str:
        effect = "; numbers may be affected" if self.affects_numbers else ""
        return f"{self.where}: {self.what}; {self.assumed}{effect}"


def quoted(value: str) -> str:
    """What a keyword holds, as a message may show it: in a damaged file anything may stand anywhere, a name too.

    >>> quoted("4,x"), quoted("0,0"), quoted("Jane Roe")
    ('text of 3 characters', "'0,0'", 'text of 8 characters')
    """
    return repr(value) if _TELLS_NOTHING.fullmatch(value) else f"text of {len(value)} characters"


def named(keyword: str) -> str:
    """A keyword as a message may name it: one of the maker's, or a value in its place, is not."""
    return keyword if _LIKE_STANDARD.fullmatch(keyword) else "a keyword"


@dataclass(frozen=True)
class Channel:
    """One parameter of an FCS file.

    index: position in the file, from 0. name: $PnN. marker: $PnS, or None where it is blank or repeats
    the name. bits: $PnB. range: $PnR. gain: $PnG (1 where absent). decades, offset: $PnE, both 0 on a
    linear amplifier. kind: I, F or D.
    """

    index: int
    name: str
    marker: str | None
    bits: int
    range: float
    gain: float = 1.0
    decades: float = 0.0
    offset: float = 0.0
    kind: str = "F"

    @property
    def top(self) -> float:
        """The top of the scale in linear units, after $PnE and $PnG: what $PnR is as a stored number."""
        return self.offset * 10.0**self.decades if self.decades else self.range / self.gain

    @property
    def label(self) -> str:
        """The marker with its channel, or the channel alone: how a plot names the axis."""
        return f"{self.marker} ({self.name})" if self.marker else self.name

    @property
    def is_scatter_or_time(self) -> bool:
        """Whether the parameter measures no fluorescence: scatter, time, width, event number."""
        return is_scatter_or_time(self.name)


_NOT_FLUORESCENCE = re.compile(
    r"^(hdr-)?(fsc|ssc|fs|ss|bsc|time|tm|width|event|original_?id|cell_length|event_length|aux)(?![a-z0-9]*\d{3})",
    re.IGNORECASE,
)


def is_scatter_or_time(name: str) -> bool:
    """Whether a channel's name says that it measures no fluorescence."""
    return bool(_NOT_FLUORESCENCE.match(name.strip()))


def label_pieces(label: str) -> tuple[str, ...]:
    """The pieces of a label in which a marker may stand, folded in case.

    >>> label_pieces("BV785 - CD3")
    ('bv785', 'cd3')
    >>> label_pieces("HLA-DR")
    ('hla', 'dr')
    """
    return tuple(piece.casefold() for piece in re.split(r"[^A-Za-z0-9α-ωΑ-Ω+]+", label) if piece)


_OTHER_MARKER = frozenset({"ra", "ro", "rb", "b", "beta", "β"})  # CD45 RA is not CD45, CD8 beta is not CD8


def carries(label: str, folded: Collection[str], *, partly: bool) -> bool:
    """Whether a label is one of some folded names, or (partly) has one as pieces that stand together.

    >>> carries("BV785 - CD3", {"cd3"}, partly=True), carries("CD45 RA", {"cd45"}, partly=True)
    (True, False)
    """
    pieces = label_pieces(label)
    if not partly:
        return "".join(pieces) in folded
    return any(
        "".join(pieces[i:j]) in folded and (j == len(pieces) or pieces[j] not in _OTHER_MARKER)
        for i in range(len(pieces))
        for j in range(i + 1, min(len(pieces), i + 5) + 1)
    )
