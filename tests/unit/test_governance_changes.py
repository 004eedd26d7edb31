"""Differences between two states of the governance folders are told in sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eventlogging.governance.compare import changes
from eventlogging.governance.model import Example, Governance
from eventlogging.governance.read import read_governance
from tests.unit.governance_folders import folder, one_schema


@pytest.fixture
def old(tmp_path: Path) -> Governance:
    files = {
        "purge/Clicks.toml": 'keep_days = 90\n[scrub]\nkeep = ["action"]\n'
        '[[aggregate]]\nname = "per_day"\nper = "day"\n',
        "reviewers/request.md": "Ask.\n",
        "reviewers/roster.toml": "reviewers = []\n",
    }
    return read_governance(folder(tmp_path, one_schema(files)))


def test_the_same_differs_in_nothing(old: Governance) -> None:
    assert changes(old, old) == []


def test_schemas_that_come_and_go_are_told(old: Governance) -> None:
    assert changes(Governance(documents=old.documents), old) == [
        "Clicks: schema added with 1.0.0",
    ]
    assert changes(old, Governance(documents=old.documents)) == ["Clicks: schema removed"]


def test_every_setting_of_a_schema_is_told(old: Governance) -> None:
    clicks = old.schemas["Clicks"]
    first = clicks.versions["1.0.0"]
    new = replace(
        clicks,
        title="Z",
        description="Y",
        owners=("b@example.org",),
        sampling_rate=0.1,
        sampling_unit="device",
        privacy={"/userId": "hmac", "/page/id": "drop"},
        producers="token",
        origins=("https://example.org",),
        fill_defaults="always",
        readers="owners",
        revisions={7: "1.0.0"},
        versions={"1.0.0": {**first, "title": "T"}, "1.10.0": first, "1.9.0": first},
        examples=(
            Example("usual.pass.json", True, {"action": "close"}),
            Example("more.fail.json", False, {}),
        ),
    )
    assert changes(old, replace(old, schemas={"Clicks": new})) == [
        'Clicks: title "A" → "Z"',
        "Clicks: description changed",
        'Clicks: owners: added "b@example.org"; removed "a@example.org"',
        'Clicks: producers "public" → "token"',
        'Clicks: origins: added "https://example.org"',
        'Clicks: fill_defaults "eventgate" → "always"',
        'Clicks: readers "analysts" → "owners"',
        "Clicks: sampling rate 1.0 → 0.1",
        'Clicks: sampling unit "pageview" → "device"',
        "Clicks: privacy of /page/id kept as sent → drop",
        "Clicks: privacy of userId kept as sent → hmac",
        "Clicks: version 1.0.0 has another content",
        "Clicks: version 1.9.0 added",
        "Clicks: version 1.10.0 added",
        "Clicks: revision 7 none → 1.0.0",
        "Clicks: example empty.fail.json removed",
        "Clicks: example more.fail.json added",
        "Clicks: example usual.pass.json changed",
    ]


def test_a_state_is_told_where_it_is_stated(old: Governance) -> None:
    def stated(state: str | None) -> Governance:
        return replace(old, schemas={"Clicks": replace(old.schemas["Clicks"], state=state)})

    assert changes(old, stated("retired")) == ['Clicks: state "published" → "retired"']
    assert changes(stated("retired"), stated("published")) == [
        'Clicks: state "retired" → "published"'
    ]
    assert changes(old, stated("published")) == []
    assert changes(stated("retired"), old) == []
    gone = Governance(documents=old.documents)
    assert changes(gone, stated("retired")) == ["Clicks: schema added with 1.0.0, retired"]


def test_rules_and_texts_are_told_by_key(old: Governance) -> None:
    rule = {
        "keep_days": 180,
        "scrub": {"keep": ["action", "duration"]},
        "aggregate": [{"name": "per_day", "per": "day", "fields": ["action"]}, {"name": "more"}],
        "extension": {"keep_days": 365},
    }
    roster = {"reviewers": [{"email": "a@example.org"}]}
    new = {
        ("purge", "Clicks.toml"): rule,
        ("reviewers", "roster.toml"): roster,
        ("reviewers", "request.md"): "Ask twice.\n",
        ("alerts", "default.toml"): {"recipients": []},
    }
    assert changes(old, replace(old, documents=new)) == [
        "alerts/default.toml: added",
        "purge/Clicks.toml: aggregate more added",
        "purge/Clicks.toml: aggregate per_day.fields added (a list of 1)",
        "purge/Clicks.toml: extension added",
        "purge/Clicks.toml: keep_days 90 → 180",
        'purge/Clicks.toml: scrub.keep: added "duration"',
        "reviewers/request.md: text changed",
        "reviewers/roster.toml: reviewers a@example.org added",
    ]
    assert "alerts/default.toml: removed" in changes(replace(old, documents=new), old)


def test_the_order_of_a_list_counts(old: Governance) -> None:
    def with_recipients(*recipients: str) -> Governance:
        return replace(
            old, documents={("alerts", "default.toml"): {"recipients": list(recipients)}}
        )

    before, after = with_recipients("a@b.org", "c@b.org"), with_recipients("c@b.org", "a@b.org")
    assert changes(before, after) == ["alerts/default.toml: recipients: order changed"]
