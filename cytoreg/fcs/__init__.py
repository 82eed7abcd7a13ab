"""Bytes to events and back. This room knows nothing of gates."""

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
