"""The order in which the bytes and the bits of a value are stored: $BYTEORD (FCS 3.1, section 3.2.20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem, quoted

__all__ = ["check_byte_order", "lowest_bit_first", "read_byte_order", "significance"]


def read_byte_order(text: Mapping[str, str], version: str, where: str, problems: list[Problem]) -> tuple[int, ...]:
    """The significance of each byte of a word, from 1 for the least. Raises FCSError where it is no order."""
    value = text.get("$BYTEORD", "").strip()
    if not value:
        problems.append(Problem("$BYTEORD is absent", "TEXT", "1,2,3,4 was assumed", affects_numbers=True))
        return (1, 2, 3, 4)
    try:
        order = tuple(int(part) for part in value.split(",", maxsplit=8))
    except ValueError:
        order = ()
    if sorted(order) == list(range(1, len(order) + 1)) and len(order) in (1, 2, 4, 8):
        if version in ("FCS3.1", "FCS3.2") and order not in ((1, 2, 3, 4), (4, 3, 2, 1)):
            what = f"$BYTEORD is {value}, of which {version} allows only 1,2,3,4 and 4,3,2,1"
            problems.append(Problem(what, "TEXT", "it was followed"))
        return order
    raise FCSError(f"{where}: keyword $BYTEORD: expected an order such as 1,2,3,4, found {quoted(value)}")


def check_byte_order(order: tuple[int, ...], widths: Sequence[int], where: str, problems: list[Problem]) -> None:
    """Raises FCSError where an order says nothing of values of these widths, in bits."""
    mixed = list(order) not in (sorted(order), sorted(order, reverse=True))
    if mixed and any(width not in (8, 8 * len(order)) for width in widths):
        what = f"$BYTEORD is {','.join(map(str, order))} for values of other than {8 * len(order)} bits"
        problems.append(Problem(what, "TEXT", "it was taken as an order of 16-bit words", affects_numbers=True))
    try:
        if any(width % 8 for width in widths):
            lowest_bit_first(order)
        for width in {width for width in widths if width % 8 == 0}:
            significance(order, width // 8)
    except FCSError as problem:
        raise FCSError(f"{where}: keyword $BYTEORD: {problem}") from None


@cache
def significance(order: tuple[int, ...], width: int) -> tuple[int, ...]:
    """The place, from 0 for the least significant, of each of `width` bytes of a value under $BYTEORD.

    A mixed order such as 3,4,1,2 is that of words of two bytes: within a word and of the words.

    >>> significance((1, 2, 3, 4), 2), significance((3, 4, 1, 2), 2), significance((3, 4, 1, 2), 8)
    ((0, 1), (0, 1), (6, 7, 4, 5, 2, 3, 0, 1))
    """
    if len(order) == width:
        return tuple(place - 1 for place in order)
    if width == 1:
        return (0,)
    rising = list(order) == sorted(order)
    if rising or list(order) == sorted(order, reverse=True):
        places = range(width)
        return tuple(places if rising else reversed(places))
    pairs = [tuple(order[i : i + 2]) for i in range(0, len(order), 2)]
    if width % 2 or any(abs(low - high) != 1 for low, high in pairs):
        raise FCSError(f"{','.join(map(str, order))} gives no order for values of {width} bytes")
    words = list(range(0, width, 2))
    if pairs[0] > pairs[-1]:
        words.reverse()
    inner = (0, 1) if pairs[0][0] < pairs[0][1] else (1, 0)
    return tuple(word + place for word in words for place in inner)


def lowest_bit_first(order: Sequence[int]) -> bool:
    """Whether values that do not fill bytes follow each other from the lowest bit of a byte up.

    So they do with the least significant byte first; with the most significant first, from the highest down.
    """
    if list(order) == sorted(order) and len(order) > 1:
        return True
    if list(order) == sorted(order, reverse=True) and len(order) > 1:
        return False
    raise FCSError(f"{','.join(map(str, order))} gives no order for values that do not fill whole bytes")
