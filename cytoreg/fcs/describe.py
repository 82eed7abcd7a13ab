"""What a data set says of itself, as plain data: for the page of `cytoreg inspect` and for its JSON.

Keywords may name a patient, a doctor or a site. So nothing of TEXT gets here but what a list of technical
keywords allows (FCS 3.1, section 3.2.20, and FCS 3.2): the instrument's name, not its serial number; date and
time of acquisition, not operator, sample or experiment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cytoreg.fcs.channel import Channel, Problem
from cytoreg.fcs.fluorochrome import fluorochrome_of, isotope_of
from cytoreg.fcs.identifying import known_product
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.text import number

__all__ = ["Acquisition", "ChannelFacts", "Description", "Matrix", "Storage", "describe", "shown_keywords"]

_LONGEST = 200  # characters of a value; a damaged TEXT may hold megabytes in one
_SOFTWARE = ("CREATOR", "#SOFTWAREVERSION", "SOFTWARE", "APPLICATION")
_SHOWN = re.compile(
    r"\$(?:BEGIN|END)(?:ANALYSIS|DATA|STEXT)|\$(?:BYTEORD|DATATYPE|MODE|NEXTDATA|PAR|TOT|UNICODE)"
    r"|\$CYT|CREATOR|#SOFTWAREVERSION|SOFTWARE|APPLICATION|FCSVERSION"
    r"|\$(?:DATE|BTIM|ETIM|BEGINDATETIME|ENDDATETIME|TIMESTEP|VOL|FLOWRATE|ABRT|LOST|CSTOT|TR|ORIGINALITY)"
    r"|\$P\d+(?:[BEGRNSVDFLOPT]|CALIBRATION|DATATYPE|TYPE|FEATURE|DET|TAG|ANALYTE)"
    r"|P\d+(?:DISPLAY|TYPE|BS|MS)|LASER\d+(?:NAME|DELAY|ASF)"
    r"|\$?SPILL(?:OVER)?|\$?COMP|FSC ASF|WINDOW EXTENSION|THRESHOLD|APPLY COMPENSATION|TIMETICKS"
)
# what calls itself a serial number, and words with a letter and three digits or with four digits
_SERIAL = re.compile(
    r"(?<!\w)(?:s/?n|ser(?:ial)?)\b\W*(?:(?:no|nr|number)\b\W*)?[\w-]*\d[\w-]*"
    r"|(?<!\w)(?=[\w-]*\d{4}|[\w-]*[A-Za-z]-?\d{3})[\w-]+",
    re.IGNORECASE,
)
_PLURAL = {"float": "floats", "double": "floats", "integer": "integers"}
_TIME = re.compile(r"(?:hdr-)?(?:time|tm?)\b", re.IGNORECASE)
_SCATTER = re.compile(r"(?:fsc|ssc|bsc|fs|ss)(?![a-z0-9]*\d{3})", re.IGNORECASE)
_OTHER = re.compile(r"hdr-|doublet|bead|event|original|index|sample", re.IGNORECASE)
_TYPES = {"forward": "scatter", "side": "scatter", "raw": "fluorescence", "unmixed": "fluorescence"}
_TYPES |= {"time": "time", "mass": "mass", "index": "other", "classification": "other"}


@dataclass(frozen=True)
class Storage:
    """type: `float`, `integer`, `double`, or several joined by `+`. bits: the widths there are.

    byte_order: $BYTEORD as the file has it.
    """

    type: str
    bits: tuple[int, ...]
    byte_order: str

    def __str__(self) -> str:
        kinds = " and ".join(dict.fromkeys(_PLURAL[kind] for kind in self.type.split("+")))
        widths = ", ".join(f"{bits}-" for bits in self.bits[:-1])
        said = f"{widths} and {self.bits[-1]}-bit {kinds}" if widths else f"{self.bits[-1]}-bit {kinds}"
        ascending = ",".join(str(i + 1) for i in range(self.byte_order.count(",") + 1))
        if self.bits == (8,) or not self.byte_order:
            return said
        orders = {ascending: "least significant byte first", ascending[::-1]: "most significant byte first"}
        return f"{said}, {orders.get(self.byte_order, f'byte order {self.byte_order}')}"


@dataclass(frozen=True)
class Acquisition:
    """When the events were measured. Text as the file has it; None where it says nothing.

    time_channel_seconds: what the time channel spans, by $TIMESTEP. clock_seconds: from begin to end.
    """

    date: str | None
    begin: str | None
    end: str | None
    time_channel_seconds: float | None
    clock_seconds: float | None


@dataclass(frozen=True)
class ChannelFacts:
    """number: from 1, as in $PnN. kind: scatter, time, fluorescence, mass or other.

    fluorochrome: the dye, or the isotope of a mass cytometer, where the file names one. analyte: $PnANALYTE
    of FCS 3.2. voltage: of the detector, in volts. decades, offset: of a logarithmic amplifier, else 0.
    """

    number: int
    name: str
    marker: str | None
    kind: str
    fluorochrome: str | None
    analyte: str | None
    voltage: float | None
    gain: float
    amplifier: str
    decades: float
    offset: float
    range: float
    type: str
    bits: int


@dataclass(frozen=True)
class Matrix:
    """A spillover matrix: source is the keyword; row i the fluorochrome of channel i, column j the detector."""

    source: str
    identity: bool
    channels: tuple[str, ...]
    numbers: tuple[int, ...]
    matrix: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Description:
    """One data set of a file. dataset: which, from 0, of `datasets`. crc_matches: None where there is no CRC."""

    file: str
    version: str
    instrument: str | None
    software: str | None
    acquisition: Acquisition
    events: int
    datasets: int
    dataset: int
    storage: Storage
    channels: tuple[ChannelFacts, ...]
    spillover: Matrix | None
    problems: tuple[Problem, ...]
    crc_matches: bool | None


def describe(sample: Sample, *, datasets: int = 1, dataset: int = 0) -> Description:
    """What a technician wants to know of a data set. Reads the time channel, and DATA for its CRC.

    Raises FCSError where DATA cannot be read.
    """
    text = sample.text
    return Description(
        file=_clean(sample.name) or "",
        version=_clean(sample.version) or "",
        instrument=_instrument(text.get("$CYT")),
        software=next((found for key in _SOFTWARE if (found := _clean(text.get(key)))), None),
        acquisition=_acquisition(sample),
        events=sample.n_events,
        datasets=datasets,
        dataset=dataset,
        storage=_storage(sample),
        channels=tuple(_channel(channel, text) for channel in sample.channels),
        spillover=_matrix(sample),
        problems=tuple(sorted(sample.problems, key=lambda problem: not problem.affects_numbers)),
        crc_matches=sample.crc_matches(),
    )


def shown_keywords(text: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The technical keywords with their values, and the names of all others, whose values are held back."""
    shown = {key: _clean(value) or "" for key, value in text.items() if _SHOWN.fullmatch(key)}
    if "$CYT" in shown:
        shown["$CYT"] = _instrument(text["$CYT"]) or ""
    others = [key for key in text if key not in shown]
    return shown, [key for key in others if len(key) <= 60 and key.isascii() and key.isprintable()]


def _clean(value: str | None) -> str | None:
    """A value on one line, without what moves a terminal's cursor; None where nothing is left."""
    kept = "".join(c if c.isprintable() else " " for c in (value or "")[: 2 * _LONGEST])
    kept = " ".join(kept.split())
    return (kept[: _LONGEST - 1] + "…" if len(kept) > _LONGEST else kept) or None


def _instrument(value: str | None) -> str | None:
    """The model in $CYT as de-identification knows it; of another the value without what may be a serial number."""
    said = _clean(value) or ""
    return known_product(said) or _clean(_SERIAL.sub(" ", said).strip(" ,;:#()[]-"))


def _storage(sample: Sample) -> Storage:
    kinds = {"I": "integer", "F": "float", "D": "double"}
    return Storage(
        type="+".join(dict.fromkeys(kinds.get(channel.kind, "float") for channel in sample.channels)),
        bits=tuple(sorted({channel.bits for channel in sample.channels})),
        byte_order=(_clean(sample.text.get("$BYTEORD")) or "").replace(" ", ""),
    )


def _channel(channel: Channel, text: Mapping[str, str]) -> ChannelFacts:
    key = f"$P{channel.index + 1}"
    name, marker, analyte = _clean(channel.name), _clean(channel.marker), _clean(text.get(f"{key}ANALYTE"))
    kind = _kind(channel, text)
    dye = isotope_of(channel.name)
    if kind == "fluorescence":
        dye = _clean(text.get(f"{key}TAG")) or _clean(fluorochrome_of(channel.name, channel.marker))
    return ChannelFacts(
        number=channel.index + 1,
        name=name or "",
        marker=marker,
        kind=kind,
        fluorochrome=dye if kind in ("fluorescence", "mass") else None,
        analyte=analyte,
        voltage=number(text, f"{key}V", name or key),
        gain=channel.gain,
        amplifier="log" if channel.decades else "linear",
        decades=channel.decades,
        offset=channel.offset,
        range=channel.range,
        type={"I": "integer", "F": "float", "D": "double"}.get(channel.kind, channel.kind),
        bits=channel.bits,
    )


def _kind(channel: Channel, text: Mapping[str, str]) -> str:
    """By $PnTYPE where there is one (FCS 3.2; Cytek writes PnTYPE), else by the name."""
    n = channel.index + 1
    stated = text.get(f"$P{n}TYPE") or text.get(f"P{n}TYPE") or ""
    first = re.split(r"[\s_]", stated.strip(), maxsplit=1)[0].casefold()
    if first in _TYPES:
        return _TYPES[first]
    name = channel.name.strip()
    if isotope_of(name):
        return "mass"
    if _TIME.match(name):
        return "time"
    if _SCATTER.match(name):
        return "scatter"
    return "other" if channel.is_scatter_or_time or _OTHER.match(name) else "fluorescence"


def _matrix(sample: Sample) -> Matrix | None:
    found = sample.spillover
    if found is None:
        return None
    number = {channel.name: channel.index + 1 for channel in reversed(sample.channels)}
    return Matrix(
        source=_clean(found.source) or "",
        identity=found.is_identity,
        channels=tuple(_clean(name) or "" for name in found.channels),
        numbers=tuple(number[name] for name in found.channels),
        matrix=tuple(tuple(float(x) for x in row) for row in found.matrix),
    )


def _acquisition(sample: Sample) -> Acquisition:
    text = sample.text
    began, ended = (text.get(key, "").strip().partition("T") for key in ("$BEGINDATETIME", "$ENDDATETIME"))
    begin, end = text.get("$BTIM") or began[2], text.get("$ETIM") or ended[2]
    return Acquisition(
        date=_clean(text.get("$DATE") or began[0]),
        begin=_clean(begin),
        end=_clean(end),
        time_channel_seconds=_span(sample),
        clock_seconds=_clock(begin, end),
    )


def _span(sample: Sample) -> float | None:
    """What the time channel spans, in seconds."""
    seconds = sample.seconds()
    if seconds is None or not np.isfinite(seconds).any():
        return None
    seconds = seconds[np.isfinite(seconds)]
    return float(seconds.max() - seconds.min())


def _clock(begin: str, end: str) -> float | None:
    """Seconds from begin to end, whole ones: what follows the second is written in too many ways."""
    times = [re.match(r"\s*(\d{1,2}):(\d{2}):(\d{2})", value) for value in (begin, end)]
    if times[0] is None or times[1] is None:
        return None
    first, last = (int(t[1]) * 3600 + int(t[2]) * 60 + int(t[3]) for t in times if t is not None)
    return float((last - first) % 86_400)  # past midnight
