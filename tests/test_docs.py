"""The documentation says what is there: its Python runs, and its commands, options, flags, columns and links exist."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cytoreg.cli.main import COMMANDS, OTHER_SPELLING
from cytoreg.errors import CytoregError
from cytoreg.gating.methods import method_names
from cytoreg.reports.words import FLAGS
from cytoreg.resources import template_paths
from cytoreg.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
WITH_PYTHON = [ROOT / "README.md", DOCS / "guides" / "python.md"]


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """What stands between fences of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def section(page: Path, title: str) -> str:
    """A page from a heading of second order to the next."""
    found = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found, f"{page_id(page)} has no section {title}"
    return found[1]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=page_id)
def test_every_python_block_runs_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "example_fcs", tmp_path / "example_fcs")
    monkeypatch.chdir(tmp_path)
    found = blocks(page, "python")
    assert found
    names: dict[str, Any] = {}
    for block in found:
        exec(compile(block, page_id(page), "exec"), names)


def test_the_readme_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "example_fcs", tmp_path / "example_fcs")
    monkeypatch.chdir(tmp_path)
    for block in blocks(ROOT / "README.md", "python"):
        exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert f"It prints `{printed}`." in (ROOT / "README.md").read_text(encoding="utf-8")


def commands_in(page: Path) -> Iterator[list[str]]:
    """Every call of cytoreg: inline, or a line of a shell block, as its words."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += re.findall(r"`(cytoreg [^`\n]+)`", text)
    for line in lines:
        words = shlex.split(line, comments=True)
        if words and words[0] == "cytoreg":
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_and_options_exist(page: Path) -> None:
    for words in commands_in(page):
        name = OTHER_SPELLING.get(words[0], words[0])
        if words[0].startswith("--") or name == "COMMAND":
            continue
        assert name in COMMANDS, words
        given = {word.partition("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)}
        assert given <= options_of(name) | {"--help", "-h"}, words


def options_of(name: str) -> set[str]:
    import typer

    from cytoreg.cli._line import application

    app = application(importlib.import_module(f"cytoreg.cli.{name}").command)
    return {option for param in typer.main.get_command(app).params for option in param.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_its_options_stand_in_the_reference(name: str) -> None:
    said = section(DOCS / "reference" / "commands.md", name)
    assert f"cytoreg {name}" in said
    for option in options_of(name):
        if option.startswith("-"):
            assert option in said, option


def test_make_targets_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        calls = re.findall(r"^make ([a-z]+)|`make ([a-z]+)`", text, re.MULTILINE)
        assert {first or second for first, second in calls} <= targets, page_id(page)


def flags_in_code() -> set[str]:
    """Flag codes where they are made: one-element tuples, appended and added words, prefixes with a colon."""
    files = [*sorted((ROOT / "cytoreg").glob("quality/*.py")), *sorted((ROOT / "cytoreg" / "gating").glob("*.py"))]
    pattern = re.compile(
        r"""\("([a-z_]+)",\) if|flags=\("([a-z_]+)",\)|(?:flags|own)\.(?:append|add)\("([a-z_]+)"\)"""
        r"""|\*missing, "([a-z_]+)"|f"([a-z_]+:)\{|\["([a-z_]+)"\] (?:if|\*)"""
    )
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return {word for found in pattern.findall(text) for word in found if word} | set(FLAGS)


def test_every_flag_in_the_code_is_explained() -> None:
    explained = set(
        re.findall(r"`([a-z_]+:?)[a-z.]*`", (DOCS / "reference" / "flags.md").read_text(encoding="utf-8"))
    )
    found = flags_in_code()
    assert {
        "no_control",
        "not_placed",
        "doubt",
        "step_skipped",
        "margin",
        "drift",
        "clog",
        "removed:",
        "fallback:",
        "above:",
    } <= found
    assert found - {"fmo:"} <= explained


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_explained(table: str) -> None:
    said = section(DOCS / "reference" / "tables.md", table)
    explained = re.findall(r"^\| `([a-z_]+)` \|", said, re.MULTILINE)
    assert [column for column in TABLES[table] if column not in explained] == []


@pytest.mark.parametrize("method", method_names())
def test_every_method_and_parameter_is_explained(method: str) -> None:
    from cytoreg.gating.methods import params_of

    page = DOCS / "reference" / "methods.md"
    explained = section(page, method) + section(page, "What methods with one cut share")
    for name, field in params_of(method).model_fields.items():
        assert f"`{field.alias or name}`" in explained, f"{method}: {name}"


@pytest.mark.parametrize("name", template_paths())
def test_a_shipped_template_has_a_page_with_every_population(name: str) -> None:
    populations = yaml.safe_load(template_paths()[name].read_text(encoding="utf-8"))["populations"]
    said = (DOCS / "templates" / f"{name}.md").read_text(encoding="utf-8")
    rows = {row.strip() for row in re.findall(r"^\| ([^|]+) \|", said, re.MULTILINE)}
    assert set(populations) <= rows
    assert f"templates/{name}.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_yaml_blocks_are_what_they_say() -> None:
    """Whole templates, plans and studies in the guides are read by what reads them in a run."""
    from cytoreg.gating import parse_template
    from cytoreg.stats import read_plan
    from cytoreg.study.definition import _Study
    from cytoreg.yamlfile import YamlDocument, load_yaml

    read = {"template": 0, "plan": 0, "study": 0}
    for page in PAGES:
        for block in blocks(page, "yaml"):
            data = load_yaml(block, CytoregError).data
            if "cytoreg" not in data:
                continue
            is_template = isinstance(data.get("populations"), dict)  # of a study, the tables counted elsewhere
            kind = "template" if is_template else "plan" if "analyses" in data else "study"
            read[kind] += 1
            if kind == "template":
                parse_template(YamlDocument(page_id(page), data))
            elif kind == "plan":
                read_plan(data)
            else:
                _Study.model_validate(data)
    assert all(read.values()), read


def slug(heading: str) -> str:
    """A heading as mkdocs makes an anchor of it."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower())


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_inside_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (page.parent / name).resolve() if name else page
        assert aim.exists(), f"{page_id(page)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", aim.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{page_id(page)}: {target}"


def test_the_navigation_holds_every_page() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r": ([\w/]+\.md)$", text, re.MULTILINE))
    assert named == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


def test_every_dependency_has_its_reason() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    said = section(DOCS / "dependencies.md", "What the package needs")
    named = {name.casefold() for name in re.findall(r"^\| ([\w-]+) \|", said, re.MULTILINE)}
    assert {re.split(r"[<>=!~ ;]", item)[0].casefold() for item in wanted} <= named


def test_files_that_verification_names_are_there() -> None:
    text = (DOCS / "explanation" / "verification.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|benchmarks)/[\w/.]+)`", text))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
