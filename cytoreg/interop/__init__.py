"""Gate formats of the outside world, one file each; all become the one template."""

from cytoreg.interop.load import load_template
from cytoreg.interop.opening import gate

__all__ = ["gate", "load_template"]
