"""Schemas of studies, plans and automatic methods: pydantic models with one line for what is wrong, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from cytoreg.errors import CytoregError, suggest
from cytoreg.yamlfile import YamlDocument, kind_of, shown

__all__ = ["StrictModel", "validate"]

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """A frozen schema in which an unknown key is an error that names the nearest valid one."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {item.alias or name for name, item in cls.model_fields.items()} | set(cls.model_fields)
            shown = {item.alias or name for name, item in cls.model_fields.items()}
            for key in data:
                if key not in known:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'; {hint}",
                        {"key": str(key), "hint": suggest(key, shown)},
                    )
        return data


def validate(model: type[Model], document: YamlDocument, error: type[CytoregError]) -> Model:
    """The document as an instance of its schema, or one line that says where it departs from it."""
    if not isinstance(document.data, Mapping):
        raise error(f"{document.where(())}: expected keys and values, found {kind_of(document.data)}")
    try:
        return model.model_validate(document.data)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        path = [step for step in first["loc"] if not _is_union_tag(step)]
        context = first.get("ctx") or {}
        if first["type"] == "unknown_key":
            path = [*path, context["key"]]
            raise error(f"{document.where(path)}: {first['msg']}") from None
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            message = "is required and is not there"
        elif first["type"] != "value_error":
            message = f"{message[:1].lower()}{message[1:]}, found {shown(first.get('input'))}"
        raise error(f"{document.where(path)}: {message}") from None


def _is_union_tag(step: str | int) -> bool:
    return isinstance(step, str) and ("[" in step or step.startswith("function-"))
