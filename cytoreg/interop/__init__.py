"""Formats of the outside world, one file each: gates become the one template, events go from one to another."""

from cytoreg.interop.conversion import Conversion, convert, convert_folder
from cytoreg.interop.load import load_template
from cytoreg.interop.opening import gate

__all__ = ["Conversion", "convert", "convert_folder", "gate", "load_template"]
