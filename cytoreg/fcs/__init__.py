"""Bytes to events and back. This room knows nothing of gates."""

from cytoreg.fcs.channel import Channel, Problem
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample, sample_from_array
from cytoreg.fcs.spillover import Spillover
from cytoreg.fcs.write import write_fcs

__all__ = ["Channel", "Problem", "Sample", "Spillover", "read_fcs", "sample_from_array", "write_fcs"]
