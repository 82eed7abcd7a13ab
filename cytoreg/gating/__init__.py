"""A template, the gates it places on a sample, and the populations they give."""

from cytoreg.gating.gate import gate
from cytoreg.gating.read_template import parse_template
from cytoreg.gating.result import Percentage, Result
from cytoreg.gating.template import Template

__all__ = ["Percentage", "Result", "Template", "gate", "parse_template"]
