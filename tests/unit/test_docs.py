"""The docs hold what the code has: settings, codes, commands, routes; links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from eventlogging.cli.main import cli
from eventlogging.collector.app import Collector
from eventlogging.config import SETTINGS, Config
from eventlogging.console.app import create_app
from eventlogging.event import CODES
from eventlogging.platform import Platform, open_platform

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / "benchmarks").glob("*.md"),
    *DOCS.rglob("*.md"),
]
FOLDERS = [
    ROOT / name / "README.md" for name in ("schemas", "reviewers", "alerts", "purge", "clients")
]
MOST_LINES = 30  # of a decision
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?:^|[\s`/])eventlogging ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def platform(config: Config) -> Iterator[Platform]:
    opened = open_platform(config)
    yield opened
    opened.database.close()


@cache
def text(path: Path) -> str:
    return path.read_text("utf-8")


def rows(path: Path) -> set[str]:
    return {line for line in text(path).splitlines() if line.startswith("| `")}


def setting_row(name: str, default: Any, help: str) -> str:
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    value = f"`{shown}`" if shown else "(empty)"
    return f"| `{name}` | `EVENTLOGGING_{name.upper()}` | {value} | {help} |"


def code_row(code: str) -> str:
    status, meaning = CODES[code]
    return f"| `{code}` | {status} | {meaning} |"


def test_every_setting_is_documented_as_it_is() -> None:
    wanted = [setting_row(name, default, help) for name, default, help, _ in SETTINGS]
    missing = [row for row in wanted if row not in rows(DOCS / "operators.md")]
    assert not missing, "put into docs/operators.md:\n" + "\n".join(missing)


def test_no_setting_is_documented_that_is_not_there() -> None:
    named = {row.split("`")[1] for row in rows(DOCS / "operators.md") if "`EVENTLOGGING_" in row}
    assert named == {name for name, *_ in SETTINGS}


def test_every_code_is_documented_as_it_is() -> None:
    missing = [row for row in map(code_row, CODES) if row not in rows(DOCS / "instrumenters.md")]
    assert not missing, "put into docs/instrumenters.md:\n" + "\n".join(missing)


def test_no_code_is_documented_that_is_not_there() -> None:
    table = text(DOCS / "instrumenters.md").split("## Codes")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) == set(CODES)


def commands(group: click.Group, above: str = "eventlogging") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}"


def test_every_command_is_documented() -> None:
    page = text(DOCS / "commands.md")
    missing = [words for words in commands(cli) if f"`{words}`" not in page]
    assert not missing, f"put into docs/commands.md: {', '.join(missing)}"


def in_code(path: Path) -> Iterator[str]:
    """Yield what stands in code: indented lines, and spans in backticks."""
    for line in text(path).splitlines():
        if line.startswith("    "):
            yield line
        else:
            yield from re.findall(r"`([^`]+)`", line)


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_commands_that_the_docs_name_exist(path: Path) -> None:
    unknown = []
    for code in in_code(path):
        for name, sub in _COMMAND.findall(code):
            command = cli.get_command(click.Context(cli), name)
            known = command is not None
            if isinstance(command, click.Group) and sub:
                known = sub in command.commands
            if not known:
                unknown.append(f"eventlogging {name} {sub}".strip())
    assert not unknown


def routes(platform: Platform) -> Mapping[str, set[str]]:
    """Return address → methods of all that the web process answers; none: those of the intake."""

    async def nowhere(*_: Any) -> None:
        raise AssertionError

    found: dict[str, set[str]] = {path: set() for path in Collector(platform, nowhere).routes}
    for rule in create_app(platform).url_map.iter_rules():
        address = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        found.setdefault(address, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    return found


def documented_routes() -> dict[str, str]:
    """Return address → the methods that tables of the HTTP API name, as text."""
    table = re.findall(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|", text(DOCS / "http-api.md"), re.M)
    found: dict[str, str] = {}
    for address, methods in table:
        found[address] = f"{found.get(address, '')} {methods}"
    return found


def test_every_route_is_documented_with_its_methods(platform: Platform) -> None:
    named = documented_routes()
    missing = [
        f"{method} {address}"
        for address, methods in routes(platform).items()
        for method in methods or {""}
        if method not in named.get(address, "") or address not in named
    ]
    assert not missing, f"put into docs/http-api.md: {', '.join(missing)}"


def test_no_route_is_documented_that_is_not_there(platform: Platform) -> None:
    assert not documented_routes().keys() - routes(platform).keys()


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [*PAGES, *FOLDERS], ids=ids)
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in _LINK.findall(text(path)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        found = target.exists() and target.is_relative_to(ROOT)
        if not found or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_the_readme_leads_to_every_page() -> None:
    linked = {link.partition("#")[0] for link in _LINK.findall(text(ROOT / "README.md"))}
    pages = {str(page.relative_to(ROOT)) for page in DOCS.glob("*.md")}
    assert not pages - linked


def test_every_dependency_has_its_reason() -> None:
    setup = (ROOT / "setup.py").read_text("utf-8")
    listed = re.search(r"install_requires=\[(.*?)\],\n", setup, re.S)
    assert listed is not None
    names = set(re.findall(r'"([A-Za-z0-9.-]+)', listed[1]))
    page = text(DOCS / "decisions" / "0002-dependencies.md")
    assert names == set(re.findall(r"^\| `([\w.-]+)`", page, re.M))


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=ids)
def test_a_decision_is_short_and_says_what_was_given_up(path: Path) -> None:
    page = text(path)
    prose = [line for line in page.splitlines() if not line.startswith("|")]  # tables may be long
    assert len(prose) <= MOST_LINES
    assert page.startswith(f"# {path.name[:4]} ")
    assert all(f"**{part}.**" in page for part in ("Context", "Choice", "What we gave up"))
