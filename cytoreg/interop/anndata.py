"""Events as AnnData .h5ad, laid out the way pytometry (readfcs) does: channels in `var`, TEXT and spillover in `uns["meta"]`.

X: (n_events, n_channels) uncompensated linear values. var: a row a channel, by unique name; columns `n`, `channel`
($PnN), `marker` ($PnS), `range` (of the linear values), `$PnB`, `$PnE`, `$PnG`, `$PnR` (as the FCS file says them).
uns["meta"]: keywords in small letters without `$` (those that hold a digit as they are), `header`, `channels`, and
`spill`, a DataFrame with a row for each fluorochrome. uns["cytoreg"]: the keywords as they are, as JSON.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cytoreg.errors import MissingDependency, StoreError
from cytoreg.fcs.atomic import replace_whole
from cytoreg.fcs.spillover import Spillover, find_spillover
from cytoreg.interop.events import Events, described, rounded, unique_names

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_events_h5ad", "write_events_h5ad"]


def write_events_h5ad(
    events: Events, path: Path, *, obs: pd.DataFrame | None = None, uns: Mapping[str, Any] | None = None
) -> list[str]:
    """Write an .h5ad file that anndata, scanpy and pytometry read; what could not be carried over, in sentences.

    obs: a row an event, such as `membership_obs` gives; uns: more entries of `uns`. Raises MissingDependency where anndata is not installed.
    """
    anndata = _anndata()
    import pandas as pd

    names = unique_names([channel.name for channel in events.channels])
    lost = [
        f"channel {c.name!r} stands twice: in var it is called {name!r}"
        for c, name in zip(events.channels, names, strict=True)
        if c.name != name
    ]
    wide = events.is_wide
    values = np.empty((events.n_events, len(names)), dtype=np.float64 if wide else np.float32)
    for i, column in enumerate(events.columns):
        values[:, i] = column
    lost += rounded(names, events.columns)
    with warnings.catch_warnings(), pd.option_context("future.infer_string", False):  # see _objects
        warnings.simplefilter("ignore")  # of anndata, on what pandas is going to change
        rows = _text_index(str(i) for i in range(events.n_events))
        said = pd.DataFrame(index=rows) if obs is None else obs.set_axis(rows, axis="index")
        data = anndata.AnnData(X=values, obs=said, var=_var(events, names))
        data.uns.update(uns or {})
        data.uns["meta"] = _meta(events, names)
        data.uns["cytoreg"] = {
            "text": json.dumps(dict(events.text), ensure_ascii=False),
            "version": events.version,
        }
        replace_whole(path, data.write_h5ad)
    return lost


def read_events_h5ad(path: Path) -> Events:
    """Events from an .h5ad file: X, the channels of `var`, the spillover of `uns["meta"]`.

    A file that cytoreg did not write may name its channels in `var["channel"]` or by the index alone.
    Raises StoreError where it is not such a file, MissingDependency where anndata is not installed.
    """
    anndata = _anndata()
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = anndata.read_h5ad(path)
    except Exception as problem:  # h5py and anndata raise what they please for a file that is not theirs
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise StoreError(f"{path}: is not an AnnData file: {first}") from None
    if data.X is None or data.n_vars == 0:
        raise StoreError(f"{path}: holds no values (X): expected one column for each channel")
    values = data.X.toarray() if hasattr(data.X, "toarray") else np.asarray(data.X)
    if values.dtype.kind not in "fiu":
        raise StoreError(f"{path}: X holds {values.dtype}: expected numbers")
    index = [str(name) for name in data.var_names]
    names = _column(data.var, "channel", index)
    columns = tuple(np.ascontiguousarray(values[:, i]) for i in range(values.shape[1]))
    markers = [
        marker if marker and marker != name else None
        for marker, name in zip(_column(data.var, "marker", [""] * len(index)), names, strict=True)
    ]
    channels = described(names, columns, markers, _ranges(data.var))
    meta = data.uns.get("meta", {})
    meta = meta if isinstance(meta, Mapping) else {}
    own = data.uns.get("cytoreg")
    text, version = _own_text(path, own) if own is not None else (_foreign_text(meta), "FCS3.1")
    notes = [
        f"{what} of the AnnData file are left out: {', '.join(map(str, some))}"
        for what, some in (
            ("columns of obs", list(data.obs.columns)),
            ("layers", list(data.layers)),
            ("arrays (obsm)", list(data.obsm)),
        )
        if some
    ]
    spillover = _spillover(meta.get("spill"), names, index)
    if spillover is None and own is None:
        spillover = find_spillover(text, channels)[0]
    return Events(path.name, columns, channels, text, spillover, version, tuple(notes))


def _anndata() -> Any:
    try:
        import anndata
    except ImportError:
        raise MissingDependency(
            "reading and writing .h5ad needs anndata, which is not installed: pip install 'cytoreg[anndata]'"
        ) from None
    return anndata


def _text_index(names: Any) -> pd.Index[Any]:
    import pandas as pd

    return pd.Index(_objects(list(names)), dtype=object)


def _objects(values: Sequence[str]) -> Any:
    """Python strings: anndata 0.12 cannot write the string type that pandas 3 makes of them."""
    return np.array(values, dtype=object)


def _var(events: Events, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    channels, text = events.channels, events.text
    columns: dict[str, Any] = {
        "n": np.arange(1, len(channels) + 1),
        "channel": _objects([c.name for c in channels]),
        "marker": _objects([c.marker or "" for c in channels]),
        "range": np.array([c.range for c in channels], dtype=np.float64),
    }
    for letter, default in (("B", "32"), ("E", "0,0"), ("G", "1"), ("R", "")):
        said = [text.get(f"$P{c.index + 1}{letter}", default or f"{c.range:g}").strip() for c in channels]
        columns[f"$Pn{letter}"] = _objects(said)
    frame = pd.DataFrame(columns)
    frame.index = _text_index(names)
    return frame


def _meta(events: Events, names: Sequence[str]) -> dict[str, Any]:
    """What readfcs leaves in uns["meta"]; keywords whose name HDF5 would take for a path are in the JSON alone."""
    import pandas as pd

    meta: dict[str, Any] = {"header": {"FCS format": events.version}}
    for key, value in events.text.items():
        plain = key.replace("$", "")
        plain = plain if re.search(r"\d", plain) else plain.lower()
        if (
            plain
            and "/" not in plain
            and plain.strip(".")
            and plain not in ("header", "channels", "spill")
            and plain.isascii()
        ):
            meta[plain] = value.replace("\x00", "")
    frame = pd.DataFrame(
        {
            "$PnN": _objects([c.name for c in events.channels]),
            "$PnS": _objects([c.marker or "" for c in events.channels]),
        }
    )
    frame.index = _text_index(str(i + 1) for i in range(len(names)))
    meta["channels"] = frame
    if events.spillover is not None:
        unique = {c.name: name for c, name in reversed(list(zip(events.channels, names, strict=True)))}
        detectors = [unique[name] for name in events.spillover.channels]
        meta["spill"] = pd.DataFrame(
            np.array(events.spillover.matrix), index=_text_index(detectors), columns=_text_index(detectors)
        )
    return meta


def _column(var: pd.DataFrame, column: str, otherwise: Sequence[str]) -> list[str]:
    if column not in var.columns:
        return list(otherwise)
    return [str(value).strip() if value == value else "" for value in var[column]]


def _ranges(var: pd.DataFrame) -> list[float | None] | None:
    """`range`, or the $PnR that readfcs leaves."""
    for column in ("range", "$PnR"):
        if column in var.columns:
            ranges: list[float | None] = []
            for value in var[column]:
                try:
                    ranges.append(float(value))
                except (TypeError, ValueError):
                    ranges.append(None)
            return ranges
    return None


def _own_text(path: Path, own: Any) -> tuple[dict[str, str], str]:
    try:
        text = {str(key): str(value) for key, value in json.loads(str(own["text"])).items()}
        return text, str(own["version"])
    except (TypeError, KeyError, ValueError, AttributeError):
        raise StoreError(f"{path}: uns['cytoreg'] cannot be read: expected the keywords as JSON") from None


def _foreign_text(meta: Mapping[str, Any]) -> dict[str, str]:
    """Keywords as far as readfcs leaves them: which had a `$` is not said, so only those of the standard have one."""
    from cytoreg.fcs.identifying import is_standard

    text = {}
    for key, value in meta.items():
        if isinstance(value, str | int | float | np.integer | np.floating | np.str_) and not key.startswith("_"):
            upper = key.upper()
            text[f"${upper}" if is_standard(f"${upper}") else upper] = str(value)
    return text


def _spillover(spill: Any, names: Sequence[str], index: Sequence[str]) -> Spillover | None:
    """The matrix, its detectors named by channel or, as readfcs may leave them, by the index of var."""
    import pandas as pd

    if not isinstance(spill, pd.DataFrame) or spill.shape[0] != spill.shape[1]:
        return None
    by_index = dict(zip(index, names, strict=True))
    found = [str(name) if str(name) in names else by_index.get(str(name)) for name in spill.columns]
    detectors = [name for name in found if name is not None]
    if len(detectors) != len(found) or len(set(detectors)) != len(detectors):
        return None
    matrix = np.array(spill.to_numpy(), dtype=np.float64)
    if not np.isfinite(matrix).all():
        return None
    order = np.argsort([list(names).index(name) for name in detectors], kind="stable")
    return Spillover(
        tuple(detectors[i] for i in order),
        np.ascontiguousarray(matrix[np.ix_(order, order)]),
        "uns['meta']['spill']",
    )
