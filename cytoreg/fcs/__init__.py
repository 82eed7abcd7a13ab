"""Bytes to events and back. This room knows nothing of gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.fcs.channel import Channel, Problem
    from cytoreg.fcs.deidentify import Change, deidentified
    from cytoreg.fcs.read import count_datasets, read_fcs
    from cytoreg.fcs.rewrite import copy_fcs
    from cytoreg.fcs.sample import Sample, sample_from_array
    from cytoreg.fcs.spillover import Spillover
    from cytoreg.fcs.write import write_fcs

__all__ = [
    "Change",
    "Channel",
    "Problem",
    "Sample",
    "Spillover",
    "copy_fcs",
    "count_datasets",
    "deidentified",
    "read_fcs",
    "sample_from_array",
    "write_fcs",
]

__getattr__ = lazily(
    __name__,
    {
        "Change": "deidentify",
        "Channel": "channel",
        "Problem": "channel",
        "Sample": "sample",
        "Spillover": "spillover",
        "copy_fcs": "rewrite",
        "count_datasets": "read",
        "deidentified": "deidentify",
        "read_fcs": "read",
        "sample_from_array": "sample",
        "write_fcs": "write",
    },
)
