"""Who may do what: each cell of the table, as the docs give it to operators."""

import re
from pathlib import Path

import pytest

from eventlogging.people.permissions import PERMISSIONS, ROLES, may, roles_needed

ROOT = Path(__file__).parents[2]
TABLE = """
                 stranger viewer analyst owner reviewer admin
see_schemas      yes      yes    yes     yes   yes      yes
see_live         -        yes    yes     yes   yes      yes
see_reviews      -        yes    yes     yes   yes      yes
propose          -        yes    yes     yes   yes      yes
make_test_key    -        yes    yes     yes   yes      yes
see_people       -        yes    yes     yes   yes      yes
see_jobs         -        yes    yes     yes   yes      yes
read_events      -        -      yes     yes   -        yes
read_refused     -        -      yes     yes   yes      yes
edit_any_draft   -        -      -       yes   -        yes
change_settings  -        -      -       yes   -        yes
decide           -        -      -       -     yes      yes
ask_extension    -        -      -       yes   -        yes
hold             -        -      -       -     -        yes
see_audit        -        -      yes     -     yes      yes
erase_people     -        -      -       -     -        yes
see_outbox       -        -      -       -     -        yes
manage_people    -        -      -       -     -        yes
manage_tokens    -        -      -       -     -        yes
run_jobs         -        -      -       -     -        yes
"""
_NAMED = re.compile(
    r"(?:\b(?:allowed|require|refusal)\(|\bmay\((?:[^()]|\([^()]*\))*?,)\s*['\"]([a-z_]+)['\"]"
)


def cells(table: str) -> dict[tuple[str, str], bool]:
    head, *lines = table.strip().splitlines()
    return {
        (line.split()[0], role): word == "yes"
        for line in lines
        for role, word in zip(head.split(), line.split()[1:], strict=True)
    }


CELLS = cells(TABLE)


@pytest.mark.parametrize(("action", "role"), CELLS)
def test_a_role_may_do_what_the_table_says(action: str, role: str) -> None:
    assert may(frozenset({role}), action) == CELLS[action, role]
    assert (role in roles_needed(action)) == CELLS[action, role]


def test_every_role_and_every_action_stands_in_the_table() -> None:
    assert set(CELLS) == {(action, role) for action in PERMISSIONS for role in ROLES}


def test_several_roles_may_what_any_of_them_may() -> None:
    assert may(frozenset({"viewer", "reviewer"}), "decide")
    assert may(frozenset({"viewer", "owner"}), "read_events")
    assert not may(frozenset({"viewer", "owner"}), "decide")
    assert not may(frozenset(), "see_schemas")


def test_an_unknown_action_is_an_error_and_not_a_yes() -> None:
    with pytest.raises(KeyError):
        may(frozenset(ROLES), "fly")


def test_every_action_that_code_names_is_in_the_table() -> None:
    files = [*ROOT.glob("eventlogging/**/*.py"), *ROOT.glob("eventlogging/**/*.html")]
    named = {
        (found, str(path.relative_to(ROOT)))
        for path in files
        for found in _NAMED.findall(path.read_text("utf-8"))
    }
    assert len(named) > 10
    assert not [(action, path) for action, path in named if action not in PERMISSIONS]


def test_the_docs_show_the_same_table() -> None:
    page = (ROOT / "docs" / "operators.md").read_text("utf-8")
    lines = re.findall(r"^\| `([a-z_]+)` \|[^|]*\|((?: [✓–] \|){6})$", page, re.M)
    shown = {
        (action, role): mark == "✓"
        for action, marks in lines
        for role, mark in zip(ROLES, marks.replace(" ", "").strip("|").split("|"), strict=True)
    }
    assert shown == CELLS
