"""Which keywords the standard has, which it requires, and what to say of those that are amiss.

FCS 2.0 (1990), 3.0 (1997), 3.1 (2010; sections 3.2.18 to 3.2.20) and 3.2 (2021).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from cytoreg.fcs.channel import Problem, quoted
from cytoreg.fcs.text import number

__all__ = ["audit"]

_SEGMENTS = ("$BEGINANALYSIS", "$ENDANALYSIS", "$BEGINSTEXT", "$ENDSTEXT")
_REQUIRED = {  # those that a number depends on are told where they are read
    "FCS2.0": ("$MODE", "$NEXTDATA"),
    "FCS3.0": ("$MODE", "$NEXTDATA", *_SEGMENTS),
    "FCS3.1": ("$MODE", "$NEXTDATA", *_SEGMENTS),
    "FCS3.2": ("$NEXTDATA", "$CYT"),
}
_STANDARD = re.compile(
    r"""\$(
    ABRT | BEGIN(ANALYSIS|DATA|STEXT|DATETIME) | END(ANALYSIS|DATA|STEXT|DATETIME) | BTIM | BYTEORD | CARRIER(ID|TYPE)
    | CELLS | COM | COMP | CSMODE | CSTOT | CSVBITS | CSV\d+FLAG | CYT | CYTSN | DATATYPE | DATE | DFC\d+TO\d+ | ETIM | EXP
    | FIL | FLOWRATE | GATE | GATING | G\d+[EFNPRSTV] | INST | LAST_MODIFIED | LAST_MODIFIER | LOCATIONID | LOST
    | MODE | NEXTDATA | OP | ORIGINALITY | PAR | PK\d+ | PKN\d+ | PLATEID | PLATENAME | PROJ | R\d+[IW] | SMNO
    | SPILLOVER | SRC | SYS | TIMESTEP | TOT | TR | UNICODE | UNSTAINEDCENTERS | UNSTAINEDINFO | VOL | WELLID
    | P\d+([BDEFGLNOPRSTV] | CALIBRATION | DATATYPE | ANALYTE | DET | FEATURE | TAG | TYPE)
    )""",
    re.VERBOSE,
)
_LIKE_A_KEYWORD = re.compile(r"\$[$A-Z0-9_ ]{1,30}")
_OF_A_CHANNEL = re.compile(r"\$P0*(\d+)[BNR]")
SHOWN = 5


def audit(text: Mapping[str, str], version: str, n_channels: int) -> list[Problem]:
    """What a reader can note of the keywords before it looks at a value."""
    problems = []
    absent = [key for key in _REQUIRED[version] if not text.get(key)]
    if absent:
        problems.append(Problem(f"required keywords are absent: {_some(absent)}", "TEXT", "the usual was assumed"))
    unknown = [key for key in text if key.startswith("$") and _is_unknown(key)]
    if unknown:
        what = f"keywords with $ that the standard does not have: {_some(unknown)}"
        problems.append(Problem(what, "TEXT", "they were kept and not used"))
    numbers = ((key, _number_of(key)) for key in text if key.startswith("$P"))
    beyond = [key for key, number in numbers if number > n_channels]
    if beyond:
        what = f"keywords of channels beyond $PAR, which is {n_channels}: {_some(beyond)}"
        problems.append(Problem(what, "TEXT", "they were not used"))
    if "$TIMESTEP" in text and (number(text, "$TIMESTEP", "") or 0) <= 0:
        what = f"$TIMESTEP is {quoted(text['$TIMESTEP'])}"
        problems.append(Problem(what, "TEXT", "the time channel has no unit"))
    return problems


@lru_cache(maxsize=8192)  # the files of a batch have the same keywords
def _is_unknown(key: str) -> bool:
    return bool(_LIKE_A_KEYWORD.fullmatch(key)) and not _STANDARD.fullmatch(key)


@lru_cache(maxsize=8192)
def _number_of(key: str) -> int:
    """Of which channel a keyword says how it is stored; 0 where it says that of none."""
    found = _OF_A_CHANNEL.fullmatch(key)
    return int(found[1][:9]) if found else 0


def _some(keys: list[str]) -> str:
    shown = ", ".join(key[:40] for key in keys[:SHOWN])
    return shown + (f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else "")
