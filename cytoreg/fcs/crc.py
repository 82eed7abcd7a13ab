"""The check sum after the last segment of a data set (FCS 3.0 and 3.1, section 3.5).

16 bits, CCITT polynomial x^16 + x^12 + x^5 + 1, over all bytes from HEADER to the last segment's last, written
as 8 ASCII digits right after it; 00000000 where none was computed. The standard points to Numerical Recipes,
which begins with 0 and takes the lowest bit first; what others call CCITT takes the highest first, some begin
with FFFF. A sum that agrees with any of these is right.
"""

from __future__ import annotations

import binascii

from cytoreg.fcs.storage import Storage

__all__ = ["crc_matches"]

DIGITS = 8
STEP = 1 << 20
SEEDS = (0, 0xFFFF)
TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc_matches(storage: Storage, base: int, end: int) -> bool | None:
    """Whether the bytes from `base` to before `end` have the sum that follows them; None where none does."""
    with storage.opened() as reader:
        word = bytearray(DIGITS)
        if reader.fill(end, memoryview(word)) < DIGITS:
            return None
        digits = bytes(word).strip(b" ")
        if not digits.isdigit() or int(digits) == 0:
            return None
        sums, turned = list(SEEDS), list(SEEDS)
        buffer = memoryview(bytearray(STEP))
        for begin in range(base, end, STEP):
            part = buffer[: min(STEP, end - begin)]
            reader.fill(begin, part)
            sums = [binascii.crc_hqx(part, total) for total in sums]
            lowest_first = bytes(part).translate(TURNED)
            turned = [binascii.crc_hqx(lowest_first, total) for total in turned]
    return int(digits) in (*sums, *(int(f"{total:016b}"[::-1], 2) for total in turned))
