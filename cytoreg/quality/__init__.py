"""Acquisition quality of one tube: events at the ends of a scale, time, flow rate, signal, doublets, few events.

What is found is numbers and flags. Nothing is removed unless a template or study asks for it.
"""

from cytoreg.quality.clock import clock_index
from cytoreg.quality.judging import REMOVABLE, Quality, quality_of

__all__ = ["REMOVABLE", "Quality", "clock_index", "quality_of"]
