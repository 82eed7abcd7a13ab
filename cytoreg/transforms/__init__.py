"""Display scales, one file a kind. Gates of fluorescence are in the units of these.

Linear, log, arcsinh, logicle and hyperlog are those of GatingML 2.0, section 6; biexponential is FlowJo's.
"""

from collections.abc import Mapping
from typing import Any

from cytoreg.transforms.arcsinh import Arcsinh
from cytoreg.transforms.biexponential import Biexponential
from cytoreg.transforms.hyperlog import Hyperlog
from cytoreg.transforms.linear import Linear
from cytoreg.transforms.log import Log
from cytoreg.transforms.logicle import Logicle
from cytoreg.transforms.scale import Transform

__all__ = [
    "KINDS",
    "Arcsinh",
    "Biexponential",
    "Hyperlog",
    "Linear",
    "Log",
    "Logicle",
    "Transform",
    "transform_of",
]

KINDS: Mapping[str, Any] = {
    "linear": Linear,
    "log": Log,
    "arcsinh": Arcsinh,
    "logicle": Logicle,
    "hyperlog": Hyperlog,
    "biexponential": Biexponential,
}


def transform_of(kind: str, params: Mapping[str, Any]) -> Transform:
    """A scale by its word in a template. Raises ValueError for impossible parameters.

    >>> transform_of("log", {"T": 1000, "M": 3}).forward(10.0).item()
    1.0
    """
    scale: Transform = KINDS[kind](**params)
    return scale
