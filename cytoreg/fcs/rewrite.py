"""A copy of an opened data set that keeps every byte of DATA, with HEADER and TEXT laid anew (FCS 3.1, 3.1 and 3.2)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cytoreg.errors import FCSError
from cytoreg.fcs.atomic import write_whole
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.compose import enclose
from cytoreg.fcs.data import FileSource
from cytoreg.fcs.parameters import find_channels
from cytoreg.fcs.sample import Sample

__all__ = ["copy_fcs"]


def copy_fcs(
    sample: Sample,
    path: str | os.PathLike[str],
    *,
    text: Mapping[str, str] | None = None,
    keep_analysis: bool = True,
) -> None:
    """Write an opened data set as a file of its own: the same version, the same bytes of DATA, one data set.

    text: the keywords, in place of `sample.text`; what makes numbers of the bytes must stay as it is. Keywords of
    a supplemental TEXT segment go to the primary one, all in UTF-8; offsets, $NEXTDATA and $TOT (the events that
    were read) are set, $UNICODE is left out. keep_analysis: whether the ANALYSIS segment goes along.
    Raises FCSError where the sample does not come from a file, where `text` changes what the bytes mean, where a
    keyword cannot be written; StoreError where the file cannot be.
    """
    path = Path(path)
    source = sample._source
    if not isinstance(source, FileSource):
        raise FCSError(f"{sample.name}: was not read from a file, so there are no bytes to copy; write it as new")
    words = dict(sample.text if text is None else text)
    _same_meaning(sample, words, path.name)
    words.pop("$UNICODE", None)
    if "$TOT" in words or sample.version != "FCS2.0":  # which 2.0 does not require
        words["$TOT"] = str(sample.n_events)
    analysis = sample.analysis if keep_analysis else {}
    before, after = enclose(sample.version, words, source.layout.n_bytes, analysis, where=path.name)

    def pieces() -> Iterator[bytes]:
        yield before
        yield from sample.data_blocks()
        yield after

    write_whole(path, pieces())


def _same_meaning(sample: Sample, text: Mapping[str, str], where: str) -> None:
    """Raises FCSError where the keywords would make other numbers of the same bytes."""
    mode, order = ([said.get(key, "").strip() for said in (sample.text, text)] for key in ("$MODE", "$BYTEORD"))
    channels, _ = find_channels(text, sample.version, where)
    if mode[0] != mode[1] or order[0] != order[1] or len(channels) != len(sample.channels):
        raise FCSError(f"{where}: $MODE, $BYTEORD and $PAR say what DATA holds and must stay as in {sample.name}")
    for old, new in zip(sample.channels, channels, strict=True):
        if _storage(old) != _storage(new):
            raise FCSError(
                f"{where}: $DATATYPE and $PnB, $PnR, $PnE, $PnG, $PnDATATYPE of channel {old.index + 1} ({old.name}) say "
                f"what its bytes mean and must stay as in {sample.name}"
            )


def _storage(channel: Channel) -> tuple[object, ...]:
    return channel.kind, channel.bits, channel.range, channel.gain, channel.decades, channel.offset
