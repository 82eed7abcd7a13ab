"""Which channel of a file carries which marker: by $PnS and $PnN, through aliases, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cytoreg.errors import TemplateError
from cytoreg.fcs.channel import Channel, carries, label_pieces
from cytoreg.fcs.sample import Sample

__all__ = ["COMMON_ALIASES", "find_channel", "is_foxp3", "means", "panel_of"]

COMMON_ALIASES: Mapping[str, tuple[str, ...]] = {
    "FSC-A": ("FSC-A", "FSC", "FSC-Area", "FS Lin", "FS-A", "Forward Scatter", "FSC-H"),
    "FSC-H": ("FSC-H", "FSC-Height", "FS Peak Lin", "FS-H"),
    "FSC-W": ("FSC-W", "FSC-Width", "FS-W"),
    "SSC-A": ("SSC-A", "SSC", "SSC-Area", "SS Lin", "SS-A", "Side Scatter", "SSC-H"),
    "SSC-H": ("SSC-H", "SSC-Height", "SS-H"),
    "Time": ("Time", "HDR-T", "HDR-TM", "TIME"),
    "viability": (
        *("viability", "Live Dead", "LiveDead", "L/D", "VIVID", "Zombie", "FVS", "FVD", "FVS510", "FVS780"),
        *(
            "Aqua",
            "Ghost Dye",
            "DAPI",
            "Propidium Iodide",
            "PI",
            "7-AAD",
            "7AAD",
            "eFluor 780 Viability",
            "Dead",
        ),
    ),
    "CD3": ("CD3", "CD3e", "CD3 epsilon"),
    "CD4": ("CD4",),
    "CD8": ("CD8", "CD8a", "CD8 alpha"),
    "CD16": ("CD16", "FcgRIII"),
    "CD19": ("CD19",),
    "CD16+CD56": ("CD16+CD56", "CD16/CD56", "CD16 CD56", "CD16_56", "CD1656", "CD56", "NCAM"),
    "CD25": ("CD25", "IL2RA", "IL-2Ra", "IL-2R alpha"),
    "CD45": ("CD45", "LCA"),
    "CD45RA": ("CD45RA",),
    "CD127": ("CD127", "IL7R", "IL7RA", "IL-7Ra", "IL-7R alpha"),
    "FOXP3": ("FOXP3", "FoxP3", "Fox P3"),
}


def find_channel(
    marker: str,
    sample: Sample,
    *,
    aliases: Sequence[str] = (),
    channels: Mapping[str, str] | None = None,
    exact: bool = False,
) -> Channel | None:
    """The channel that carries a marker, or None where the panel does not have it.

    channels: marker -> channel as the user says, which wins. Otherwise the marker and its aliases are
    looked for as the whole of $PnN, the whole of $PnS, a piece of $PnS, and a piece of $PnN of a channel
    without $PnS, in that order. Of a pulse's area, height and width the area is taken.
    exact: only the whole of $PnN or of $PnS, and no common aliases, for formats that name channels.
    Raises TemplateError where several channels fit equally well, or the user names one that is not there.
    """
    said = {key.casefold(): value for key, value in (channels or {}).items()}
    if marker.casefold() in said:
        return _as_said(marker, said[marker.casefold()], sample)
    common: Sequence[str] = ()
    if exact:
        whole = [c for c in sample.channels if c.name == marker]
        if len(whole) == 1:
            return whole[0]
    else:
        common = next((words for key, words in COMMON_ALIASES.items() if key.casefold() == marker.casefold()), ())
    names = [marker, *aliases, *common]
    for alias in dict.fromkeys(name.casefold() for name in names):
        if (found := _one(marker, [c for c in sample.channels if c.name.casefold() == alias], sample)) is not None:
            return found
    folded = {"".join(label_pieces(name)) for name in names}
    for label, partly in (("marker", False), ("marker", True), ("name", True))[: 1 if exact else 3]:
        candidates = []
        for channel in sample.channels:
            text = channel.marker if label == "marker" else (None if channel.marker else channel.name)
            if text and carries(text, folded, partly=partly):
                candidates.append(channel)
        if (found := _one(marker, candidates, sample)) is not None:
            return found
    return None


def is_foxp3(name: str) -> bool:
    """Whether a marker, or the label of a channel, is Foxp3, however it is written.

    >>> [is_foxp3(name) for name in ("FOXP3", "Fox-P3 PE", "scurfin", "CD25")]
    [True, True, True, False]
    """
    folded = "".join(filter(str.isalnum, name.casefold()))
    return "foxp3" in folded or "scurfin" in folded


def means(word: str, marker: str, aliases: Mapping[str, Sequence[str]]) -> bool:
    """Whether a word is a marker or one of its aliases, common ones included.

    >>> means("il2ra", "CD25", {}), means("CD4", "CD45", {})
    (True, False)
    """
    said = next((words for key, words in aliases.items() if key.casefold() == marker.casefold()), ())
    common = next((words for key, words in COMMON_ALIASES.items() if key.casefold() == marker.casefold()), ())
    folded = {"".join(filter(str.isalnum, name.casefold())) for name in (marker, *said, *common)}
    return "".join(filter(str.isalnum, word.casefold())) in folded


def panel_of(sample: Sample) -> str:
    """What a file measures, for a message: markers with their channels."""
    return ", ".join(channel.label for channel in sample.channels)


def _as_said(marker: str, name: str, sample: Sample) -> Channel:
    found = [c for c in sample.channels if name.casefold() in (c.name.casefold(), (c.marker or "").casefold())]
    if len(found) == 1:
        return found[0]
    raise TemplateError(
        f"{sample.name}: marker {marker!r} should be on channel {name!r}, which fits {len(found)} channels; "
        f"the file has: {panel_of(sample)}"
    )


def _one(marker: str, found: list[Channel], sample: Sample) -> Channel | None:
    """The one channel of a pulse's area, height and width; an error where that does not decide."""
    for ending in ("-a", "-h", "-w"):
        pulses = [channel for channel in found if channel.name.casefold().endswith(ending)]
        if len(found) > 1 and pulses and len({channel.name[:-2].casefold() for channel in found}) == 1:
            found = pulses
    if len(found) > 1:
        choices = ", ".join(channel.label for channel in found)
        raise TemplateError(
            f"{sample.name}: marker {marker!r} fits several channels: {choices}; "
            f"say which with channels: {{{marker}: CHANNEL}} (on the command line --channel {marker}=CHANNEL)"
        )
    return found[0] if found else None
