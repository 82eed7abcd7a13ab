"""Which fluorochrome a channel detects, as far as its name ($PnN) or its label ($PnS) says so.

Cytometers write dyes, detectors (`FL1-H`, `V450-A`, `780/60Red-A`) and antigens into the same two keywords.
A name that is a dye from end to end is taken first; in a label the dye may stand beside the antigen, and in a
long name beside laser and filter.
"""

from __future__ import annotations

import re

__all__ = ["fluorochrome_of", "isotope_of", "without_pulse"]

_S = r"[\s._/-]?"  # how the parts of one dye are joined: PE-Cy7, PE Cy7, PECy7
_CYANINE = rf"cy{_S}(?:3\.5|5[.\-]5|55|[2357])"
_SPARK = r"(?:uv|violet|blue|nir|yg|red|plus uv|plus violet|plus blue)"
_TANDEM = (
    rf"(?:{_CYANINE}|pc[57]|h7|r700|texas{_S}red|tr|cf{_S}594|dazzle{_S}594|fire{_S}\d{{3}}|e?fluor{_S}\d{{3}}"
    rf"|vio{_S}\d{{3}}|vio{_S}bright|alexa{_S}(?:fluor{_S})?\d{{3}}|af{_S}\d{{3}})"
)
_DYE = "|".join(
    (
        rf"(?:percp|pe|apc){_S}{_TANDEM}",
        r"pc(?:5\.5|[57])|ecd|percp|apc|pe|fitc",
        rf"b(?:uv|v|b|yg){_S}\d{{3}}|r(?:b|y){_S}\d{{3}}|r718",
        rf"(?:brilliant{_S}(?:violet|blue|ultra{_S}violet)|super{_S}bright|star{_S}bright{_S}\w+|sb){_S}\d{{3}}",
        rf"alexa{_S}(?:fluor)?™?{_S}\d{{3}}|a[fx]{_S}\d{{3}}|(?:dylight|atto|cf|hilyte){_S}\d{{3}}",
        rf"(?:q(?:dot|d)|evolve|e-?fluor|nova{_S}fluor{_S}\w+|cfluor{_S}\w?|mystical{_S}\w*){_S}\d{{3}}",
        rf"spark{_S}{_SPARK}{_S}\d{{3}}|kiravia{_S}blue{_S}520",
        rf"pac(?:ific)?{_S}(?:blue?|orange|green)|am{_S}cyan|krome{_S}orange|cascade{_S}(?:blue|yellow)|marina{_S}blue",
        rf"vio{_S}(?:blue|green|bright{_S}\w*)|bd{_S}horizon{_S}v(?:450|500)|horizon{_S}v(?:450|500)",
        rf"{_CYANINE}|texas{_S}red|tri{_S}color|red{_S}613",
        rf"zombie{_S}(?:aqua|green|nir|red|uv|violet|yellow)|fv[sd]{_S}\w*\d{{3}}|ghost{_S}dye{_S}\w*(?:{_S}\d{{3}})?",
        rf"(?:live{_S}dead|l/d){_S}(?:fixable{_S})?(?:aqua|blue|green|near{_S}ir|nir|red|violet|yellow)|vivid",
        r"7-?aad|dapi|propidium iodide|pi|hoechst(?: ?\d{5})?(?: ?(?:blue|red))?|sytox ?\w+|draq[57]|to-pro-3",
        r"cfse|cell ?trace ?(?:violet|yellow|far red|cfse)|ctv|cfda|indo-?1(?: \w+)?|fluo-?[34]|rhodamine(?: ?123)?",
        r"e?gfp|e?yfp|e?cfp|e?bfp|rfp|tdtomato|mcherry|dsred|venus|zsgreen|mkate2?",
    )
)
_WHOLE = re.compile(rf"(?:{_DYE})", re.IGNORECASE)
_WITHIN = re.compile(rf"(?<![a-z0-9])(?:{_DYE})(?![a-z0-9])", re.IGNORECASE)
_WITHIN_LABEL = re.compile(rf"(?<![a-z0-9])(?:{_DYE}|v450|v500)(?![a-z0-9])", re.IGNORECASE)  # in names, detectors
_LONGEST = 200  # characters of a keyword that are looked at; in a damaged file it may run on for megabytes
_PULSE = re.compile(r"[\s_-](?:A|H|W|Area|Height|Width)$", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:FJ)?Comp-|^<|>$", re.IGNORECASE)
_ISOTOPE = re.compile(r"([A-Z][a-z]?)(\d{2,3})Di")


def fluorochrome_of(name: str, label: str | None = None) -> str | None:
    """The fluorochrome of a channel as the file spells it, or None where neither keyword names one.

    >>> fluorochrome_of("Comp-PE-Dazzle594-A", "TNFa"), fluorochrome_of("780/60Red-A", "APCCy7 - CD4")
    ('PE-Dazzle594', 'APCCy7')
    >>> fluorochrome_of("FL5 INT LOG", "CD45-PC7"), fluorochrome_of("FL1-H", "FL1-Height")
    ('PC7', None)
    """
    dye, described = without_pulse(name[:_LONGEST]), without_pulse((label or "")[:_LONGEST])
    if _WHOLE.fullmatch(dye):
        return dye
    found = _WITHIN_LABEL.findall(described) or _WITHIN.findall(dye)
    return "/".join(dict.fromkeys(found)) or None


def isotope_of(name: str) -> str | None:
    """The metal isotope of a channel of a mass cytometer.

    >>> isotope_of("Tm169Di"), isotope_of("Time")
    ('169Tm', None)
    """
    found = _ISOTOPE.fullmatch(name.strip())
    return f"{found[2]}{found[1]}" if found else None


def without_pulse(name: str) -> str:
    """A channel's name without area, height or width, and without the mark of compensated channels.

    >>> without_pulse("Comp-BUV395-A"), without_pulse("PerCP-Cy5-5-H"), without_pulse("FSC-W")
    ('BUV395', 'PerCP-Cy5-5', 'FSC')
    """
    return _PULSE.sub("", _PREFIX.sub("", name.strip())).strip()
