"""How sure a percentage is: counting, gate placement by a bootstrap over events, and both together.

Counting alone needs nothing else and loads first; the bootstrap (`bootstrap.py`) loads when gates were fitted.
"""

from cytoreg.gating.uncertainty.counting import Z95, wilson
from cytoreg.gating.uncertainty.intervals import Limits, limits

__all__ = ["FEWEST_REPLICATES", "LLOQ", "LOD", "REPLICATES", "Z95", "Limits", "limits", "wilson"]

REPLICATES = 64
"""As many as an event's membership in them fits into one number of 64 bits."""
LOD = 20
LLOQ = 50
"""Events in a population: the limits of detection and of quantification; what they stand for is in docs/reference/flags.md."""
FEWEST_REPLICATES = 16
"""Fewer do not tell a standard deviation."""
