"""The files that are damaged: every real one beside the checkout, cut down to size, and small ones made here."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from .compose import composed, shortened

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"
DATA_BYTES = 24_000  # of a real file: some hundred events, so that a reading takes a millisecond or two


def names(*, real: bool = True) -> list[str]:
    """All files by name: `made/...` always, paths below the folder of real files where that is there."""
    found = [f"made/{name}" for name in MADE]
    if real and REAL.is_dir():
        paths = sorted(path for path in REAL.rglob("*") if path.suffix.lower() in (".fcs", ".lmd"))
        found += [path.relative_to(REAL).as_posix() for path in paths]
    return found


def content_of(name: str) -> bytes:
    """The bytes that mutations start from."""
    if name.startswith("made/"):
        return MADE[name.removeprefix("made/")]()
    return shortened((REAL / name).read_bytes(), DATA_BYTES)[0]


def _file(
    kind: str,
    bits: list[int],
    data: bytes,
    n_events: int,
    *,
    version: str = "FCS3.1",
    byteord: str = "1,2,3,4",
    tops: list[int] | None = None,
    more: Mapping[str, str] | None = None,
    supplement: Mapping[str, str] | None = None,
    analysis: Mapping[str, str] | None = None,
    tail: bytes = b"",
) -> bytes:
    """A file of channels A, B, C, ... and the last called Time."""
    words = {"$BYTEORD": byteord, "$DATATYPE": kind, "$MODE": "L", "$NEXTDATA": "0", "$PAR": str(len(bits))}
    words["$TOT"] = str(n_events)
    if version != "FCS2.0":
        words |= dict.fromkeys(("$BEGINDATA", "$ENDDATA", "$BEGINSTEXT", "$ENDSTEXT"), "0")
        words |= dict.fromkeys(("$BEGINANALYSIS", "$ENDANALYSIS"), "0")
    for i, width in enumerate(bits, start=1):
        name = "Time" if i == len(bits) else "ABCDEFGH"[i - 1]
        top = tops[i - 1] if tops else 2 ** min(width, 18 if kind != "I" else 64)
        words |= {f"$P{i}N": name, f"$P{i}B": str(width), f"$P{i}R": str(top), f"$P{i}E": "0,0"}
    words |= more or {}
    segments = {"DATA": data}
    if supplement:
        segments["STEXT"] = ("/" + "".join(f"{key}/{value}/" for key, value in supplement.items())).encode()
    if analysis:
        segments["ANALYSIS"] = ("/" + "".join(f"{key}/{value}/" for key, value in analysis.items())).encode()
    pairs = [(key.encode(), value.encode()) for key, value in words.items()]
    return composed(version.encode(), pairs, segments, tail=tail)


def _numbers(n_events: int, n_channels: int, top: int, seed: int = 11) -> list[list[int]]:
    values = np.random.default_rng(seed).integers(0, top, (n_events, n_channels))
    values[:, -1] = np.sort(values[:, -1])
    return values.tolist()


def _floats(form: str, n_events: int = 60, n_channels: int = 4) -> bytes:
    return b"".join(
        struct.pack(form * n_channels if form[0] not in "<>" else form[0] + form[1] * n_channels, *row)
        for row in ([v + 0.25 for v in row] for row in _numbers(n_events, n_channels, 200_000))
    )


def _bytes(bits: list[int], order: str = "little", tops: list[int] | None = None, n_events: int = 60) -> bytes:
    out = b""
    for row in _numbers(n_events, len(bits), 1 << 16):
        for i, (value, width) in enumerate(zip(row, bits, strict=True)):
            size = (width + 7) // 8
            out += (value % (tops[i] if tops else 1 << width)).to_bytes(size, order)  # type: ignore[arg-type]
    return out


def _packed(bits: int, n_channels: int, n_events: int = 64) -> bytes:
    """Values of `bits` bits one after the other, the most significant bit first."""
    joined = "".join(f"{value:0{bits}b}" for row in _numbers(n_events, n_channels, 1 << bits) for value in row)
    return int(joined, 2).to_bytes(len(joined) // 8, "big")


SPILL = {"$SPILLOVER": "2,A,B,1,0.1,0.2,1", "$TIMESTEP": "0.01", "$P3G": "2.5", "$P2S": "CD4 // FITC"}
LOGS = {"$P1E": "4,1", "$P2E": "4,0", "$P3G": "4"}


def _two_data_sets() -> bytes:
    second = _file("F", [32] * 4, _floats("<f", 20), 20)
    return _file("F", [32] * 4, _floats("<f"), 60, tail=second)


MADE: dict[str, Callable[[], bytes]] = {
    "float.fcs": lambda: _file("F", [32] * 4, _floats("<f"), 60, more=SPILL),
    "float_big_endian.fcs": lambda: _file("F", [32] * 4, _floats(">f"), 60, byteord="4,3,2,1", more=SPILL),
    "double.fcs": lambda: _file("D", [64] * 4, _floats("<d"), 60, version="FCS3.0", more=SPILL),
    "amplifiers.fcs": lambda: _file(
        "I", [16] * 4, _bytes([16] * 4, "big", [1024] * 4), 60, byteord="4,3,2,1", tops=[1024] * 4, more=LOGS
    ),
    "amplifiers_2.0.fcs": lambda: _file(
        "I",
        [16] * 4,
        _bytes([16] * 4, "big", [1024] * 4),
        60,
        version="FCS2.0",
        byteord="2,1",
        tops=[1024] * 4,
        more=LOGS,
    ),
    "mixed_widths.fcs": lambda: _file("I", [8, 16, 24, 32], _bytes([8, 16, 24, 32]), 60),
    "packed.fcs": lambda: _file("I", [10] * 4, _packed(10, 4), 64, byteord="4,3,2,1"),
    "two_data_sets.fcs": _two_data_sets,
    "segments.fcs": lambda: _file(
        "F",
        [32] * 4,
        _floats("<f"),
        60,
        supplement={"$P1G": "2", "$CYT": "made by hand", "$P2S": "CD8"},
        analysis={"GATE1": "A,1,2", "COUNT1": "17"},
    ),
}
