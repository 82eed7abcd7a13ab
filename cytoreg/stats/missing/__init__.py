"""What stands for missing values, as a plan declares it: imputed components, non-response, tipping points, pooling."""

from __future__ import annotations
