"""TEXT without what tells who, when and where: what is needed to read and gate stays, all else goes.

An instrument may write anything under any keyword, so the rule is a list of what stays (`identifying.KEPT`), each
with the form its value must have, and not only a list of what goes. DATA is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cytoreg.errors import FCSError
from cytoreg.fcs.fluorochrome import fluorochrome_of, without_pulse
from cytoreg.fcs.identifying import LABEL, REQUIRED, category_of, form_of, known_product

__all__ = ["Change", "deidentified", "identifiers_of", "names_of"]

REMOVED = "removed"
LONGEST = 1000  # characters of a name or a number: what is longer is neither, and would take the patterns long
_ZEROED = ("$BEGINSTEXT", "$ENDSTEXT", "$BEGINANALYSIS", "$ENDANALYSIS", "$NEXTDATA")
_MONTHS = "jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_TELLING = re.compile(
    rf"""(?<!\d)(?:19|20)\d\d[-./_ ]?(?:0[1-9]|1[0-2])[-./_ ]?(?:0[1-9]|[12]\d|3[01])(?!\d)  # 2024-05-31
    |(?<!\d)\d{{1,2}}[-./_ ]\d{{1,2}}[-./_ ](?:19|20)\d\d(?!\d)                              # 31.5.2024
    |(?<!\d)(?:0[1-9]|[12]\d|3[01])[-./](?:0[1-9]|[12]\d|3[01])[-./]\d\d(?!\d)               # 31/05/24
    |(?<!\d)\d{{1,2}}[-./_ ]?(?:{_MONTHS})[a-z]*[-./_ ,]*(?:\d\d){{1,2}}(?!\d)               # 31-May-2024
    |(?<!\d)(?:19|20)\d\d[-./_ ](?:{_MONTHS})[a-z]*[-./_ ]\d{{1,2}}(?!\d)                    # 2024-May-31
    |(?<![A-Za-z])[A-Za-z]:[\\/][^;,]*|\\\\[^;,\\]+\\[^;,]*|(?<![A-Za-z0-9])(?:/[\w.~-]+){{3,}}  # paths
    |[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{{2,}}                                            # e-mail
    |[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}                                     # GUID
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What a channel is labelled with for its own sake, though a tube or a user may be called so too.
_COMMON = re.compile(
    r"""cd\d+\w{0,2}|[a-z]{2,4}sc|[fb]uv\d+|bv\d+|af\d+|fl\d+|ax\d+|alexa|fluor|pacific|blue|violet|green|yellow|red|
    orange|fitc|percp|apc|cy\d|cyan|texas|dazzle|fire|spark|zombie|horizon|qdot|efluor|time|width|area|height|event|
    default|patient|sample|samples|specimen|tube|plate|well|panel|control|controls|unstained|stained|comp|compensation|
    beads?|cells?|t-cells|b-cells|blood|spleen|marrow|none|null|empty|unknown|test|user|admin|administrator|operator|
    guest|labo?|viability|viab|live|dead|dump|isotype|foxp3|ki-?67|hla-?dr|tcr\w{0,2}|gfp|mcherry|original|data|group""",
    re.IGNORECASE | re.VERBOSE,
)

# Pieces of file names with a digit that label channels: detectors (BL1, V450, UV10, 405CH12), dyes are known to
# `fluorochrome_of`, isotopes, antigens and antibodies.
_OF_CHANNELS = re.compile(
    r"""fl\d+\w?|[a-z]l\d{1,2}|(?:uv|v|b|yg?|g|r|ir)(?:[1-9]\d?|[3-9]\d\d)|\d{3}ch\d+|ch\d+|(?:v|u)?ssc\d*|\d{3}nm
    |(?:rh|pd|ag|cd|in|sn|te|xe|cs|ba|la|ce|pr|nd|sm|eu|gd|tb|dy|ho|er|tm|yb|lu|ir|pt|bi|i|y)(?:[89]\d|1\d\d|20\d)(?:di)?
    |(?:[89]\d|1\d\d|20\d)(?:rh|pd|ag|cd|in|sn|te|xe|cs|ba|la|ce|pr|nd|sm|eu|gd|tb|dy|ho|er|tm|yb|lu|ir|pt|bi|i|y)(?:di)?
    |cd\d+\w{0,3}|il\d+\w{0,2}|cx?c[rl]\d+\w?|cx3c[rl]1|foxp3|ki67|b220|ly\d\w{0,2}|gr1|nk\d\w{0,3}|nkg2\w|nkp\d\d
    |pdl?\d|tim\d|lag3|ctla4|gata3|t?bet\d?|bcl\d|p?stat\d|ig[agm]\d\w?|h2k\w|f480|tlr\d+|klr[bdg]1|sca1|dr\d|hladr\d?
    |cy\dp?\d?|(?:apc|pe|percp)\w{0,3}\d{1,3}|\d{2,3}aad|aad7|7aad|amcyan\d*|spectral\d*|fcs\d+""",
    re.IGNORECASE | re.VERBOSE,
)
_PEOPLE = re.compile(r"\b(?:patient|pat|subject|donor|case|proband)\b\W*\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """What de-identification did to one keyword; never what stood there.

    category: one of `identifying.CATEGORIES`. action: `dropped` or `replaced` (a part of the value).
    """

    keyword: str
    category: str
    action: str


def deidentified(
    text: Mapping[str, str], *, patterns: Collection[str] = (), keep: Collection[str] = ()
) -> tuple[dict[str, str], tuple[Change, ...]]:
    """The keywords without what may tell who, when and where, and what was changed.

    Kept are the keywords of `identifying.KEPT` whose value has the form said there. Names and markers of channels
    stay, without dates, paths, e-mail addresses, GUIDs, and without the names and ids that dropped keywords
    hold (see `identifiers_of`; as whole words); `removed` stands in their place.
    patterns: regular expressions, case ignored. A keyword that one fits as a whole goes, unless the file cannot
    be read without it; what one finds in a name, a marker or a keyword of `keep` is replaced.
    keep: further keywords to keep (`*` stands for anything), as they are but for those names, ids and patterns.
    Raises FCSError for a pattern that is not a regular expression.
    """
    said = {key.upper(): value for key, value in text.items()}
    own = _compiled(patterns)
    identifiers = _any_of(identifiers_of(said, keep))
    scrubs = [pattern for pattern in (identifiers, *own) if pattern is not None]
    new: dict[str, str] = {}
    changes: list[Change] = []
    for key, value in said.items():
        stays = _value(key, value, scrubs, wanted=_is_kept(key, keep))
        if stays is not None and not REQUIRED.fullmatch(key) and any(pattern.fullmatch(key) for pattern in own):
            stays = None
        if stays is None:
            changes.append(Change(_shown(key), category_of(key), "dropped"))
            continue
        new[key] = "0" if key in _ZEROED else stays
        if stays != value:
            changes.append(Change(key, category_of(key), "replaced"))
    _tell_apart(said, new)
    _rename_in_spillover(said, new, scrubs, changes)
    return new, tuple(changes)


def identifiers_of(text: Mapping[str, str], keep: Collection[str] = ()) -> frozenset[str]:
    """The names and ids that the keywords to be dropped hold.

    Whole values, file names without their ending, and for people and subjects also words and phrases, where these
    have four characters or more and are no common word. Of files and subjects also pieces of three characters or
    more with a digit, such as P17 of `P17_base.fcs`, unless they are numbers of less than five digits or
    label channels: dyes, detectors, antigens.
    """
    found: set[str] = set()
    pieces: set[str] = set()
    for key, value in text.items():
        category = category_of(key.upper())
        if form_of(key.upper()) is not None or _is_kept(key.upper(), keep):
            continue
        if category not in (
            "person",
            "subject",
            "file",
            "identifier",
            "experiment",
            "plate",
            "site",
            "instrument",
        ):
            continue
        found.add(value.strip())
        if category == "file" or re.search(r"\.(fcs|lmd)$", value, re.IGNORECASE):
            name = re.split(r"[\\/]", value.strip())[-1]
            stem = re.sub(r"\.\w{2,4}$", "", name)
            found |= {name, stem}
            pieces |= _pieces(stem)
        if category in ("person", "subject"):
            words = re.findall(r"[^\W_][\w'-]+", value)
            found |= {word for word in words if category == "person" or re.search(r"\d", word)}
            found |= _phrases(value)
        if category == "subject":
            pieces |= _pieces(value) | set(_PEOPLE.findall(value[:LONGEST]))
    channels = {without_pulse(v).casefold() for key, v in text.items() if re.fullmatch(r"\$P\d+N", key.upper())}
    names = {word for word in found if len(word) >= 4 and not _is_common(word)}
    parts = {piece for piece in pieces if piece.casefold() not in channels}
    return frozenset(word for word in names | parts if len(word) <= 200 and word.isprintable())


def names_of(text: Mapping[str, str], n_channels: int) -> list[tuple[str, str | None]]:
    """Name and marker of each channel as TEXT gives them, by the rule of the reader."""
    named = []
    for i in range(1, n_channels + 1):
        marker = text.get(f"$P{i}S", "").strip()
        name = text.get(f"$P{i}N", "").strip() or marker or f"P{i}"
        named.append((name, marker if marker and marker.casefold() != name.casefold() else None))
    return named


def _phrases(value: str) -> set[str]:
    """What stands between commas and the like, and any two words that follow each other (`Li Wu`)."""
    value = value[:LONGEST]
    phrases = {phrase.strip() for phrase in re.split(r"[,;:/|()\[\]\n]+", value)}
    return phrases | set(re.findall(r"(?<![^\W\d_])(?=([^\W\d_]+[ ]+[^\W\d_]+)(?![^\W_]))", value))


def _pieces(name: str) -> set[str]:
    """The words of a name that hold a digit and do not label channels."""
    words = re.findall(r"[^\W_]+", name[:LONGEST])
    return {
        word
        for word in words
        if len(word) >= (5 if word.isdecimal() else 3)
        and re.search(r"\d", word)
        and not (_is_common(word) or _OF_CHANNELS.fullmatch(word) or fluorochrome_of(word))
    }


def _value(key: str, value: str, scrubs: Collection[re.Pattern[str]], *, wanted: bool) -> str | None:
    """What stays of a value, or None where the keyword goes."""
    form = form_of(key)
    if wanted:
        return _scrubbed(value, scrubs)
    if form == LABEL:
        return _name(value, scrubs)
    if form is None:
        return None
    if form == "product":
        return known_product(value[:LONGEST])
    if form == "spillover":
        return value  # its names follow those of the channels, below
    if REQUIRED.fullmatch(key) or not value.strip():
        return value
    fits = len(value) <= LONGEST and re.fullmatch(form, value.strip(), re.IGNORECASE)
    return value if fits else None


def _name(value: str, scrubs: Collection[re.Pattern[str]]) -> str:
    return REMOVED if len(value) > LONGEST else _scrubbed(value, (_TELLING, *scrubs))


def _scrubbed(value: str, scrubs: Collection[re.Pattern[str]]) -> str:
    for pattern in scrubs:
        value = pattern.sub(lambda found: REMOVED if found[0] else "", value)
    return value


def _tell_apart(old: Mapping[str, str], new: dict[str, str]) -> None:
    """Give channels that have become alike their numbers, so that each can still be asked for by name."""
    names = {key: value for key, value in new.items() if re.fullmatch(r"\$P\d+N", key)}
    for key, name in names.items():
        if name != old[key] and sum(other == name for other in names.values()) > 1:
            new[key] = f"{name} {key[1:-1]}"


def _rename_in_spillover(
    old: Mapping[str, str], new: dict[str, str], scrubs: Collection[re.Pattern[str]], changes: list[Change]
) -> None:
    """Let the matrices name the channels as they are named now; numbers in them stay."""
    renamed = {old[key]: new[key] for key in new if re.fullmatch(r"\$P\d+[NS]", key)}
    for key in [key for key in new if form_of(key) == "spillover"]:
        fields = new[key].split(",")
        named = [
            field
            if re.fullmatch(r"\s*[-+\d.eE]*\s*", field)
            else renamed.get(field.strip()) or _name(field, scrubs)
            for field in fields
        ]
        if [field.strip() for field in named] != [field.strip() for field in fields]:
            new[key] = ",".join(named)
            changes.append(Change(key, category_of(key), "replaced"))


def _is_kept(key: str, keep: Collection[str]) -> bool:
    return any(fnmatchcase(key, wanted.upper()) for wanted in keep)


def _is_common(word: str) -> bool:
    """Whether a name or id consists of words that label channels anyway."""
    if _COMMON.fullmatch(word):
        return True
    pieces = [piece for piece in re.split(r"[\s_/,;:()-]+", word) if piece]
    common = [piece for piece in pieces if _COMMON.fullmatch(piece)]
    short = [piece for piece in pieces if len(piece) < 3]
    a_name = not common and any(len(piece) == 2 and piece.isalpha() for piece in short)  # Li Wu
    return all(piece in common or piece in short for piece in pieces) and not a_name


def _any_of(words: Collection[str]) -> re.Pattern[str] | None:
    if not words:
        return None
    longest_first: Iterator[str] = map(re.escape, sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(longest_first)})(?![^\W_])", re.IGNORECASE)


def _compiled(patterns: Collection[str]) -> list[re.Pattern[str]]:
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern, re.IGNORECASE))
        except re.error as problem:
            raise FCSError(f"pattern {pattern!r}: not a regular expression: {problem}") from None
    return compiled


def _shown(key: str) -> str:
    """A keyword for the report; one that is no word (a binary block read as TEXT) is not repeated."""
    ordinary = len(key) <= 64 and key.isascii() and key.isprintable()
    return key if ordinary and not _TELLING.search(key) else f"(a keyword of {len(key)} characters)"
