"""All kinds of damage, and the one that a seed stands for: the same for the same file and seed."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from .anatomy import dissect
from .damage_bytes import change_digit, delete, double, flip_anywhere, flip_head, insert, several, truncate
from .damage_keywords import (
    drop_or_repeat,
    header_offset,
    keyword_number,
    keyword_value,
    mangle_name,
    meaning,
    offset_keyword,
    swap_values,
)
from .damage_order import concatenate, rearrange, swap_segments
from .damage_wrapping import gzip_damage, zip_damage
from .subject import Change, Mutation, Subject

__all__ = ["KINDS", "Mutation", "mutate"]


def mutate(name: str, content: bytes, seed: int) -> Mutation:
    """The mutation of a file that a seed stands for. The kinds take turns; where one does not fit, bytes are flipped."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    subject = Subject(content, dissect(content), rng)
    kind = list(KINDS)[seed % len(KINDS)]
    made = KINDS[kind](subject) or flip_anywhere(subject)
    return replace(made, kind=kind)


KINDS: dict[str, Change] = {
    "bytes anywhere": flip_anywhere,
    "bytes of HEADER and TEXT": flip_head,
    "a digit": change_digit,
    "inserted": insert,
    "deleted": delete,
    "doubled": double,
    "truncated": truncate,
    "HEADER offsets": header_offset,
    "TEXT offsets": offset_keyword,
    "keyword value": keyword_value,
    "keyword number": keyword_number,
    "values swapped": swap_values,
    "byte order, type, mode": meaning,
    "keyword name": mangle_name,
    "keyword gone or twice": drop_or_repeat,
    "segments swapped": swap_segments,
    "concatenated": concatenate,
    "several": several,
    "rearranged legally": rearrange,
    "gzip": gzip_damage,
    "zip": zip_damage,
}
