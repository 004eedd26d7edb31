"""Every kind of mistake in the governance folders is told, with its file and line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eventlogging.errors import GovernanceError
from eventlogging.governance.files import MAX_BYTES, read_text
from eventlogging.governance.read import read_governance
from tests.unit.governance_folders import DOCUMENT, SETTINGS, everything, folder, one_schema


def problems(root: Path, files: Mapping[str, Any]) -> list[str]:
    """Return the problems of a folder; it must have some, and stay as it is."""
    folder(root, files)
    before = everything(root)
    with pytest.raises(GovernanceError) as raised:
        read_governance(root)
    assert everything(root) == before
    return raised.value.problems


SCHEMA = "schemas/Clicks/schema.toml"
V1 = "schemas/Clicks/1.0.0.json"

# What is added to a schema without problems → the beginning of the one line that must be told.
ALONE: dict[str, tuple[dict[str, Any], str]] = {
    "toml syntax": (
        {"purge/default.toml": "keep_days = 90\ncap_days = = 3\n"},
        "purge/default.toml:2: is not TOML: Invalid value",
    ),
    "toml end": (
        {"purge/default.toml": 'a = """\nb\n'},
        "purge/default.toml:2: is not TOML",
    ),
    "json syntax": (
        {V1: '{\n  "type": "object",\n  "a" 3\n}'},
        f"{V1}:3: is not JSON: Expecting ':' delimiter",
    ),
    "json number": (
        {"schemas/Clicks/examples/x.fail.json": '{"action": NaN}'},
        "schemas/Clicks/examples/x.fail.json:1: is not JSON: NaN is not a JSON number",
    ),
    "json too large a number": (
        {"schemas/Clicks/examples/x.fail.json": '{"action": 1e999}'},
        "schemas/Clicks/examples/x.fail.json:1: is not JSON: 1e999 is too large",
    ),
    "half a character": (
        {"schemas/Clicks/examples/x.fail.json": '{"action": "\\ud800"}'},
        "schemas/Clicks/examples/x.fail.json:1: holds half a character",
    ),
    "nested deeply": (
        {"schemas/Clicks/examples/x.fail.json": "[" * 100_000 + "]" * 100_000},
        "schemas/Clicks/examples/x.fail.json:1: is nested too deeply",
    ),
    "duplicate key": (
        {"schemas/Clicks/examples/x.fail.json": '{\n  "a": [{"b": 1}],\n  "c": {},\n  "a": 2\n}'},
        "schemas/Clicks/examples/x.fail.json:4: the key 'a' stands twice",
    ),
    "unknown key": (
        {SCHEMA: SETTINGS + '\nproducer = "token"\n'},
        f"{SCHEMA}:5: unknown key 'producer'; did you mean 'producers'?",
    ),
    "missing key": (
        {SCHEMA: 'title = "A"\ndescription = "B"\n'},
        f"{SCHEMA}:1: `owners` is missing; add a list of at least one e-mail address",
    ),
    "rate": (
        {SCHEMA: SETTINGS + '[sampling]\nunit = "session"\nrate = 10\n'},
        f"{SCHEMA}:6: `sampling.rate` is 10; it should be a number from 0 to 1",
    ),
    "which events get defaults": (
        {SCHEMA: SETTINGS + 'fill_defaults = "often"\n'},
        f'{SCHEMA}:4: `fill_defaults` is "often"; it should be "eventgate", "always" or "never"',
    ),
    "defaults as yes or no": (
        {SCHEMA: SETTINGS + "fill_defaults = true\n"},
        f'{SCHEMA}:4: `fill_defaults` is true; it should be "eventgate", "always" or "never"',
    ),
    "who reads events": (
        {SCHEMA: SETTINGS + 'readers = "everybody"\n'},
        f'{SCHEMA}:4: `readers` is "everybody"; it should be "analysts" or "owners"',
    ),
    "readers as a list": (
        {SCHEMA: SETTINGS + 'readers = ["owners"]\n'},
        f'{SCHEMA}:4: `readers` is a list of 1; it should be "analysts" or "owners"',
    ),
    "state": (
        {SCHEMA: SETTINGS + '\nstate = "retierd"\n'},
        f'{SCHEMA}:5: `state` is "retierd"; it should be "published", "deprecated" or "retired"',
    ),
    "state as yes or no": (
        {SCHEMA: SETTINGS + "state = false\n"},
        f'{SCHEMA}:4: `state` is false; it should be "published", "deprecated" or "retired"',
    ),
    "not a number at all": (
        {SCHEMA: SETTINGS + "[sampling]\nrate = nan\n"},
        f"{SCHEMA}:5: `sampling.rate` is nan; use a finite number",
    ),
    "owner": (
        {SCHEMA: 'title = "A"\ndescription = "B"\nowners = [\n  "a@example.org",\n  "me",\n]\n'},
        f'{SCHEMA}:5: `owners[1]` is "me"; it should be an e-mail address',
    ),
    "owner twice": (
        {SCHEMA: 'title = "A"\ndescription = "B"\nowners = ["a@b.org", "a@b.org"]\n'},
        f'{SCHEMA}:3: `owners` lists "a@b.org" twice',
    ),
    "privacy value": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "hash"\n'},
        f'{SCHEMA}:5: `privacy.userId` is "hash"; it should be "hmac" or "drop"',
    ),
    "privacy field": (
        {SCHEMA: SETTINGS + '[privacy]\nuserID = "hmac"\n'},
        f"{SCHEMA}:5: privacy names 'userID', which no version of Clicks declares; "
        "did you mean 'userId'?",
    ),
    "privacy pointer": (
        {SCHEMA: SETTINGS + '[privacy]\n"/page/ids" = "hmac"\n'},
        f"{SCHEMA}:5: privacy names '/page/ids'",
    ),
    "privacy twice": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "hmac"\n"/userId" = "drop"\n'},
        f"{SCHEMA}:6: '/userId' is the same field as 'userId'",
    ),
    "revision": (
        {SCHEMA: SETTINGS + 'revisions = { "5152795" = "1.0.1" }\n'},
        f"{SCHEMA}:4: revision 5152795 names version '1.0.1', which is not in this folder; "
        "did you mean '1.0.0'?",
    ),
    "revision number": (
        {SCHEMA: SETTINGS + 'revisions = { "five" = "1.0.0" }\n'},
        f'{SCHEMA}:4: the key "five" should be a whole revision number',
    ),
    "schema name": (
        {"schemas/2Clicks/schema.toml": SETTINGS, "schemas/2Clicks/1.0.0.json": DOCUMENT},
        "schemas/2Clicks/schema.toml:1: '2Clicks' is not a schema name",
    ),
    "schema named default": (
        {"schemas/Default/schema.toml": SETTINGS, "schemas/Default/1.0.0.json": DOCUMENT},
        "schemas/Default/schema.toml:1: 'Default' names the rule for all schemas",
    ),
    "same table": (
        {"schemas/clicks/schema.toml": SETTINGS, "schemas/clicks/1.0.0.json": DOCUMENT},
        "schemas/clicks/schema.toml:1: the name 'clicks' gives the same table as 'Clicks'",
    ),
    "no settings": (
        {"schemas/a/b/1.0.0.json": DOCUMENT},
        "schemas/a/b/schema.toml:1: is missing",
    ),
    "no version": (
        {"schemas/Views/schema.toml": SETTINGS},
        "schemas/Views/1.0.0.json:1: is missing",
    ),
    "version name": (
        {"schemas/Clicks/v2.json": DOCUMENT},
        "schemas/Clicks/v2.json:1: 'v2' is not a version",
    ),
    "a list as schema": (
        {V1: "[]"},
        f"{V1}:1: holds no JSON object",
    ),
    "a bad schema": (
        {V1: '{\n  "type": "object",\n  "properties": {\n    "a": {\n      "type": "strin"\n'
         "    }\n  }\n}"},
        f"{V1}:5: /properties/a/type: ",
    ),
    "a reference to elsewhere": (
        {V1: {"$ref": "https://example.org/schema.json", **DOCUMENT}},
        f"{V1}:2: /$ref: 'https://example.org/schema.json' is neither in this document",
    ),
    "an example that fails": (
        {"schemas/Clicks/examples/x.pass.json": '{\n  "action": "open",\n  "duration": "1"\n}'},
        "schemas/Clicks/examples/x.pass.json:3: does not pass version 1.0.0: ",
    ),
    "an example that passes": (
        {"schemas/Clicks/examples/x.fail.json": {"action": "open"}},
        "schemas/Clicks/examples/x.fail.json:1: passes version 1.0.0, though its name says fail",
    ),
    "example elsewhere": (
        {"schemas/Clicks/x.pass.json": {}},
        "schemas/Clicks/x.pass.json:1: does not belong here; move it into examples/",
    ),
    "example name": (
        {"schemas/Clicks/examples/x.json": {}},
        "schemas/Clicks/examples/x.json:1: does not belong here; examples are named",
    ),
    "a schema named examples": (
        {"schemas/Clicks/examples/more/schema.toml": SETTINGS},
        "schemas/Clicks/examples/more/schema.toml:1: does not belong here; a schema's name has",
    ),
    "foreign file": (
        {"schemas/Clicks/foo.txt": "x"},
        "schemas/Clicks/foo.txt:1: does not belong here; a schema folder holds",
    ),
    "foreign file above": (
        {"schemas/notes.md": "x"},
        "schemas/notes.md:1: does not belong here",
    ),
    "foreign file among reviewers": (
        {"reviewers/people.toml": ""},
        "reviewers/people.toml:1: does not belong here; reviewers/ holds roster.toml",
    ),
    "foreign file among alerts": (
        {"alerts/emails/deep/throughput.txt": ""},
        "alerts/emails/deep/throughput.txt:1: does not belong here; emails/ holds",
    ),
    "foreign file among purges": (
        {"purge/default.yaml": ""},
        "purge/default.yaml:1: does not belong here; purge/ holds default.toml and <Name>.toml",
    ),
    "reviewer": (
        {"reviewers/roster.toml": '[[reviewers]]\nname = "A"\nemail = "a@example.org"\n'
         'areas = ["*"]\nconsented = "yes"\n'},
        'reviewers/roster.toml:5: `reviewers[0].consented` is "yes"; it should be the day',
    ),
    "reviewer twice": (
        {"reviewers/roster.toml": 2 * '[[reviewers]]\nname = "A"\nemail = "a@example.org"\n'
         'areas = ["*"]\nconsented = 2026-11-22\n'},
        "reviewers/roster.toml:8: a@example.org stands twice in the roster",
    ),
    "alert for an unknown schema": (
        {"alerts/Click.toml": "[silent]\nafter_minutes = 5\n"},
        "alerts/Click.toml:1: names the schema 'Click', which is not in schemas/; "
        "did you mean 'Clicks'?",
    ),
    "half an alert": (
        {"alerts/Clicks.toml": "[throughput]\nabove_per_second = 5\nwindow_minutes = 5\n"},
        "alerts/Clicks.toml:1: `throughput.rearm_below_per_second` is missing; add",
    ),
    "alert in the wrong file": (
        {"alerts/default.toml": "[silent]\nafter_minutes = 5\n"},
        "alerts/default.toml:1: unknown key 'silent'; it belongs into alerts/<Name>.toml",
    ),
    "alert that re-arms at once": (
        {"alerts/Clicks.toml": "[throughput]\nabove_per_second = 5\nwindow_minutes = 5\n"
         "rearm_below_per_second = 6\n"},
        "alerts/Clicks.toml:4: `throughput.rearm_below_per_second` is 6; at most",
    ),
    "template": (
        {"alerts/emails/throughput.txt": "Hello\n{% if x %}\n"},
        "alerts/emails/throughput.txt:2: is not a Jinja template",
    ),
    "unknown filter in a template": (
        {"alerts/emails/silent.txt": "Hello\n{{ x|shout }}\n"},
        "alerts/emails/silent.txt:2: is not a Jinja template: No filter named 'shout'",
    ),
    "unknown name in a template": (
        {"alerts/emails/throughput.txt": "{{ rate }}\n{{ contributor[0].schema }}"},
        "alerts/emails/throughput.txt:2: uses 'contributor', which is not known here; "
        "did you mean 'contributors'?",
    ),
    "subject": (
        {"alerts/emails/throughput.subject.txt": "One\nTwo\n"},
        "alerts/emails/throughput.subject.txt:2: a subject is one line",
    ),
    "purge of an unknown schema": (
        {"purge/analytics/clicks.toml": "keep_days = 5\n"},
        "purge/analytics/clicks.toml:1: names the schema 'analytics/clicks'",
    ),
    "days": (
        {"purge/Clicks.toml": "keep_days = 0\n"},
        "purge/Clicks.toml:1: `keep_days` is 0; it should be a whole number of days, at least 1",
    ),
    "beyond the cap": (
        {"purge/default.toml": "cap_days = 100\n", "purge/Clicks.toml": "\nkeep_days = 101\n"},
        "purge/Clicks.toml:2: `keep_days` is 101; at most cap_days, which is 100, is right",
    ),
    "an extension beyond the cap": (
        {"purge/Clicks.toml": '[extension]\nkeep_days = 400\nuntil = 2027-03-31\nreason = "R"\n'
         'asked_by = "a@example.org"\n'},
        "purge/Clicks.toml:2: `extension.keep_days` is 400; at most cap_days, which is 365",
    ),
    "an extension that extends nothing": (
        {"purge/Clicks.toml": 'keep_days = 90\n[extension]\nkeep_days = 90\nuntil = "2027-03-31"\n'
         'reason = "R"\nasked_by = "a@example.org"\n'},
        "purge/Clicks.toml:3: `extension.keep_days` is 90; more than keep_days, which is 90",
    ),
    "scrub keeps an unknown field": (
        {"purge/Clicks.toml": '[scrub]\nkeep = [\n  "action",\n  "durations",\n]\n'},
        "purge/Clicks.toml:4: `scrub.keep` names 'durations', which no version of Clicks declares; "
        "did you mean 'duration'?",
    ),
    "aggregate by an unknown field": (
        {"purge/Clicks.toml": '[[aggregate]]\nname = "a"\nper = "day"\nfields = ["page/id"]\n'},
        "purge/Clicks.toml:4: `aggregate[0].fields` names 'page/id'",
    ),
    "sum of a text": (
        {"purge/Clicks.toml": '[[aggregate]]\nname = "a"\nper = "day"\nsum = ["action"]\n'},
        "purge/Clicks.toml:4: `aggregate[0].sum` names 'action', which is not a number",
    ),
    "two aggregates of one name": (
        {"purge/Clicks.toml": 2 * '[[aggregate]]\nname = "a"\nper = "day"\n'},
        "purge/Clicks.toml:5: two aggregates are named 'a'",
    ),
    "private field kept": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "hmac"\n',
         "purge/Clicks.toml": '[scrub]\nkeep = ["action", "userId"]\n'},
        "purge/Clicks.toml:2: `scrub.keep` would keep 'userId', which is private in schema.toml",
    ),
    "private field kept with what holds it": (
        {SCHEMA: SETTINGS + '[privacy]\n"/page/id" = "hmac"\n',
         "purge/Clicks.toml": '[scrub]\nkeep = ["page"]\n'},
        "purge/Clicks.toml:2: `scrub.keep` would keep 'page', which is private in schema.toml",
    ),
    "private field kept, where a hash would do": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "hmac"\n',
         "purge/Clicks.toml": '[scrub]\nkeep = [\n  "userId",\n]\n'},
        "purge/Clicks.toml:3: `scrub.keep` would keep 'userId', which is private in schema.toml; "
        "leave it out, for a hash still ties one person's events together, or put it into "
        "`scrub.hash`, where it is hashed anew each month",
    ),
    "hash of a dropped field": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "drop"\n',
         "purge/Clicks.toml": '[scrub]\nhash = ["userId"]\n'},
        "purge/Clicks.toml:2: `scrub.hash` names 'userId', which is dropped before it is stored; "
        "leave it out",
    ),
    "hash of what holds a private field": (
        {SCHEMA: SETTINGS + '[privacy]\n"/page/id" = "hmac"\n',
         "purge/Clicks.toml": '[scrub]\nhash = ["page"]\n'},
        "purge/Clicks.toml:2: `scrub.hash` names 'page', which holds the private '/page/id'; "
        "name that one",
    ),
    "different values of a dropped field": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "drop"\n',
         "purge/Clicks.toml": '[[aggregate]]\nname = "a"\nper = "day"\ndistinct = ["userId"]\n'},
        "purge/Clicks.toml:4: `aggregate[0].distinct` names 'userId', which is dropped before",
    ),
    "bucket of a private field": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "hmac"\n',
         "purge/Clicks.toml": "[scrub.bucket]\nuserId = 100\n"},
        "purge/Clicks.toml:2: `scrub.bucket` would keep 'userId', which is private in schema.toml",
    ),
    "counts by a private field": (
        {SCHEMA: SETTINGS + '[privacy]\nuserId = "hmac"\n',
         "purge/Clicks.toml": '[[aggregate]]\nname = "a"\nper = "day"\nfields = ["userId"]\n'},
        "purge/Clicks.toml:4: `aggregate[0].fields` would keep 'userId', which is private",
    ),
    "width of a text": (
        {"purge/Clicks.toml": "[scrub.bucket]\naction = 10\n"},
        "purge/Clicks.toml:2: `scrub.bucket` gives 'action' a width, and it is not a number; "
        "leave it out",
    ),
    "time unit of a number": (
        {"purge/Clicks.toml": '[scrub.bucket]\nduration = "day"\n'},
        "purge/Clicks.toml:2: `scrub.bucket` cuts 'duration' to 'day', and it is not a text; "
        "leave it out",
    ),
    "unknown bucket": (
        {"purge/Clicks.toml": '[scrub.bucket]\naction = "week"\n'},
        'purge/Clicks.toml:2: `scrub.bucket.action` is "week"; it should be a width above 0 for '
        'numbers, "hour", "day", "month" or "year" for times, or "browser" for user agents',
    ),
    "no width": (
        {"purge/Clicks.toml": "[scrub.bucket]\nduration = 0\n"},
        "purge/Clicks.toml:2: `scrub.bucket.duration` is 0; it should be a width above 0",
    ),
    "a field in two lists": (
        {"purge/Clicks.toml": '[scrub]\nkeep = ["action"]\nhash = ["action"]\n'},
        "purge/Clicks.toml:3: `scrub.hash` names 'action', which `scrub.keep` names too; keep one",
    ),
    "a field in two lists, spelled in two ways": (
        {"purge/Clicks.toml": '[scrub]\nkeep = ["action"]\ndrop = ["/action"]\n'},
        "purge/Clicks.toml:3: `scrub.drop` names '/action', which `scrub.keep` names too; keep one",
    ),
    "a field twice in one list": (
        {"purge/Clicks.toml": '[scrub]\nkeep = [\n  "action",\n  "/action",\n]\n'},
        "purge/Clicks.toml:4: `scrub.keep` names '/action', which `scrub.keep` names too; keep one",
    ),
    "a field beside what holds it": (
        {"purge/Clicks.toml": '[scrub]\nkeep = ["page"]\ndrop = ["/page/id"]\n'},
        "purge/Clicks.toml:3: `scrub.drop` names '/page/id' beside 'page' of `scrub.keep`, and "
        "one holds the other; keep one",
    ),
    "a field that is dropped and unknown": (
        {"purge/Clicks.toml": '[scrub]\nkeep = ["action"]\ndrop = ["actoin"]\n'},
        "purge/Clicks.toml:3: `scrub.drop` names 'actoin', which no version of Clicks declares; "
        "did you mean 'action'?",
    ),
    "quantiles of a text": (
        {"purge/Clicks.toml": '[[aggregate]]\nname = "a"\nper = "day"\nquantiles = ["action"]\n'},
        "purge/Clicks.toml:4: `aggregate[0].quantiles` names 'action', which is not a number; "
        "leave it out",
    ),
    "part of the envelope that is not kept": (
        {"purge/Clicks.toml": '[scrub]\ncapsule = ["id"]\n'},
        'purge/Clicks.toml:2: `scrub.capsule[0]` is "id"; it should be "host", "wiki"',
    ),
    "nothing to strip to": (
        {"purge/Clicks.toml": "[scrub]\n"},
        "purge/Clicks.toml:1: `scrub` is empty; it should be a table with keep, hash or bucket",
    ),
    "stripped events that go before whole ones": (
        {"purge/Clicks.toml": 'keep_days = 60\n[scrub]\nkeep = ["action"]\nkeep_days = 60\n'},
        "purge/Clicks.toml:4: `scrub.keep_days` is 60; more than keep_days, which is 60, is right",
    ),
    "unsealed events beyond the cap": (
        {"purge/default.toml": "cap_days = 100\n",
         "purge/Clicks.toml": "unsealed_keep_days = 101\n"},
        "purge/Clicks.toml:1: `unsealed_keep_days` is 101; at most cap_days, which is 100, is",
    ),
    "unsealed events beyond the cap for all": (
        {"purge/default.toml": "cap_days = 100\nunsealed_keep_days = 101\n"},
        "purge/default.toml:2: `unsealed_keep_days` is 101; at most cap_days, which is 100, is",
    ),
    "a cell that stands for nobody": (
        {"purge/default.toml": "min_cell = 0\n"},
        "purge/default.toml:1: `min_cell` is 0; it should be a whole number, at least 1",
    ),
    "not text": (
        {"reviewers/request.md": b"one\ntwo\n\xff\n"},
        "reviewers/request.md:3: is not UTF-8",
    ),
    "too large": (
        {"reviewers/request.md": "x" * (MAX_BYTES + 1)},
        "reviewers/request.md:1: is larger than 1048576 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "line"), ALONE.values(), ids=ALONE.keys())
def test_a_mistake_is_told_once_with_its_line(
    tmp_path: Path, files: dict[str, Any], line: str
) -> None:
    told = problems(tmp_path, one_schema(files))
    assert len(told) == 1, told
    assert told[0].startswith(line)


def test_all_mistakes_are_told_at_once_and_nothing_changes(tmp_path: Path) -> None:
    told = problems(tmp_path, one_schema({
        SCHEMA: 'title = ""\nowner = "a"\n[privacy]\nnobody = "hmac"\nuserId = "drop"\n',
        "schemas/Clicks/2.json": {},
        "schemas/Clicks/examples/bad.pass.json": {"action": 1},
        "schemas/Broken/schema.toml": "title",
        "schemas/Broken/1.0.0.json": "{",
        "reviewers/roster.toml": "reviewers = 3\n",
        "alerts/default.toml": "[lagg]\n",
        "alerts/Broken.toml": "recipients = []\n",
        "purge/Missing.toml": "keep_days = 1000\n",
        "purge/Clicks.toml": '[scrub]\nkeep = ["userId", "other"]\n',
    }))  # fmt: skip
    assert [line.split(": ", 1)[0] for line in told] == [
        "alerts/default.toml:1",
        "purge/Clicks.toml:2",
        "purge/Clicks.toml:2",
        "purge/Missing.toml:1",
        "purge/Missing.toml:1",
        "reviewers/roster.toml:1",
        "schemas/Broken/1.0.0.json:1",
        "schemas/Broken/schema.toml:1",
        "schemas/Clicks/2.json:1",
        "schemas/Clicks/examples/bad.pass.json:2",
        f"{SCHEMA}:1",
        f"{SCHEMA}:1",
        f"{SCHEMA}:1",
        f"{SCHEMA}:2",
        f"{SCHEMA}:4",
    ]
    assert not any("Broken'" in line for line in told)  # a broken schema is still a known one


PAGE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"id": {"description": "Its number.", "type": "integer"}},
}


def _with_page(reference: str, privacy: str) -> dict[str, Any]:
    properties = {**DOCUMENT["properties"], "page": {"$ref": reference}}
    return one_schema({
        SCHEMA: SETTINGS + f'[privacy]\n"{privacy}" = "hmac"\n',
        V1: {**DOCUMENT, "properties": properties},
        "schemas/common/page/schema.toml": SETTINGS,
        "schemas/common/page/1.0.0.json": PAGE,
        "schemas/Clicks/examples/page.pass.json": {"action": "open", "page": {"id": 3}},
        "schemas/Clicks/examples/text.fail.json": {"action": "open", "page": {"id": "3"}},
    })  # fmt: skip


def test_a_schema_may_use_another_one_of_the_folder(tmp_path: Path) -> None:
    governance = read_governance(folder(tmp_path, _with_page("/common/page/1.0.0", "/page/id")))
    assert governance.schemas["Clicks"].versions["1.0.0"]["properties"]["page"] == {
        "$ref": "/common/page/1.0.0"
    }


def test_fields_of_a_used_schema_are_known(tmp_path: Path) -> None:
    told = problems(tmp_path, _with_page("/common/page/1.0.0", "/page/name"))
    assert len(told) == 1
    assert told[0].startswith(f"{SCHEMA}:5: privacy names '/page/name', which no version")


def test_a_schema_that_is_used_must_be_there(tmp_path: Path) -> None:
    told = problems(tmp_path, _with_page("/common/page/2.0.0", "/page/id"))
    assert len(told) == 1
    assert "/properties/page/$ref: no schema 'common/page' of version 2.0.0" in told[0]


def test_every_problem_of_a_pass_example_is_told(tmp_path: Path) -> None:
    payload = '{\n "duration": -1,\n "page": {\n  "id": "x"\n }\n}'
    told = problems(tmp_path, one_schema({"schemas/Clicks/examples/x.pass.json": payload}))
    assert sorted(line.split(":")[1] for line in told) == ["1", "2", "4"]


def test_missing_folders_are_empty_ones(tmp_path: Path) -> None:
    governance = read_governance(tmp_path)
    assert (governance.schemas, governance.documents) == ({}, {})


def test_a_root_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(GovernanceError, match="is not a folder"):
        read_governance(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, {"purge": "x"})[0].startswith("purge:1: is not a folder")


def test_names_that_begin_with_a_dot_are_passed_over(tmp_path: Path) -> None:
    folder(tmp_path, one_schema({"schemas/.DS_Store": b"\xff", "purge/.git/x": "y"}))
    assert list(read_governance(tmp_path).schemas) == ["Clicks"]


def test_links_that_lead_outside_are_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    folder(outside, {"request.md": "secret", "Clicks/schema.toml": SETTINGS})
    folder(root, {"reviewers/checklist.md": "x", "schemas/README.md": "x"})
    (root / "reviewers/request.md").symlink_to(outside / "request.md")
    (root / "schemas/Clicks").symlink_to(outside / "Clicks")
    (root / "purge").symlink_to(outside)
    (root / "reviewers/roster.toml").symlink_to(root / "reviewers/roster.toml")
    assert [line.split(": ")[0] for line in problems(root, {})] == [
        "purge:1",
        "reviewers/request.md:1",
        "reviewers/roster.toml:1",
        "schemas/Clicks:1",
    ]


def test_links_inside_are_followed_and_loops_end(tmp_path: Path) -> None:
    root = folder(tmp_path, one_schema({"reviewers/.texts/request.md": "Ask.\n"}))
    (root / "reviewers/request.md").symlink_to(".texts/request.md")
    assert read_governance(root).documents["reviewers", "request.md"] == "Ask.\n"
    (root / "schemas/Clicks/again").symlink_to("..")
    assert any("nested deeper" in line for line in problems(root, {}))


def test_what_cannot_be_read_as_a_file_is_a_problem(tmp_path: Path) -> None:
    folder(tmp_path, one_schema())
    os.mkfifo(tmp_path / "schemas/Clicks/1.1.0.json")
    told = problems_of(tmp_path)
    assert told == [
        "schemas/Clicks/1.1.0.json:1: is neither a file nor a folder; remove it",
    ]


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "purge").mkdir()
    found = read_text(tmp_path, "purge")
    assert str(found) == "purge:1: cannot be read: Is a directory"


def problems_of(root: Path) -> list[str]:
    """Return the problems of a folder as it is."""
    with pytest.raises(GovernanceError) as raised:
        read_governance(root)
    return raised.value.problems


def test_the_rules_of_alerts_are_checked_to_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "alerts"
    folder.mkdir()
    (folder / "default.toml").write_text(
        'webhooks = ["ftp://x"]\n'
        "[disk]\nbelow_gigabytes = 5\nrearm_above_gigabytes = 4\n"
        "[rhythm]\nweeks = 2\nat_least_events = 50\n"
        "[jobs]\n"
    )
    with pytest.raises(GovernanceError) as raised:
        read_governance(tmp_path)
    found = "\n".join(raised.value.problems)
    assert "alerts/default.toml:1:" in found and "an address such as https://" in found
    assert "`disk.rearm_above_gigabytes` is 4; at least `below_gigabytes`, which is 5" in found
    assert "`rhythm.weeks` is 2; it should be a whole number of weeks from 3 to 8" in found
    assert "`jobs.late_minutes` is missing" in found
