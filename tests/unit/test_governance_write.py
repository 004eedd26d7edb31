"""Governance is written back as it was read, and what a team wrote by hand survives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.errors import GovernanceError
from eventlogging.governance.model import (
    FOLDERS,
    Example,
    Governance,
    SchemaFolder,
    field_of,
    meaning,
    pointer_of,
)
from eventlogging.governance.read import read_governance
from eventlogging.governance.write import settings_table, write_governance
from tests.unit.governance_folders import SETTINGS, everything, folder, one_schema

ROOT = Path(__file__).parents[2]

FULL: dict[str, Any] = {
    "purge/default.toml": "# ours\nkeep_days = 90\n",
    "purge/Clicks.toml": 'keep_days = 30\n[extension]\nkeep_days = 60\nuntil = 2027-03-31\n'
    'reason = "R"\nasked_by = "a@example.org"\n',
    "alerts/emails/throughput.txt": "Hello {{ schema }}\r\nüñí\n",
    "reviewers/roster.toml": '[[reviewers]]\nname = "A"\nemail = "a@example.org"\nareas = ["*"]\n'
    "consented = 2026-11-22\n",
    "schemas/a/b-c.d/schema.toml": SETTINGS
    + 'revisions = { "12" = "1.0.0", "3" = "1.0.0" }\norigins = ["https://example.org"]\n'
    'fill_defaults = "always"\nreaders = "owners"\nstate = "deprecated"\n'
    '[privacy]\nuserId = "hmac"\n"/page/id" = "drop"\n[sampling]\nrate = 0\nunit = "device"\n',
    "schemas/a/b-c.d/1.0.0.json": one_schema()["schemas/Clicks/1.0.0.json"],
}  # fmt: skip


def test_what_is_written_reads_as_the_same(tmp_path: Path) -> None:
    governance = read_governance(folder(tmp_path / "a", one_schema(FULL)))
    changed = write_governance(tmp_path / "b", governance)
    assert sorted(str(path.relative_to(tmp_path / "b")) for path in changed) == sorted(
        everything(tmp_path / "b")
    )
    again = read_governance(tmp_path / "b")
    assert again == governance
    assert again.schemas["a/b-c.d"].privacy == {"/userId": "hmac", "/page/id": "drop"}
    assert again.schemas["a/b-c.d"].fill_defaults == "always"
    assert again.schemas["a/b-c.d"].readers == "owners"
    assert again.schemas["a/b-c.d"].state == "deprecated"
    assert again.schemas["Clicks"].state is None
    assert again.documents["purge", "Clicks.toml"]["extension"]["until"] == "2027-03-31"  # type: ignore[index]
    assert write_governance(tmp_path / "b", again) == []


def test_the_starter_set_survives_a_round_trip_untouched(tmp_path: Path) -> None:
    governance = read_governance(ROOT)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / "copy" / name)
    before = everything(tmp_path / "copy")
    assert write_governance(tmp_path / "copy", governance) == []
    assert everything(tmp_path / "copy") == before
    write_governance(tmp_path / "new", governance)
    assert read_governance(tmp_path / "new") == governance


def test_only_files_that_say_something_else_are_written(tmp_path: Path) -> None:
    more = {"purge/default.toml": "# ours\nkeep_days = 90\n", "purge/README.md": "kept"}
    root = folder(tmp_path, one_schema(more, settings="# ours too\n" + SETTINGS))
    before = everything(root)
    governance = read_governance(root)
    clicks = replace(governance.schemas["Clicks"], sampling_rate=0.5)
    changed = write_governance(root, replace(governance, schemas={"Clicks": clicks}))
    assert changed == [root / "schemas/Clicks/schema.toml"]
    after = everything(root)
    assert {path for path in after if after[path] != before.get(path)} == {
        "schemas/Clicks/schema.toml"
    }
    assert read_governance(root).schemas["Clicks"].sampling_rate == 0.5


def test_which_events_get_defaults_is_written_where_it_is_not_the_usual(tmp_path: Path) -> None:
    stated = SETTINGS + 'fill_defaults = "eventgate"\n'
    governance = read_governance(folder(tmp_path, one_schema(settings=stated)))
    assert governance.schemas["Clicks"].fill_defaults == "eventgate"
    assert write_governance(tmp_path, governance) == []
    assert "fill_defaults" not in settings_table(governance.schemas["Clicks"])
    never = replace(governance.schemas["Clicks"], fill_defaults="never")
    (path,) = write_governance(tmp_path, replace(governance, schemas={"Clicks": never}))
    assert 'fill_defaults = "never"' in path.read_text()
    assert read_governance(tmp_path).schemas["Clicks"] == never


def test_who_reads_events_is_written_where_it_is_not_the_usual(tmp_path: Path) -> None:
    stated = SETTINGS + 'readers = "analysts"\n'
    governance = read_governance(folder(tmp_path, one_schema(settings=stated)))
    assert write_governance(tmp_path, governance) == []
    assert "readers" not in settings_table(governance.schemas["Clicks"])
    narrow = replace(governance.schemas["Clicks"], readers="owners")
    (path,) = write_governance(tmp_path, replace(governance, schemas={"Clicks": narrow}))
    assert 'readers = "owners"' in path.read_text()
    assert read_governance(tmp_path).schemas["Clicks"] == narrow


def test_a_state_is_written_where_there_is_one(tmp_path: Path) -> None:
    governance = read_governance(folder(tmp_path, one_schema()))
    clicks = governance.schemas["Clicks"]
    assert "state" not in settings_table(clicks)
    retired = replace(clicks, state="retired")
    (path,) = write_governance(tmp_path, replace(governance, schemas={"Clicks": retired}))
    assert 'state = "retired"' in path.read_text()
    assert read_governance(tmp_path).schemas["Clicks"] == retired


@pytest.mark.parametrize("stated", ["published", "retired", "retierd"])
def test_a_file_that_states_a_state_goes_on_to_state_it(tmp_path: Path, stated: str) -> None:
    governance = read_governance(folder(tmp_path, one_schema()))
    path = tmp_path / "schemas/Clicks/schema.toml"
    path.write_text(f'# ours\n{SETTINGS}state = "{stated}"\n')
    assert write_governance(tmp_path, governance) == ([] if stated == "published" else [path])
    assert read_governance(tmp_path).schemas["Clicks"].state == "published"
    other = replace(governance.schemas["Clicks"], title="Z")
    assert write_governance(tmp_path, replace(governance, schemas={"Clicks": other})) == [path]
    assert read_governance(tmp_path).schemas["Clicks"] == replace(other, state="published")


def test_nothing_is_removed(tmp_path: Path) -> None:
    root = folder(tmp_path, one_schema({"purge/Clicks.toml": "keep_days = 3\n"}))
    before = everything(root)
    assert write_governance(root, Governance()) == []
    assert everything(root) == before


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    governance = read_governance(folder(tmp_path, one_schema()))
    (tmp_path / "schemas/Clicks/schema.toml").write_text("title = ")
    (tmp_path / "schemas/Clicks/1.0.0.json").write_text('{"type": "object", "type": "object"}')
    assert len(write_governance(tmp_path, governance)) == 2
    assert read_governance(tmp_path) == governance


def test_types_of_values_count_as_meaning(tmp_path: Path) -> None:
    governance = read_governance(
        folder(tmp_path, one_schema({"schemas/Clicks/examples/x.fail.json": {"duration": 1}}))
    )
    clicks = governance.schemas["Clicks"]
    for payload in ({"duration": 1.0}, {"duration": True}):
        examples = (Example("x.fail.json", False, payload),)
        other = replace(governance, schemas={"Clicks": replace(clicks, examples=examples)})
        assert len(write_governance(tmp_path, other)) == 1
        assert write_governance(tmp_path, other) == []


@pytest.mark.parametrize(
    "governance",
    [
        Governance(schemas={"../up": SchemaFolder("../up", "T", "D", ("a@example.org",))}),
        Governance(schemas={"a/examples": SchemaFolder("a/examples", "T", "D", ("a@b.org",))}),
        Governance(
            schemas={"A": SchemaFolder("A", "T", "D", ("a@b.org",), versions={"../1.0.0": {}})}
        ),
        Governance(
            schemas={
                "A": SchemaFolder(
                    "A", "T", "D", ("a@b.org",), examples=(Example("../x.pass.json", True, 1),)
                )
            }
        ),
        Governance(documents={("purge", "../../x.toml"): {}}),
        Governance(documents={("purge", "/x.toml"): {}}),
        Governance(documents={("schemas", "x.toml"): {}}),
        Governance(documents={("elsewhere", "x.toml"): {}}),
        Governance(documents={("reviewers", "x.sh"): "rm"}),
    ],
)
def test_names_that_lead_elsewhere_write_nothing(tmp_path: Path, governance: Governance) -> None:
    root = tmp_path / "root"
    good = {"Good": SchemaFolder("Good", "T", "D", ("a@example.org",))}
    bad = Governance({**good, **governance.schemas}, governance.documents)
    with pytest.raises(GovernanceError):
        write_governance(root, bad)
    assert everything(tmp_path) == {}


def test_links_that_lead_outside_are_not_written_through(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "purge").symlink_to(outside)
    with pytest.raises(GovernanceError, match=r"purge/default\.toml:1: lies behind a link"):
        write_governance(root, Governance(documents={("purge", "default.toml"): {"cap_days": 9}}))
    assert everything(outside) == {}


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "purge").write_text("in the way")
    with pytest.raises(GovernanceError, match=r"purge/default\.toml:1: cannot be written"):
        write_governance(tmp_path, Governance(documents={("purge", "default.toml"): {}}))


@given(st.text(min_size=1, alphabet="ab/~*01 ."))
@settings(max_examples=200, deadline=None)
def test_a_field_and_its_pointer_give_each_other_back(name: str) -> None:
    pointer = pointer_of(name)
    assert pointer.startswith("/")
    assert pointer_of(field_of(pointer)) == pointer


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
@settings(max_examples=50, deadline=None)
def test_order_of_keys_is_no_meaning(value: Any) -> None:
    assert meaning({"a": value, "b": 1}) == meaning({"b": 1, "a": value})
