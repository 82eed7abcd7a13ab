"""The check sum after the last segment of a data set (FCS 3.0 and 3.1, section 3.5).

16 bits, CCITT polynomial x^16 + x^12 + x^5 + 1, over all bytes from HEADER to the last segment's last, written
as 8 ASCII digits right after it; 00000000 where none was computed. The standard takes the lowest bit of a byte
first and begins with 0; what others call CCITT takes the highest first, some begin with FFFF. A sum that agrees
with any of the four is taken to be right, which lets 4 of 65,536 damaged files pass instead of 1.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

from cytoreg.fcs.storage import Reader, Storage

__all__ = ["crc_matches"]

DIGITS = 8
STEP = 1 << 20
SEEDS = (0, 0xFFFF)
TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc_matches(storage: Storage, base: int, ends: Sequence[int]) -> bool | None:
    """Whether the bytes from `base` to the end of the last segment have the sum that follows them.

    ends: where that may be, the likeliest first; files differ in what they count. None where no sum follows
    the first, and no right one any other.
    """
    with storage.opened() as reader:
        words = {end: _word(reader, end) for end in ends if end > base}
        found = {end: word for end, word in words.items() if word}
        right = any(word in _sums(reader, base, end) for end, word in found.items())
    return True if right else False if ends[0] in found else None


def _word(reader: Reader, end: int) -> int:
    """The sum that is written at a place; 0 where none is."""
    word = bytearray(DIGITS)
    whole = reader.fill(end, memoryview(word)) == DIGITS
    digits = bytes(word).strip(b" ")
    return int(digits) if whole and digits.isdigit() else 0


def _sums(reader: Reader, base: int, end: int) -> tuple[int, ...]:
    sums, turned = list(SEEDS), list(SEEDS)
    buffer = memoryview(bytearray(STEP))
    for begin in range(base, end, STEP):
        part = buffer[: min(STEP, end - begin)]
        reader.fill(begin, part)
        sums = [binascii.crc_hqx(part, total) for total in sums]
        lowest_first = bytes(part).translate(TURNED)
        turned = [binascii.crc_hqx(lowest_first, total) for total in turned]
    return (*sums, *(int(f"{total:016b}"[::-1], 2) for total in turned))
