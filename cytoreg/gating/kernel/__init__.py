"""The kernel: a tree of concrete gates applied to the events of one file, exactly and at the speed of memory."""

from cytoreg.gating.kernel.decide import decide
from cytoreg.gating.kernel.native import status
from cytoreg.gating.kernel.plan import Axis, Decided, Over, Plan, Population
from cytoreg.gating.kernel.sweep import Sweep

__all__ = ["Axis", "Decided", "Over", "Plan", "Population", "Sweep", "decide", "status"]
