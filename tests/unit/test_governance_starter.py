"""The starter set: readable, complete, and saying what its sources say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from eventlogging.governance import emails, metaschema
from eventlogging.governance.model import FOLDERS, Governance
from eventlogging.governance.read import read_governance

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def starter() -> Governance:
    return read_governance(ROOT)


def test_the_starter_set_reads_without_problem_or_warning(starter: Governance) -> None:
    assert sorted(starter.schemas) == [
        "AccountActivity",
        "DialogInteraction",
        "NavigationTiming",
        "RecipeUptake",
        "ServerSideAccountCreation",
        "StudyEnrollment",
    ]
    assert starter.warnings == ()


def test_every_schema_has_examples_that_pass_and_fail(starter: Governance) -> None:
    for folder in starter.schemas.values():
        kinds = [example.passes for example in folder.examples]
        assert kinds.count(True) >= 2 and kinds.count(False) >= 2, folder.name


def test_every_field_is_described_and_bounded(starter: Governance) -> None:
    for name, folder in starter.schemas.items():
        for document in folder.versions.values():
            for field, schema in _fields(document):
                assert schema.get("description"), f"{name} {field}"
                types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
                if "string" in types:
                    assert {"enum", "maxLength"} & set(schema), f"{name} {field}"
                if {"integer", "number"} & set(types):
                    assert "maximum" in schema, f"{name} {field}"
                if "object" in types:
                    assert schema["additionalProperties"] is False, f"{name} {field}"


def _fields(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, below in schema.get("properties", {}).items():
        yield f"{at}/{name}", below
        yield from _fields(below, f"{at}/{name}")


def test_account_activity_knows_exactly_the_event_types_of_the_accounts_team(
    starter: Governance,
) -> None:
    folder = starter.schemas["AccountActivity"]
    assert folder.versions["1.0.0"]["properties"]["type"]["enum"] == [
        "sequence.begin",
        "account.created",
        "account.login",
        "account.verified",
        "account.reset",
        "account.deleted",
        "account.signed",
        "device.created",
        "device.connected",
        "device.disconnected",
        "device.deleted",
    ]
    assert folder.privacy == {"/uid": "hmac", "/deviceId": "hmac"}
    assert folder.producers == "token"


def test_page_speed_is_kept_without_pages_and_users(starter: Governance) -> None:
    rule = starter.documents["purge", "NavigationTiming.toml"]
    assert isinstance(rule, dict)
    assert rule["keep_days"] == 90
    kept = set(rule["scrub"]["keep"])
    declared = set(starter.schemas["NavigationTiming"].versions["1.0.0"]["properties"])
    assert declared - kept == {"pageId", "revId", "userId", "originCountry"}


def test_events_go_after_90_days_unless_somebody_decides_otherwise(starter: Governance) -> None:
    rule = starter.documents["purge", "default.toml"]
    assert isinstance(rule, dict)
    assert (rule["keep_days"], rule["invalid_keep_days"]) == (90, 30)


def test_nobody_reviews_unasked(starter: Governance) -> None:
    assert starter.documents["reviewers", "roster.toml"] == {"reviewers": []}


def test_every_key_of_every_rule_stands_in_its_readme() -> None:
    kinds = {
        "schemas": ["schema"],
        "reviewers": ["roster"],
        "alerts": ["alerts_default", "alerts_rule"],
        "purge": ["purge_default", "purge_rule"],
    }
    assert set(kinds) == set(FOLDERS)
    for folder, names in kinds.items():
        readme = (ROOT / folder / "README.md").read_text("utf-8")
        for name in names:
            for key in _keys(metaschema.load(name)):
                assert f"`{key}`" in readme or f".{key}`" in readme or f"[{key}]" in readme, key


def _keys(schema: dict[str, Any]) -> Iterator[str]:
    for key, below in schema.get("properties", {}).items():
        yield key
        yield from _keys(below)
        yield from _keys(below.get("items", {}))


def test_the_readme_lists_exactly_the_names_that_mails_may_use() -> None:
    readme = (ROOT / "alerts/README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+?) \|", readme.split("may use:")[1], re.MULTILINE)
    listed = {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert emails.NAMES["default"] < emails.NAMES["throughput"]
    assert listed == emails.NAMES["throughput"]


ALERT: dict[str, Any] = {
    "schema": "NavigationTiming",
    "rate": 214.25,
    "usual_rate": 35.0,
    "above_per_second": 200,
    "rearm_below_per_second": 160,
    "window_minutes": 5,
    "since": "2026-11-22 14:05 UTC",
    "contributors": [
        {
            "schema": "Nav<i>",
            "rate": 200.0,
            "percent": 93.3,
            "owners": ["performance@example.org"],
            "before": 30.0,
        }
    ],
    "parts": [{"what": "client", "name": "a<i>b", "percent": 80.0, "percent_before": 3.0}],
    "rule": "throughput",
    "fact": "NavigationTiming: 214 events/s since 14:05 UTC",
    "lines": ["Events are still taken and stored."],
    "value": 214.25,
    "failing": None,
    "why": "You get this because you own NavigationTiming.",
    "unsubscribe": None,
    "chart": "cid:chart",
    "actions": [{"label": "See the ledger", "url": "http://127.0.0.1:8080/alerts?a=1&b=2"}],
}
BARE = {"schema": None, "usual_rate": None, "contributors": [], "chart": None, "actions": [],
        "parts": []}  # fmt: skip


@pytest.mark.parametrize("more", [{}, BARE])
def test_alert_mails_can_be_written_with_everything_or_with_little(
    starter: Governance, more: dict[str, Any]
) -> None:
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    written = {}
    for ending in ("subject.txt", "txt", "html"):
        template = starter.documents["alerts", f"emails/throughput.{ending}"]
        assert isinstance(template, str)
        written[ending] = environment.from_string(template).render({**ALERT, **more})
    assert "\n" not in written["subject.txt"].strip()
    assert written["subject.txt"].startswith(more.get("schema", "Nav") or "All events together")
    assert "2026-11-22 14:05 UTC" in written["txt"] and "200 a second" in written["txt"]
    assert "<i>" not in written["html"]
    assert "http://" not in written["html"].replace("http://127.0.0.1:8080/alerts?a=1&amp;b=2", "")


def test_the_documents_of_the_starter_set_are_in_their_stable_form() -> None:
    for path in sorted((ROOT / "schemas").rglob("*.json")):
        text = path.read_text("utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", path
