"""Write events as FCS 3.1 or 3.2 list mode: floats of 32 or 64 bits, integers of 8 to 64, little-endian.

Section numbers are those of FCS 3.1 (2010); what 3.2 (2021) brought is named.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError
from cytoreg.fcs.atomic import write_whole
from cytoreg.fcs.compose import LAYOUT_KEYWORDS, enclose
from cytoreg.fcs.encode import blocks, measure
from cytoreg.fcs.spillover import Spillover

__all__ = ["write_fcs"]

VERSIONS = ("FCS3.1", "FCS3.2")
# Set here from the arguments for each channel; $PnD, a scale to draw on, goes with the $PnR and $PnE it was made for.
_OF_A_CHANNEL = re.compile(r"\$P\d+([BDEGNRS]|DATATYPE)")
# Where a matrix is given, any other in the keywords would be a second one, and readers differ in which they take.
_MATRICES = frozenset({"$SPILLOVER", "SPILLOVER", "$SPILL", "SPILL", "$COMP", "COMP"})
# Histograms, gates and subsets, and the matrix of 3.0: FCS 3.2 has none of them.
_WITHDRAWN = re.compile(
    r"\$(GATE|G\d+[EFNPRSTV]|PK\d+|PKN\d+|CSMODE|CSVBITS|CSTOT|CSV\d+FLAG|COMP|DFC\d+TO\d+)", re.ASCII
)
_MOST = 1e300


def write_fcs(
    path: str | os.PathLike[str],
    events: npt.NDArray[Any],
    channels: Sequence[str],
    markers: Sequence[str | None] | None = None,
    *,
    ranges: Sequence[float | None] | None = None,
    spillover: Spillover | None = None,
    keywords: Mapping[str, str] | None = None,
    version: str = "FCS3.1",
    kind: str | Sequence[str] = "F",
    bits: int | Sequence[int | None] | None = None,
    amplifiers: Sequence[tuple[str, str | None] | None] | None = None,
) -> None:
    """Write values, shape (n_events, n_channels), with names ($PnN), markers ($PnS) and spillover.

    kind: "F" (32-bit floats), "D" (64-bit floats) or "I" (integers); in FCS 3.2 also one letter a channel.
    Floats keep NaN and infinities; F rounds to 24 bits of precision, D to 53.
    ranges: $PnR, the top of the scale; 262144 for floats, all that the bits can hold for integers.
    bits: of integers, 8, 16, 32 or 64, one for all or one a channel (None for floats); unless given the
    smallest that holds the range and the values.
    amplifiers: ($PnE, $PnG) of a channel as they shall stand in the file, for integers as an instrument stored
    them; unless given values are linear ("0,0") and there is no gain.
    keywords: further TEXT keywords, kept but for those that describe the layout, which are set here; `spillover`
    replaces any matrix among them. FCS 3.2 requires $CYT, which is "unknown" unless given, and drops what it
    has withdrawn (histograms, gates, $COMP).

    The file appears whole or not at all. Raises FCSError where the arguments do not agree or a value cannot be
    stored as asked (an integer that is negative, not whole or not below $PnR; a number beyond 32-bit floats),
    StoreError where the file cannot be written.
    """
    path = Path(path)
    events = np.asarray(events)
    if events.ndim != 2 or events.shape[1] < 1 or events.dtype.kind not in "buif":
        raise FCSError(
            f"{path.name}: expected real numbers of shape (events, channels), found {events.dtype} of {events.shape}"
        )
    n, c = events.shape
    labels = list(markers) if markers is not None else [None] * c
    scales = list(ranges) if ranges is not None else [None] * c
    amplified = list(amplifiers) if amplifiers is not None else [None] * c
    if not len(channels) == len(labels) == len(scales) == len(amplified) == c:
        found = (
            f"{len(channels)} channels, {len(labels)} markers, {len(scales)} ranges, {len(amplified)} amplifiers"
        )
        raise FCSError(f"{path.name}: {c} columns of events, {found}")
    kinds = _kinds(kind, version, c, path.name)
    _check_names(channels, path.name)
    tops = [_top(top, its, name, path.name) for top, its, name in zip(scales, kinds, channels, strict=True)]
    widths = measure(events, channels, kinds, tops, _bits(bits, kinds, path.name), where=path.name)

    common = Counter(kinds).most_common(1)[0][0]
    text = _kept(keywords or {}, version, spillover is not None, path.name)
    text |= {
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": common,
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(c),
        "$TOT": str(n),
    }
    if version == "FCS3.2":
        text.setdefault("$CYT", "unknown")
    for i, name in enumerate(channels):
        key = f"$P{i + 1}"
        amplifier, gain = _amplifier(amplified[i], kinds[i], name, path.name)
        text |= {
            f"{key}N": name,
            f"{key}B": str(widths[i]),
            f"{key}E": amplifier,
            f"{key}R": _number(tops[i], widths[i]),
        }
        optional = {"G": gain, "S": labels[i], "DATATYPE": kinds[i] if kinds[i] != common else None}
        text |= {f"{key}{letter}": value for letter, value in optional.items() if value and value.strip()}
    if spillover is not None:
        text["$SPILLOVER"] = _matrix(spillover, channels, path.name)
    before, after = enclose(version, text, n * sum(widths) // 8, where=path.name)

    def pieces() -> Iterator[bytes | memoryview]:
        yield before
        yield from blocks(events, channels, kinds, widths, where=path.name)
        yield after

    write_whole(path, pieces())


def _kinds(kind: str | Sequence[str], version: str, c: int, where: str) -> list[str]:
    if version not in VERSIONS:
        raise FCSError(f"{where}: {version!r} is not written: expected {' or '.join(VERSIONS)}")
    letters = list(kind) * (c if len(kind) == 1 else 1)
    if len(letters) != c or not set(letters) <= set("FDI"):
        raise FCSError(f"{where}: kind {kind!r}: expected F, D or I, or one such letter for each of {c} channels")
    if version == "FCS3.1" and len(set(letters)) > 1:
        raise FCSError(f"{where}: kind {kind!r}: only FCS3.2 has a type for each channel ($PnDATATYPE)")
    return letters


def _check_names(channels: Sequence[str], where: str) -> None:
    """A comma would end the name in $SPILLOVER and $TR, so the standard has none in $PnN (3.2.20)."""
    for i, name in enumerate(channels, start=1):
        if not name.strip() or "," in name or any(character < " " for character in name):
            raise FCSError(
                f"{where}: channel {i} is called {name!r}: expected a name ($PnN) without commas and control characters"
            )


def _top(top: float | None, kind: str, name: str, where: str) -> float | int | None:
    if top is None:
        return None if kind == "I" else 262144
    if not 0 < top < _MOST or (kind == "I" and (top != int(top) or top > 2**64)):
        expected = "a whole number from 1 to 2^64" if kind == "I" else "a positive number"
        raise FCSError(f"{where}: channel {name!r} has a range ($PnR) of {top}: expected {expected}")
    return int(top) if top == int(top) else float(top)


def _number(top: float | int | None, bits: int) -> str:
    """$PnR is a whole number by the standard; one that is not stays as it is, or the scale would change with it."""
    if top is None:
        return str(2**bits)
    return str(top) if isinstance(top, int) else repr(top)


def _bits(bits: int | Sequence[int | None] | None, kinds: Sequence[str], where: str) -> list[int | None]:
    if bits is None or isinstance(bits, int):
        asked = [bits if kind == "I" else None for kind in kinds]
    else:
        asked = list(bits)
    if bits is not None and "I" not in kinds:
        raise FCSError(f"{where}: bits are chosen for integers (kind I) only: F has 32, D has 64")
    if len(asked) != len(kinds) or any(b is not None and b not in (8, 16, 32, 64) for b in asked):
        raise FCSError(f"{where}: bits {bits!r}: expected 8, 16, 32 or 64, or one of them for each channel")
    if any(b is not None and kind != "I" for b, kind in zip(asked, kinds, strict=True)):
        raise FCSError(f"{where}: bits {bits!r}: expected None for channels of floats")
    return asked


def _amplifier(given: tuple[str, str | None] | None, kind: str, name: str, where: str) -> tuple[str, str | None]:
    """$PnE and $PnG, as 3.2.20 wants them: decades for integers only, with an offset, and then without a gain."""
    amplifier, gain = given or ("0,0", None)
    try:
        decades, offset = (float(part) for part in amplifier.split(","))
        factor = float(gain) if gain and gain.strip() else 1.0
    except ValueError:
        decades = offset = factor = float("nan")
    linear = decades == 0 and offset == 0
    logarithmic = kind == "I" and decades > 0 and offset > 0 and factor == 1
    if not (
        isfinite(decades) and isfinite(offset) and isfinite(factor) and factor > 0 and (linear or logarithmic)
    ):
        raise FCSError(
            f"{where}: channel {name!r} has $PnE {amplifier!r} and $PnG {gain!r} for type {kind}: expected 0,0 with a "
            f"positive gain, or for integers decades and an offset above 0 without one"
        )
    return amplifier, gain


def _kept(keywords: Mapping[str, str], version: str, has_matrix: bool, where: str) -> dict[str, str]:
    """The keywords that are not set here, in capitals."""
    text: dict[str, str] = {}
    for given, value in keywords.items():
        key = (
            given.upper() if given.isascii() else given
        )  # which is then refused, as nothing in capitals equals it
        if key in text:
            raise FCSError(f"{where}: keyword {key!r} is given twice")
        text[key] = str(value)
    return {
        key: value
        for key, value in text.items()
        if key not in LAYOUT_KEYWORDS
        and not _OF_A_CHANNEL.fullmatch(key)
        and not (has_matrix and key in _MATRICES)
        and not (version == "FCS3.2" and _WITHDRAWN.fullmatch(key))
    }


def _matrix(spillover: Spillover, channels: Sequence[str], where: str) -> str:
    """$SPILLOVER: the number of detectors, their $PnN, and the coefficients row by row, every digit (3.2.21)."""
    absent = [name for name in spillover.channels if name not in channels]
    if absent or len(set(spillover.channels)) < len(spillover.channels):
        found = f"channel {absent[0]!r}, which is not there" if absent else "a channel twice"
        raise FCSError(f"{where}: the spillover matrix names {found}; there are: {', '.join(channels)}")
    if not np.isfinite(spillover.matrix).all():
        raise FCSError(f"{where}: the spillover matrix holds a coefficient that is not a finite number")
    numbers = (f"{x:.17g}" for x in spillover.matrix.ravel())
    return ",".join((str(len(spillover.channels)), *spillover.channels, *numbers))
