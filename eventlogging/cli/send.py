"""The command `send`: send events from files or from the command line, and explain each refusal."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from eventlogging import config
from eventlogging.cli.paint import harmless
from eventlogging.cli.sender import Answer, Unreachable, post_events
from eventlogging.errors import EventLoggingError
from eventlogging.registry.tokens import TEST_PREFIX

_PORTION = 500  # events in one request
_COUNTS = ("accepted", "sampled_out", "suppressed")
_LISTS = ("ids", "invalid", "error")
_ENDINGS = (".json", ".jsonl", ".ndjson", ".txt")  # of what was meant as a file, missing or not


@click.command(
    short_help="Send events and see why one is refused.",
    epilog="Example:  eventlogging send RecipeUptake "
    '\'{"source": "normandy/runner", "status": "RUNNER_SUCCESS"}\'',
)
@click.argument("files", nargs=-1, metavar="[SCHEMA] [JSON | FILE]...")
@click.option("--schema", help="Name of the schema; what files hold are then payloads alone.")
@click.option("--version", help="Version of the schema; default: the latest.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=VALUE",
    help="A field of the payload; VALUE is JSON, else text. May be repeated.",
)
@click.option("--id", "event_id", help="Id of the event; default: a new one.")
@click.option("--url", help="Address of the collector; default: the one in the settings.")
@click.option(
    "--token",
    help="Token for schemas that only servers may send, or a test key, with which events are "
    "judged and not stored; default: the admin token in the settings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the collector's answer.")
def send(
    files: tuple[str, ...],
    schema: str | None,
    version: str | None,
    fields: tuple[str, ...],
    event_id: str | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Send events, given as JSON or in FILEs (JSON, an array, or one object a line; - is stdin).

    After the name of a SCHEMA, or with --schema, they are payloads alone; --field puts one
    together. Exit code 0: all accepted, 1: some were refused or nothing answered, 2: wrong use.
    """
    if schema is None and _begins_with_schema(files, fields):
        schema, files = files[0], files[1:]
    _check_use(files, schema, version, fields, event_id)
    if files:
        events = [event for name in files for event in _read(name)]
        if not events:
            raise click.UsageError(f"no event in {', '.join(files)}")
    else:
        events = [dict(_field(text) for text in fields)]
    if event_id is not None and len(events) > 1:
        raise click.UsageError(f"--id names one event, but there are {len(events)}")
    if schema is not None:
        events = [_capsule(schema, version, event_id, payload) for payload in events]
    try:
        settings = config.load()
        address = (url or settings.url).rstrip("/")
        answer = _post(address, events, settings.admin_token if token is None else token)
    except Unreachable as error:
        text = f"no answer from {address} ({error}); start the server (bin/run) or name it by --url"
        raise click.ClickException(text) from error
    except EventLoggingError as error:
        raise click.ClickException(str(error)) from error
    is_test = (token or "").startswith(TEST_PREFIX)
    refused = _tell(answer, events, as_json=as_json, is_test=is_test)
    sys.exit(1 if refused else 0)


def _begins_with_schema(words: Sequence[str], fields: Sequence[str]) -> bool:
    """Whether the first of the words names a schema, and what follows its payloads."""
    if not words or (len(words) == 1 and not fields):
        return False
    name = words[0]
    if name == "-" or _is_text(name) or name.endswith(_ENDINGS):
        return False
    return Path(name).is_dir() or not Path(name).exists()  # schemas have folders of their names


def _is_text(word: str) -> bool:
    """Whether a word of the command line is JSON itself, and not the name of a file."""
    return word.lstrip()[:1] in ("{", "[")


def _check_use(
    files: Sequence[str],
    schema: str | None,
    version: str | None,
    fields: Sequence[str],
    event_id: str | None,
) -> None:
    if files and fields:
        raise click.UsageError("give either files or --field, not both")
    if not files and schema is None:
        raise click.UsageError("give a FILE, or --schema and --field (see --help)")
    if schema is None and (version is not None or event_id is not None):
        raise click.UsageError("--version and --id go with --schema")


def _read(name: str) -> Iterator[Any]:
    """Yield the events of a text or a file: one, those of an array, or one a line."""
    try:
        if _is_text(name):
            name, text = "the JSON given", name
        else:
            text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise click.UsageError(f"{name}: cannot be read: {reason}") from error
    try:
        whole = json.loads(text)
    except ValueError as error:
        yield from _lines(name, text, error)
    else:
        yield from whole if isinstance(whole, list) else [whole]


def _lines(name: str, text: str, error: ValueError) -> Iterator[Any]:
    lines = text.splitlines()
    if len(lines) < 2 or not _is_json(lines[0]):
        raise click.UsageError(f"{name}: is not JSON: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as wrong:
                raise click.UsageError(f"{name}:{number}: is not JSON: {wrong}") from wrong


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--field {text!r} is not NAME=VALUE, such as duration=12")
    try:
        return name, json.loads(value, parse_constant=_not_json)
    except ValueError:
        return name, value


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _capsule(schema: str, version: str | None, event_id: str | None, payload: Any) -> Any:
    body = {"schema": schema, "event": payload, "id": event_id or str(uuid.uuid4())}
    return body | {"version": version} if version else body


def _post(url: str, events: Sequence[Any], token: str) -> Answer:
    """Send all events, in several requests where there are many; the answers become one."""
    portions = [events[at : at + _PORTION] for at in range(0, len(events), _PORTION)]
    answers: list[Answer] = []
    for portion in portions:
        answer = post_events(url, portion, token)
        answers.append(answer)
        if not answer.judged:
            return answer  # the rest would fare no better
    return answers[0] if len(answers) == 1 else _together(answers)


def _together(answers: Sequence[Answer]) -> Answer:
    body: dict[str, Any] = dict.fromkeys(_COUNTS, 0) | {name: [] for name in _LISTS}
    for number, answer in enumerate(answers):
        part = answer.body if isinstance(answer.body, dict) else {}
        for name in _COUNTS:
            body[name] += part.get(name) or 0
        for name in _LISTS:
            for item in part.get(name) or ():
                shifted = isinstance(item, dict) and "index" in item
                offset = {"index": item["index"] + number * _PORTION} if shifted else {}
                body[name].append(item | offset if shifted else item)
    statuses = {answer.status for answer in answers}
    return Answer(statuses.pop() if len(statuses) == 1 else 207, body)


def _tell(answer: Answer, events: Sequence[Any], *, as_json: bool, is_test: bool) -> bool:
    """Print what became of the events; return whether any was not taken."""
    refusals = answer.refusals()
    failed = answer.status not in (201, 202)
    if as_json:
        click.echo(json.dumps(answer.body, ensure_ascii=False))
        return failed
    if not answer.judged:
        later = f"; try again in {answer.retry_after:g} s" if answer.retry_after else ""
        text = f"the server answered HTTP {answer.status}: {answer.text}{later}"
        raise click.ClickException(harmless(text))
    for item in refusals:
        for line in _refusal(item):
            click.echo(harmless(line))
    taken = 0 if answer.status == 400 else len(events) - len(refusals)
    body = answer.body if isinstance(answer.body, dict) else {}
    notes = [
        f"{body[name]} {name.replace('_', ' ')}" for name in _COUNTS[1:] if body.get(name)
    ]  # fmt: skip
    detail = f" ({', '.join(notes)})" if notes else ""
    click.echo(f"{taken} of {len(events)} accepted{detail}, {len(events) - taken} refused")
    if is_test:
        click.echo("They came with a test key: shown live, and in no table and no sum.")
    click.echo("eventlogging tail" if is_test else "eventlogging ledger")
    return failed


def _refusal(item: Mapping[str, Any]) -> Iterator[str]:
    context = item.get("context") or {}
    problems = context.get("errors") or []
    yield f"event {item.get('index', '?')} is refused: {item.get('code') or item.get('status')}"
    for problem in problems:
        where = problem.get("pointer") or "the event"
        yield f"  {where}: expected {problem.get('expected')}, found {problem.get('found')}"
    if not problems and context.get("errorsText"):
        yield f"  {context['errorsText']}"
