"""Settings that people state, and what is wrong with them."""

import pytest

from eventlogging.registry.proposal import Proposal, examples_of, proposal_of
from eventlogging.registry.settings import Settings, merged

BLANK = Settings("Edits")


def test_what_is_not_stated_stays() -> None:
    held = Settings("Edits", "d", ("a@b.org",), "token", ("https://b.org",), 0.5, "session")
    assert merged({}, held) == (held, [])
    changed, problems = merged({"sampling": {"rate": 1}}, held)
    assert not problems
    assert (changed.sampling_rate, changed.sampling_unit) == (1.0, "session")


def test_fields_and_pointers_mean_the_same_in_privacy() -> None:
    stated = {"privacy": {"userId": "hmac", "/a/b": "drop", "odd/name": "drop"}}
    settings, problems = merged(stated, BLANK)
    assert not problems
    assert settings.privacy == {"/userId": "hmac", "/a/b": "drop", "/odd~1name": "drop"}


def test_every_problem_is_named_at_once() -> None:
    stated = {
        "title": "",
        "owners": ["nobody", "a@b.org"],
        "sampling": {"rate": 1.5, "unit": "week", "every": 2},
        "privacy": {"a": "hide"},
        "producers": "anyone",
        "origins": ["https://b.org/path"],
        "fill_defaults": "often",
        "readers": "everybody",
        "colour": "red",
    }
    settings, problems = merged(stated, BLANK)
    named = (
        "title", "nobody", "rate", "unit", "every", "hide", "anyone", "path", "often", "everybody",
        "colour",
    )  # fmt: skip
    for word in named:
        assert any(word in problem for problem in problems), word
    assert settings.title == "Edits"


@pytest.mark.parametrize(
    "stated",
    [
        {"title": 5}, {"title": "x" * 256}, {"description": []}, {"owners": []},
        {"owners": "a@b.org"}, {"owners": [None]}, {"owners": ["a@" + "b" * 200]},
        {"owners": [f"a{n}@b.org" for n in range(51)]},
        {"sampling": 1}, {"sampling": {"rate": True}}, {"sampling": {"rate": "1"}},
        {"sampling": {"rate": -0.1}}, {"sampling": {"rate": float("nan")}},
        {"sampling": {"rate": 1e-9}}, {"sampling": {"unit": []}},
        {"privacy": []}, {"privacy": {"a": None}},
        {"privacy": {"a": "hmac", "/a": "drop"}}, {"producers": None}, {"producers": []},
        {"origins": "https://b.org"}, {"origins": ["b.org"]}, {"origins": [1]},
        {"fill_defaults": None}, {"fill_defaults": True}, {"fill_defaults": ["always"]},
        {"readers": None}, {"readers": ["owners"]}, {"readers": "Owners"},
    ],
)  # fmt: skip
def test_a_setting_of_the_wrong_form_is_a_problem(stated: dict[str, object]) -> None:
    settings, problems = merged(stated, BLANK)
    assert problems
    assert settings == BLANK or "privacy" in stated


def test_owners_are_kept_once_in_their_order() -> None:
    settings, _ = merged({"owners": ["b@b.org", "a@b.org", "B@b.org"]}, BLANK)
    assert settings.owners == ("b@b.org", "a@b.org")


def test_a_proposal_comes_from_a_body_and_goes_back_into_it() -> None:
    body = {"schema": {"type": "object"}, "owners": ["a@b.org"], "sampling": {"rate": 0.5}}
    proposal, problems = proposal_of("Edit", body)
    assert problems == []
    assert proposal == Proposal(
        "Edit", {"type": "object"}, owners=["a@b.org"], sampling={"rate": 0.5}
    )
    assert proposal is not None
    assert proposal.as_dict() == body


def test_a_body_that_is_no_proposal_is_refused() -> None:
    assert proposal_of("Edit", [])[0] is None
    assert "'schema' is missing" in proposal_of("Edit", {})[1][0]
    proposal, problems = proposal_of("Edit", {"schema": {}, "owner": "a@b.org"})
    assert proposal is not None
    assert "'owner' is not a field" in problems[0]


def test_examples_are_taken_in_both_forms() -> None:
    grouped, problems = examples_of({"pass": [{"a": 1}], "fail": [{}, []]})
    assert problems == []
    assert grouped is not None
    assert [(e.name, e.passes) for e in grouped] == [
        ("1.pass.json", True),
        ("1.fail.json", False),
        ("2.fail.json", False),
    ]
    listed, problems = examples_of([{"name": "an edit", "passes": True, "payload": {"a": 1}}])
    assert problems == []
    assert listed is not None
    assert listed[0].name == "an edit.pass.json"
    assert examples_of(listed)[0] == listed
    assert examples_of(None) == (None, [])


@pytest.mark.parametrize(
    "stated",
    [
        "x", 5, {"passes": []}, {"pass": {}}, [1], [{"payload": 1}],
        [{"passes": 1, "payload": 1}], [{"name": "../x", "passes": True, "payload": 1}],
        [{"name": ".x", "passes": True, "payload": 1}],
        [{"name": "a", "passes": True, "payload": 1}] * 2,
    ],
)  # fmt: skip
def test_examples_of_the_wrong_form_are_problems(stated: object) -> None:
    assert examples_of(stated)[1]
