"""A template as the text of its YAML file; reading it gives an equal template."""

from __future__ import annotations

from typing import Any

import yaml

from cytoreg.gating.template import Template

__all__ = ["template_to_yaml"]


class _Dumper(yaml.SafeDumper):
    """Keys in their order, short lists on one line, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.SequenceNode:
    flat = all(not isinstance(item, dict) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)


_Dumper.add_representer(list, _represent_list)


def template_to_yaml(template: Template) -> str:
    """The text of a template's file. All that decides a number is in it; comments are not."""
    return yaml.dump(template.describe(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
