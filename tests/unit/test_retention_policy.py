"""Policies as values: what is due when, what an extension changes, what a hold stops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.clock import age, moved
from eventlogging.retention.policy import (
    FIRST_DAY,
    LAST_DAY,
    Extension,
    Policies,
    Policy,
    policy_of,
)
from eventlogging.retention.standing import goes_on

TODAY = "2026-11-22"


def ago(days: int) -> str:
    return moved(TODAY, -days)


def extended(keep_days: int, until: str = TODAY, first: str = ago(120), last: str = ago(60)) -> Any:
    return Extension(first, last, keep_days, until, "a study", "ann@example.org")


@pytest.mark.parametrize(("days", "due"), [(0, False), (90, False), (91, True), (400, True)])
def test_a_day_is_due_when_all_of_it_is_older_than_its_keep(days: int, due: bool) -> None:
    policy = Policy("Click", keep_days=90)
    assert policy.is_due(ago(days), TODAY) is due
    assert goes_on(policy, ago(days)) == moved(ago(days), 91)


def test_days_to_come_are_never_due() -> None:
    assert not Policy("Click", keep_days=1).is_due(moved(TODAY, 5), TODAY)


def test_an_extension_holds_for_its_days_alone() -> None:
    policy = Policy("Click", extensions=(extended(180),))
    kept = {days: policy.keep_of(ago(days), TODAY) for days in (59, 60, 120, 121)}
    assert kept == {59: 90, 60: 180, 120: 180, 121: 90}
    assert policy.is_due(ago(121), TODAY)
    assert not policy.is_due(ago(120), TODAY)


def test_an_extension_holds_to_its_end_and_not_a_day_longer() -> None:
    policy = Policy("Click", extensions=(extended(180, until=TODAY),))
    assert not policy.is_due(ago(100), TODAY)
    assert policy.is_due(ago(100), moved(TODAY, 1))


def test_of_several_extensions_the_longest_counts_and_none_shortens() -> None:
    policy = Policy("Click", extensions=(extended(180), extended(30), extended(120)))
    assert policy.keep_of(ago(70), TODAY) == 180
    assert Policy("Click", extensions=(extended(30),)).keep_of(ago(70), TODAY) == 90


def test_a_hold_keeps_everything() -> None:
    policy = Policy("Click", held=True)
    assert not policy.is_due(ago(5000), TODAY)
    firsts = {policy.invalid_first_kept(TODAY), policy.unsealed_first_kept(TODAY)}
    firsts |= {policy.scrubbed_first_kept(TODAY)}
    assert firsts == {FIRST_DAY}


def test_refused_events_have_keeps_of_their_own() -> None:
    policy = policy_of("Click", {}, {})
    assert policy.invalid_first_kept(TODAY) == ago(30)
    assert policy.unsealed_first_kept(TODAY) == ago(7)
    assert policy_of("Click", {"invalid_keep_days": 3}, {}).unsealed_first_kept(TODAY) == ago(3)


def test_stripped_events_stay_unless_a_rule_says_how_long() -> None:
    rule: dict[str, Any] = {"scrub": {"keep": ["action"]}}
    assert policy_of("Click", {}, {}).scrubbed_first_kept(TODAY) == LAST_DAY
    assert policy_of("Click", rule, {}).scrubbed_first_kept(TODAY) == FIRST_DAY
    rule["scrub"]["keep_days"] = 400
    assert policy_of("Click", rule, {}).scrubbed_first_kept(TODAY) == ago(400)


def test_nothing_is_kept_beyond_the_cap() -> None:
    default = {"keep_days": 90, "cap_days": 100}
    stated = {"keep_days": 500, "until": "9999-01-01", "reason": "", "asked_by": ""}
    rule = {"keep_days": 200, "invalid_keep_days": 200, "extension": stated}
    policy = policy_of("Click", rule, default, (extended(365),))
    assert (policy.keep_days, policy.invalid_keep_days) == (100, 100)
    assert {one.keep_days for one in policy.extensions} == {100}
    assert policy.keep_of(ago(70), TODAY) == 100


def test_a_schemas_own_rule_goes_over_the_default_and_the_default_over_ours() -> None:
    default = {"keep_days": 60, "invalid_keep_days": 20}
    assert policy_of("Click", {}, {}).keep_days == 90
    assert policy_of("Click", {}, default).keep_days == 60
    own = policy_of("Click", {"keep_days": 10}, default)
    assert (own.keep_days, own.invalid_keep_days) == (10, 20)


def test_a_schema_that_nobody_knows_has_the_default_and_never_for_ever() -> None:
    policies = Policies(policy_of("", {}, {"keep_days": 60}), {"Click": Policy("Click")})
    assert policies.of("Other").keep_days == 60
    assert policies.of("Click").keep_days == 90


def test_the_shortest_keep_is_that_of_anything_with_content() -> None:
    own = {"a": Policy("a", keep_days=50), "b": Policy("b", invalid_keep_days=12)}
    assert Policies(Policy(""), own).shortest == 12
    assert Policies(Policy(""), {}).shortest == 30


def test_the_version_of_a_policy_changes_with_all_that_matters() -> None:
    versions = [
        policy_of("Click", {}, {}),
        policy_of("Click", {"keep_days": 89}, {}),
        policy_of("Click", {}, {"keep_days": 89}),
        policy_of("Click", {}, {}, (extended(180),)),
        policy_of("Click", {}, {}, held=True),
    ]
    assert len({one.version for one in versions}) == len(versions)
    assert policy_of("Other", {}, {}).version == policy_of("Click", {}, {}).version


@settings(max_examples=100, deadline=None)
@given(
    keep=st.integers(1, 400),
    longer=st.integers(1, 800),
    first=st.integers(0, 900),
    length=st.integers(0, 200),
    until=st.integers(-50, 50),
    day=st.integers(0, 1000),
)
def test_what_is_due_stays_due_and_goes_on_the_day_that_was_named(
    keep: int, longer: int, first: int, length: int, until: int, day: int
) -> None:
    one = extended(longer, moved(TODAY, until), ago(first), moved(ago(first), length))
    policy = Policy("Click", keep_days=keep, extensions=(one,))
    on = goes_on(policy, ago(day))
    if policy.is_due(ago(day), TODAY):
        assert policy.is_due(ago(day), moved(TODAY, 1))
        assert age(ago(day), TODAY) > keep
        assert on <= TODAY
    else:
        assert on > TODAY
    assert policy.is_due(ago(day), on)
    assert not policy.is_due(ago(day), moved(on, -1))
