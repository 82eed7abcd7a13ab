"""What a template or a study says of compensation: a word, a matrix by name or file, or single-stain controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from cytoreg.compensation import SingleStains
from cytoreg.errors import CytoregError
from cytoreg.schema import Limits, Schema, read_schema
from cytoreg.yamlfile import YamlDocument

__all__ = ["parse_compensation"]


class _Stains(Schema):
    single_stains: Annotated[str, Limits(shortest=1)]
    method: Literal["median", "level", "regression"] = "median"


def parse_compensation(document: YamlDocument, error: type[CytoregError]) -> str | SingleStains:
    """The value of a key `compensation`. Raises `error` where it is neither text nor `{single_stains: ...}`."""
    if isinstance(document.data, str):
        return document.data
    if not isinstance(document.data, Mapping):
        raise error(
            f"{document.where(())}: expected from_file, none, a matrix file, or {{single_stains: FOLDER OR SHEET}}"
        )
    said = read_schema(_Stains, document, error)
    return SingleStains(Path(said.single_stains), said.method)
