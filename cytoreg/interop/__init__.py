"""Gate formats of the outside world, one file each; all become the one template."""

from cytoreg.interop.load import load_template

__all__ = ["load_template"]
