"""YAML with the line of every key, and messages that say where and what instead."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from cytoreg import StudyError, TemplateError
from cytoreg.yamlfile import StrictModel, YamlDocument, document_of, load_yaml, validate


class Part(StrictModel):
    on: str
    low: float = 0.0


class Whole(StrictModel):
    cytoreg: Literal[1]
    parts: dict[str, Part] = Field(default_factory=dict)
    source: str = Field(default="", alias="from")


TEXT = """\
cytoreg: 1
parts:
  a:
    on: CD4
    low: 2
  b: {on: CD8}
"""


def refused(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        validate(Whole, load_yaml(text, TemplateError, name="t.yaml"), TemplateError)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_document_is_read_with_the_line_of_every_key() -> None:
    document = load_yaml(TEXT, TemplateError, name="t.yaml")
    assert validate(Whole, document, TemplateError).parts["b"].on == "CD8"
    assert document.line(["parts", "a", "low"]) == 5
    assert document.at("parts", "a").where(["low"]) == "t.yaml, line 5, key parts.a.low"
    assert document.where(["parts", "a", "absent"]) == "t.yaml, line 3, key parts.a.absent"


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() -> None:
    message = refused(TEXT.replace("low: 2", "lwo: 2"))
    assert message.startswith("t.yaml, line 5, key parts.a.lwo: unknown key 'lwo'; did you mean 'low'?")


def test_a_missing_key_a_wrong_type_and_a_wrong_word() -> None:
    assert refused(TEXT.replace("on: CD4", "low: 1").replace("low: 2", "")).startswith(
        "t.yaml, line 3, key parts.a.on: is required"
    )
    assert "line 5, key parts.a.low" in refused(TEXT.replace("low: 2", "low: high"))
    assert "found 'high'" in refused(TEXT.replace("low: 2", "low: high"))
    assert "found 2" in refused(TEXT.replace("cytoreg: 1", "cytoreg: 2"))


def test_a_key_that_stands_twice_is_an_error_with_both_lines() -> None:
    assert refused(TEXT + "parts: {}\n") == "t.yaml, line 7: key 'parts' stands twice, first on line 2"


def test_on_and_off_and_yes_are_words_not_truth_values() -> None:
    data = load_yaml("on: yes\noff: [no, true, False]\n", TemplateError).data
    assert data == {"on": "yes", "off": ["no", True, False]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3", "line 2: not valid YAML"),
        ("a: b: c", "line 1: not valid YAML"),
        ("a: *nowhere", "not valid YAML: found undefined alias"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("{[1]: 2}", "not valid YAML"),
        ("a: " + "[" * 200 + "]" * 200, "nested more than"),
        ("a: &x [*x]", "nested more than"),
        (
            "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)),
            "more than 100000 keys and values",
        ),
        ("", "expected keys and values, found nothing"),
        ("- 1\n", "expected keys and values, found a list"),
        ("word", "expected keys and values, found text"),
    ],
)
def test_what_is_no_usable_yaml_is_one_line(text: str, message: str) -> None:
    assert message in refused(text)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no such file"):
        load_yaml(tmp_path / "absent.yaml", StudyError)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(StudyError, match="cannot be read as text"):
        load_yaml(tmp_path / "x.yaml", StudyError)
    with pytest.raises(StudyError, match="cannot be read"):
        load_yaml(tmp_path, StudyError)
    (tmp_path / "bom.yaml").write_text("\ufeffcytoreg: 1\n", encoding="utf-8")
    assert load_yaml(tmp_path / "bom.yaml", StudyError).data == {"cytoreg": 1}


def test_a_mapping_made_in_python_has_no_lines_but_the_same_messages() -> None:
    document = document_of({"cytoreg": 1, "parts": {"a": {"no": 1}}}, TemplateError, "plan")
    assert isinstance(document, YamlDocument)
    with pytest.raises(TemplateError, match=r"^plan, key parts\.a\.no: unknown key 'no'"):
        validate(Whole, document, TemplateError)


def test_an_alias_is_the_name_that_is_shown() -> None:
    assert validate(Whole, load_yaml("{cytoreg: 1, from: x}", TemplateError), TemplateError).source == "x"
    message = refused("{cytoreg: 1, form: x}")
    assert "did you mean 'from'?" in message
    assert "source" not in message
