"""Do two ways of getting a number agree: Bland-Altman, concordance, ICC, variance components, control charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.stats.agreement.bland_altman import limits_of_agreement
    from cytoreg.stats.agreement.components import variance_components
    from cytoreg.stats.agreement.concordance import lin_concordance
    from cytoreg.stats.agreement.control_chart import levey_jennings
    from cytoreg.stats.agreement.icc import intraclass_correlations

__all__ = [
    "intraclass_correlations",
    "levey_jennings",
    "limits_of_agreement",
    "lin_concordance",
    "variance_components",
]

_HOMES = {
    "lin_concordance": "concordance",
    "levey_jennings": "control_chart",
    "intraclass_correlations": "icc",
    "limits_of_agreement": "bland_altman",
    "variance_components": "components",
}

__getattr__ = lazily(__name__, _HOMES)
