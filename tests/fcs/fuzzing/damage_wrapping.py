"""Files in gzip and zip, whole and damaged."""

from __future__ import annotations

import gzip
import io
import zipfile

from .compose import apply
from .subject import Mutation, Subject


def zipped(subject: Subject, inside: bytes) -> bytes:
    """A zip of one member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED][subject.pick(2)]) as archive:
        archive.writestr(zipfile.ZipInfo("tube.fcs"), inside, archive.compression)
    return out.getvalue()


def gzip_damage(subject: Subject) -> Mutation:
    return _wrapped(subject, gzip.compress(subject.content, 1, mtime=0), ".fcs.gz")


def zip_damage(subject: Subject) -> Mutation:
    return _wrapped(subject, zipped(subject, subject.content), ".zip")


def _wrapped(subject: Subject, whole: bytes, suffix: str) -> Mutation:
    """A compressed file, whole or damaged: bytes anywhere or in its first and last hundred, cut, joined."""
    way = subject.pick(8)
    if way == 0:
        return Mutation("", f"{suffix}, whole", whole, harmless=True, suffix=suffix)
    edge = subject.pick(min(100, len(whole)))
    at = [subject.pick(len(whole)), edge, len(whole) - 1 - edge][subject.pick(3)]
    if way < 5:
        said, changed = f"byte {at}", apply(whole, [(at, at + 1, bytes([whole[at] ^ (1 << subject.pick(8))]))])
    elif way == 5:
        said, changed = f"cut at {at}", whole[:at]
    elif way == 6:
        said, changed = f"8 bytes inserted at {at}", apply(whole, [(at, at, subject.rng.bytes(8))])
    else:
        said, changed = "twice", whole * 2
    return Mutation("", f"{suffix}, {said}", changed, suffix=suffix)
