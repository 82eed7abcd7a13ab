"""`convert`: event data from one file format to another, found by extension, with what was lost on the way said.

A format is one entry of FORMATS: how it is read to `Events` and written from them. FCS to FCS keeps every byte of DATA.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cytoreg.errors import CytoregError, FCSError, StoreError, suggest
from cytoreg.fcs.atomic import may_be_written
from cytoreg.fcs.deidentify import Change, deidentified, identifiers_of, names_of
from cytoreg.fcs.read import count_datasets, read_fcs
from cytoreg.fcs.rewrite import copy_fcs
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.write import write_fcs
from cytoreg.interop.anndata import read_events_h5ad, write_events_h5ad
from cytoreg.interop.events import Events, events_of, writable, write_events_fcs
from cytoreg.interop.tabular import (
    read_events_csv,
    read_events_parquet,
    write_events_csv,
    write_events_parquet,
)

__all__ = ["FORMATS", "Conversion", "Failure", "Format", "convert", "convert_folder", "format_of"]

File = str | os.PathLike[str]
VERSIONS = {"3.1": "FCS3.1", "3.2": "FCS3.2"}
_PACKED = (".gz", ".zip")  # the FCS reader opens these as they are


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    events, channels: how many. lost: what the new file does not carry, in sentences. changes: what
    de-identification did, keyword by keyword. warnings: what the user should look at.
    """

    source: str
    target: str
    events: int
    channels: int
    lost: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A file of a folder that could not be converted, and why."""

    source: str
    error: str


@dataclass(frozen=True)
class Format:
    """How files of some extensions are read and written as events. write gives what it could not carry over."""

    suffixes: tuple[str, ...]
    read: Callable[[Path], Events]
    write: Callable[[Events, Path], list[str]]
    also_read: tuple[str, ...] = ()


def convert(
    source: File,
    target: File,
    *,
    deidentify: bool = False,
    patterns: Collection[str] = (),
    keep: Collection[str] = (),
    dataset: int = 0,
    version: str | None = None,
    force: bool = False,
) -> Conversion:
    """Convert the events of a file to another format, both told by extension (.fcs, .lmd, .csv, .tsv, .parquet, .h5ad).

    FCS to FCS copies DATA byte by byte, unless `version` ("3.1" or "3.2") asks for one to be written: stored
    numbers and amplifiers are kept then too. Other formats hold linear uncompensated values.
    deidentify: see `cytoreg.fcs.deidentified`, as for `patterns` and `keep`. dataset: of an FCS file that holds
    several. force: replace `target` if it is there. The target appears whole or not at all.
    Raises FCSError or StoreError with one line: what cannot be read, written, or told by its extension.
    """
    _check_options(deidentify, patterns, keep, version)
    there, kind_in, kind_out = os.fspath(source), format_of(source), format_of(target, to_write=True)
    path = Path(target)
    if version is not None and kind_out != "fcs":
        raise StoreError(f"{path}: a version of FCS is asked for, but this is not an .fcs file")
    if dataset and kind_in != "fcs":
        raise StoreError(f"{there}: only an FCS file holds several data sets; data set {dataset} is asked for")
    may_be_written(path, [there], replace=force)
    clean = _Clean(patterns, keep) if deidentify else None
    if kind_in == "fcs":
        done = _from_fcs(there, path, kind_out, dataset, version, clean)
    elif "://" in there:
        raise StoreError(f"{there.partition('?')[0]}: only FCS is read from a URL; {kind_in} is read from a file")
    else:
        done = _written(FORMATS[kind_in].read(Path(there)), path, kind_out, version, clean)
    return replace(done, source=there, target=str(path))


def convert_folder(
    source: File,
    target: File,
    to: str,
    *,
    progress: Callable[[int, int, str], None] | None = None,
    **options: object,
) -> list[Conversion | Failure]:
    """Convert the FCS files in a folder and below it into the same places of another folder; where it holds none,
    its CSV, Parquet and AnnData files (beside FCS files, those are sheets and results).

    to: `fcs`, `csv`, `tsv`, `parquet` or `h5ad`. options: those of `convert`. One file's failure is an entry of
    the list, not a stop. Raises StoreError where there is nothing to convert.
    """
    folder, out = Path(source), Path(target)
    written = [suffix[1:] for form in FORMATS.values() for suffix in form.suffixes]
    if to not in written:
        raise StoreError(f"--to {to}: {suggest(to, written)}")
    suffixes = {suffix for form in FORMATS.values() for suffix in (*form.suffixes, *form.also_read)}
    inside = out.resolve()
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and _suffix(path) in suffixes
        and not (inside != folder.resolve() and inside in path.resolve().parents)
    )
    files = [path for path in files if format_of(path) == "fcs"] or files
    if not files:
        raise StoreError(f"{folder}: holds no file that ends in {', '.join(sorted(suffixes))}")
    done: list[Conversion | Failure] = []
    made: dict[Path, Path] = {}
    for number, path in enumerate(files, start=1):
        place = out / path.relative_to(folder).with_name(_stem(path) + f".{to}")
        try:
            if place in made:
                raise StoreError(f"{path}: would become {place}, as {made[place].name} has; convert it on its own")
            place.parent.mkdir(parents=True, exist_ok=True)
            done.append(convert(path, place, **options))  # type: ignore[arg-type]
            made[place] = path
        except CytoregError as problem:
            done.append(Failure(str(path), str(problem)))
        except OSError as problem:
            done.append(Failure(str(path), f"{place}: cannot be written: {problem.strerror or problem}"))
        if progress is not None:
            progress(number, len(files), path.name)
    return done


def format_of(path: File, *, to_write: bool = False) -> str:
    """The name of the format of a file, by its extension. Raises StoreError for one that is not known.

    What is packed or remote and has none that tells is read as FCS, whose reader goes by content.
    """
    name = os.fspath(path)
    suffix = Path(name).suffix.lower() if to_write else _suffix(name)
    known: list[str] = []
    for kind, form in FORMATS.items():
        fitting = form.suffixes if to_write else (*form.suffixes, *form.also_read)
        if suffix in fitting:
            return kind
        known += fitting
    packed = suffix in _PACKED and Path(Path(name).stem).suffix.lower() not in known
    if not to_write and ("://" in name or packed):
        return "fcs"
    what = "written" if to_write else "read"
    raise StoreError(
        f"{name}: {suffix or 'a file without extension'} is not {what} as events; there are: {', '.join(known)}"
    )


@dataclass(frozen=True)
class _Clean:
    """That the file is to be de-identified, and how."""

    patterns: Collection[str]
    keep: Collection[str]

    def warnings(self, path: Path, text: Mapping[str, str]) -> list[str]:
        """Whether the name of the new file gives away what was taken out of it."""
        name = path.name.casefold()
        found = any(word.casefold() in name for word in identifiers_of(text, self.keep))
        return (
            [f"the name of the new file, {path.name}, holds a name or an id that was removed from it"]
            if found
            else []
        )


def _from_fcs(
    source: str, path: Path, kind: str, dataset: int, version: str | None, clean: _Clean | None
) -> Conversion:
    sample = read_fcs(source, dataset=dataset)
    further = count_datasets(source) - 1
    lost = [f"further data sets of the file stay behind ({further})"] if further else []
    if kind == "fcs" and (version is None or VERSIONS[version] == sample.version):
        text, changes = _text(sample, clean)
        text, odd = writable(text)
        lost += odd
        copy_fcs(sample, path, text=text, keep_analysis=clean is None)
        done = Conversion("", "", sample.n_events, len(sample.channels), tuple(lost), changes)
    elif kind == "fcs" and version is not None and (kinds := _storable(sample, VERSIONS[version])):
        text, changes = _text(sample, clean)
        lost += _write_stored(sample, path, text, VERSIONS[version], kinds, clean=clean is not None)
        done = Conversion("", "", sample.n_events, len(sample.channels), tuple(lost), changes)
    else:
        events = events_of(sample)
        if sample.analysis and clean is None:
            lost.append("the ANALYSIS segment stays behind")
        done = _written(events, path, kind, version, clean)
        done = replace(done, lost=(*lost, *done.lost))
    if clean is None:
        return done
    outside = [("ANALYSIS", sample.analysis), ("further data sets", further)]
    segments = tuple(Change(name, "segment", "dropped") for name, there in outside if there)
    warnings = clean.warnings(path, sample.text)
    return replace(done, changes=(*done.changes, *segments), warnings=tuple(warnings))


def _text(sample: Sample, clean: _Clean | None) -> tuple[dict[str, str], tuple[Change, ...]]:
    if clean is None:
        return dict(sample.text), ()
    return deidentified(sample.text, patterns=clean.patterns, keep=clean.keep)


def _storable(sample: Sample, version: str) -> str:
    """The letters of the types for `write_fcs`, or nothing where stored numbers cannot be written as they are."""
    kinds = "".join(channel.kind for channel in sample.channels)
    one = len(set(kinds)) == 1
    logarithmic = any(channel.decades and channel.kind != "I" for channel in sample.channels)
    if logarithmic or not (one or version == "FCS3.2"):
        return ""
    whole = [channel for channel in sample.channels if channel.kind == "I"]
    stored = sample.columns([channel.index for channel in whole], raw=True) if whole else []
    if any(column.size and column.max() >= c.range for column, c in zip(stored, whole, strict=True)):
        return ""  # the standard has integers below $PnR, and $PnR belongs to the amplifier: linear floats then
    return kinds[0] if one else kinds


def _write_stored(
    sample: Sample, path: Path, text: Mapping[str, str], version: str, kinds: str, *, clean: bool
) -> list[str]:
    """Write the numbers as they are stored, with amplifiers and gains, as another version of FCS."""
    channels = sample.channels
    amplifiers = [
        (f"{c.decades!r},{c.offset!r}" if c.decades else "0,0", f"{c.gain!r}" if c.gain != 1.0 else None)
        for c in channels
    ]
    fitting, odd = writable(text)
    named = names_of(text, len(channels))
    names = [name.replace(",", ";") for name, _ in named]
    spillover = sample.spillover
    if spillover is not None:
        new = {c.name: name for c, name in zip(channels, names, strict=True)}
        spillover = replace(spillover, channels=tuple(new[name] for name in spillover.channels))
    write_fcs(
        path,
        sample.to_numpy(raw=True),
        names,
        [marker for _, marker in named],
        ranges=[c.range for c in channels],
        spillover=spillover,
        keywords=fitting,
        version=version,
        kind=kinds,
        amplifiers=amplifiers,
    )
    return [*odd, "the ANALYSIS segment stays behind"] if sample.analysis and not clean else odd


def _written(events: Events, path: Path, kind: str, version: str | None, clean: _Clean | None) -> Conversion:
    """Write events to a format, de-identified where that is asked for."""
    changes: tuple[Change, ...] = ()
    warnings: list[str] = []
    if clean is not None:
        warnings = clean.warnings(path, events.text)
        events, changes = _deidentified(events, clean)
    if kind == "fcs" and version is not None:
        lost = write_events_fcs(events, path, version=VERSIONS[version])
    else:
        lost = FORMATS[kind].write(events, path)
    return Conversion(
        "", "", events.n_events, len(events.channels), (*events.notes, *lost), changes, tuple(warnings)
    )


def _deidentified(events: Events, clean: _Clean) -> tuple[Events, tuple[Change, ...]]:
    """Events whose keywords, names, markers and spillover are de-identified alike."""
    named = {f"$P{c.index + 1}N": c.name for c in events.channels}
    named |= {f"$P{c.index + 1}S": c.marker for c in events.channels if c.marker}
    text, changes = deidentified({**events.text, **named}, patterns=clean.patterns, keep=clean.keep)
    channels = tuple(
        replace(c, name=name, marker=marker)
        for c, (name, marker) in zip(events.channels, names_of(text, len(events.channels)), strict=True)
    )
    new = {old.name: c.name for old, c in zip(events.channels, channels, strict=True)}
    spillover = events.spillover
    if spillover is not None:
        spillover = replace(spillover, channels=tuple(new[name] for name in spillover.channels))
    text = text if events.text else {}
    return replace(events, channels=channels, text=text, spillover=spillover), changes


def _check_options(
    deidentify: bool, patterns: Collection[str], keep: Collection[str], version: str | None
) -> None:
    if not deidentify and (patterns or keep):
        raise StoreError("patterns and keywords to keep belong to de-identification, which is not asked for")
    if isinstance(patterns, str) or isinstance(keep, str):
        raise StoreError("patterns and keep: expected a list of strings, found one string")
    if version is not None and version not in VERSIONS:
        raise FCSError(f"FCS version {version!r} is not written; {suggest(version, VERSIONS)}")


def _suffix(path: File) -> str:
    """The extension in small letters, that of the file inside where it is gzipped or zipped; of a URL without
    what follows its path."""
    plain = os.fspath(path)
    if "://" in plain:
        plain = re.split(r"[?#]|::", plain, maxsplit=1)[0]
    name = Path(plain)
    inner = Path(name.stem).suffix.lower()
    return inner if name.suffix.lower() in _PACKED and inner in (".fcs", ".lmd") else name.suffix.lower()


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() in _PACKED else path.stem


FORMATS = {
    "fcs": Format((".fcs",), lambda path: events_of(read_fcs(path)), write_events_fcs, also_read=(".lmd",)),
    "csv": Format((".csv", ".tsv"), read_events_csv, write_events_csv),
    "parquet": Format((".parquet",), read_events_parquet, write_events_parquet),
    "h5ad": Format((".h5ad",), read_events_h5ad, write_events_h5ad),
}
