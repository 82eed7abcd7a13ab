"""An FCS file from its parts, with offsets that are right: shortened, changed in TEXT, or laid out anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .anatomy import HEADER_BYTES, OFFSET_KEYS, Anatomy, Pair, dissect, whole

Edit = tuple[int, int, bytes]
Words = Sequence[tuple[bytes, bytes]]
OFFSET_WIDTH = 12


def apply(content: bytes, edits: Sequence[Edit]) -> bytes:
    """The content with stretches (first byte, byte after, what stands there instead) replaced, offsets as they were."""
    out, at = [], 0
    for start, stop, instead in sorted(edits):
        if start < at:
            continue
        out += [content[at:start], instead]
        at = stop
    return b"".join([*out, content[at:]])


def spliced(anatomy: Anatomy, edits: Sequence[Edit]) -> bytes:
    """The content with stretches replaced, and the offsets of HEADER and TEXT moved along with what they point to.

    An offset that the edits themselves replace stays what they say.
    """
    taken = {(start, stop) for start, stop, _ in edits}
    offsets = [pair for key in OFFSET_KEYS if (pair := anatomy.pair(key)) is not None]
    offsets = [pair for pair in offsets if whole({"n": pair.value}, "n") and pair.value_at not in taken]
    widened = [*edits, *((*pair.value_at, b"0" * OFFSET_WIDTH) for pair in offsets)]
    moved = [(*pair.value_at, b"%0*d" % (OFFSET_WIDTH, _moved(pair, widened))) for pair in offsets]
    header = bytearray(anatomy.content[:HEADER_BYTES])
    for field, position in enumerate(anatomy.header):
        if position and not any(start == 10 + 8 * field for start, _ in taken):
            header[10 + 8 * field : 18 + 8 * field] = b"%8d" % _shift(position, widened, is_end=field % 2 == 1)
    return apply(bytes(header) + anatomy.content[HEADER_BYTES:], [*edits, *moved])


def _moved(pair: Pair, edits: Sequence[Edit]) -> int:
    return _shift(int(pair.value), edits, is_end=pair.key.startswith("$END"))


def _shift(position: int, edits: Sequence[Edit], *, is_end: bool) -> int:
    """Where a byte has gone; the end of a segment goes with what follows it, what is cut with the end of the cut."""
    border = position + is_end
    return position + sum(
        len(instead) - (stop - start)
        for start, stop, instead in edits
        if stop <= border or (not instead and start < border)
    )


def shortened(content: bytes, data_bytes: int) -> tuple[bytes, list[int]]:
    """A file with about that much of DATA, offsets and $TOT right, and the events of the original that it holds.

    The last event stays, so that ends of DATA that are off by a byte are so in the short file too. Data sets that
    follow are shortened alike. A file that is small, or whose DATA cannot be found, comes back as it is.
    """
    anatomy = dissect(content)
    if anatomy is None or anatomy.data is None or anatomy.row_bits % 8:
        return content, []
    row = anatomy.row_bits // 8
    keep = max(4, data_bytes // row)
    edits: list[Edit] = []
    total, following = anatomy.pair("$TOT"), whole(anatomy.words, "$NEXTDATA")
    kept = list(range(anatomy.n_events))
    if keep < anatomy.n_events and total is not None:
        first = anatomy.data[0]
        edits.append((first + (keep - 1) * row, first + (anatomy.n_events - 1) * row, b""))
        width = total.value_at[1] - total.value_at[0]
        edits.append((*total.value_at, b"%0*d" % (width, keep)))
        kept = [*range(keep - 1), anatomy.n_events - 1]
    if following and following < len(content):
        edits.append((following, len(content), shortened(content[following:], data_bytes)[0]))
    return (spliced(anatomy, edits) if edits else content), kept


def composed(
    version: bytes,
    words: Words,
    segments: Mapping[str, bytes],
    *,
    delimiter: bytes = b"/",
    order: Sequence[str] = ("TEXT", "DATA", "STEXT", "ANALYSIS"),
    gap: int = 0,
    tail: bytes = b"",
) -> bytes:
    """A file of HEADER, TEXT, DATA and, where given, supplemental TEXT and ANALYSIS, in any order.

    words: keywords as they stand in TEXT, delimiters in values doubled; the offsets among them are filled in.
    gap: blanks between segments. tail: a data set that follows ($NEXTDATA is then set).
    """
    marks = {key.encode(): key for key in OFFSET_KEYS}
    sizes = {name: len(segment) for name, segment in segments.items()}
    sizes["TEXT"] = 1 + sum(
        len(key) + (OFFSET_WIDTH if key.upper() in marks else len(value)) + 2 for key, value in words
    )
    places, at = {}, HEADER_BYTES
    for name in order:
        if sizes.get(name):
            places[name] = (at, at + sizes[name] - 1)
            at += sizes[name] + gap
    places["NEXT"] = (at, at) if tail else (0, 0)
    offsets = {
        f"${side}{name}": places.get(name, (0, 0))[side == "END"]
        for name in ("DATA", "STEXT", "ANALYSIS")
        for side in ("BEGIN", "END")
    }
    offsets["$NEXTDATA"] = places["NEXT"][0]
    text = delimiter + b"".join(
        key
        + delimiter
        + (b"%0*d" % (OFFSET_WIDTH, offsets[marks[key.upper()]]) if key.upper() in marks else value)
        + delimiter
        for key, value in words
    )
    header = version.ljust(10)
    for name in ("TEXT", "DATA", "ANALYSIS"):
        header += b"%8d%8d" % places.get(name, (0, 0))
    out = bytearray(header.ljust(at))
    for name, (begin, _) in places.items():
        part = text if name == "TEXT" else segments.get(name, b"")
        out[begin : begin + len(part)] = part
    return bytes(out[:at]) + tail
