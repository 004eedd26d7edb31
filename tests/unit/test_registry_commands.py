"""The commands apply, export, diff, check, init and token, as a person runs them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventlogging.cli.governance import apply, check, diff, export, init, starter_folder
from eventlogging.cli.tokens import token
from eventlogging.governance.model import Governance, SchemaFolder
from eventlogging.governance.write import write_governance
from eventlogging.registry.proposal import Proposal
from eventlogging.registry.publish import publish
from eventlogging.registry.snapshot import read_snapshot
from eventlogging.review.lifecycle import retire, revive
from eventlogging.store.database import Database

ONE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"action": {"type": "string"}},
}


class Shell:
    """Runs commands with settings of their own."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "governance"
        self.url = f"sqlite:///{tmp_path / 'ev.db'}"
        self.environment = {
            "EVENTLOGGING_DATABASE_URL": self.url,
            "EVENTLOGGING_GOVERNANCE": str(self.root),
            "EVENTLOGGING_CONFIG": None,
        }

    def run(self, command: object, *words: str) -> Result:
        return CliRunner().invoke(command, words, env=self.environment)  # type: ignore[arg-type]

    def write(self, *folders: SchemaFolder) -> None:
        write_governance(self.root, Governance({folder.name: folder for folder in folders}))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


def folder(name: str = "Edit", versions: Any = None, state: str | None = None) -> SchemaFolder:
    return SchemaFolder(
        name, "Edits", "What happens in the editor", ("owner@example.org",),
        versions=versions or {"1.0.0": ONE}, state=state,
    )  # fmt: skip


def test_the_starter_set_is_written_checked_and_applied(shell: Shell) -> None:
    assert shell.run(init, str(shell.root)).exit_code == 0
    checked = shell.run(check, "--json")
    assert checked.exit_code == 0, checked.output
    counts = json.loads(checked.stdout)
    assert counts["schemas"] == len(list((starter_folder() / "schemas").glob("*/schema.toml")))
    assert counts["examples"] > 0
    assert shell.run(apply, "--check").exit_code == 1
    done = shell.run(apply)
    assert done.exit_code == 0, done.output
    again = shell.run(apply)
    assert again.exit_code == 0
    assert "Nothing to change" in again.output
    assert shell.run(apply, "--check").exit_code == 0
    assert "No difference" in shell.run(diff).output


def test_init_overwrites_nothing(shell: Shell) -> None:
    shell.write(folder())
    refused = shell.run(init, str(shell.root))
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert not (shell.root / "purge").exists()


def test_apply_check_writes_nothing_not_even_tables(shell: Shell, tmp_path: Path) -> None:
    shell.write(folder())
    looked = shell.run(apply, "--check")
    assert looked.exit_code == 1
    assert "1 change would be made" in looked.output
    database = Database(shell.url)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM sqlite_master").scalar() == 0
    database.close()


def test_a_broken_folder_is_told_line_by_line(shell: Shell) -> None:
    shell.write(folder())
    (shell.root / "schemas/Edit/schema.toml").write_text('title = "x"\nowner = "me"\n')
    for command, words in ((apply, ()), (apply, ("--check",)), (check, ()), (diff, ())):
        refused = shell.run(command, *words)
        assert refused.exit_code == 1
        lines = refused.stderr.splitlines()
        assert lines
        assert all("schemas/Edit/schema.toml:" in line for line in lines)
    assert json.loads(shell.run(check, "--json").stdout)["problems"]


def test_check_refuses_a_version_that_is_too_small(shell: Shell) -> None:
    breaking = {**ONE, "properties": {"action": {"type": "integer"}}}
    shell.write(folder(versions={"1.0.0": ONE, "1.1.0": breaking}))
    refused = shell.run(check)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("schemas/Edit/1.1.0.json:1: ")


def test_a_folder_without_governance_is_an_error_and_a_wrong_option_is_wrong_use(
    shell: Shell,
) -> None:
    shell.root.mkdir()
    assert "EVENTLOGGING_GOVERNANCE" in shell.run(apply).stderr
    assert shell.run(apply).exit_code == 1
    assert shell.run(apply, "--hcekc").exit_code == 2
    assert shell.run(export).exit_code == 2


def test_diff_tells_both_ways_and_export_brings_the_folders_up_to_date(shell: Shell) -> None:
    shell.write(folder())
    assert shell.run(apply).exit_code == 0
    database = Database(shell.url)
    two = {**ONE, "properties": {**ONE["properties"], "page": {"type": "string"}}}  # type: ignore[dict-item]
    publish(database, Proposal("Edit", two), "pm")
    shell.write(folder(), folder("Other"))
    found = json.loads(shell.run(diff, "--json").stdout)
    assert found["in_folders"] == ["Other: schema added with 1.0.0"]
    assert found["only_in_database"] == ["Edit: version 1.1.0 only in the database"]
    written = shell.run(export, str(shell.root), "--json")
    assert json.loads(written.stdout)["written"] == [str(shell.root / "schemas/Edit/1.1.0.json")]
    assert shell.run(apply).exit_code == 0
    assert "No difference" in shell.run(diff).output
    database.close()


def test_the_end_of_a_schema_is_told_both_ways_and_survives_export(shell: Shell) -> None:
    words = {"who": "owner@example.org", "reason": "It has an end.", "base_url": ""}
    shell.write(folder())
    assert shell.run(apply).exit_code == 0
    database = Database(shell.url)
    assert retire(database, "Edit", **words).done
    found = json.loads(shell.run(diff, "--json").stdout)
    assert (found["in_folders"], found["only_in_database"]) == (
        [], ["Edit: state retired only in the database"],
    )  # fmt: skip
    checked = shell.run(apply, "--check")
    assert checked.exit_code == 0
    assert "Edit: state retired only in the database" in checked.output
    path = shell.root / "schemas/Edit/schema.toml"
    written = json.loads(shell.run(export, str(shell.root), "--json").stdout)["written"]
    assert written == [str(path)]
    assert 'state = "retired"' in path.read_text()
    assert "No difference" in shell.run(diff).output

    assert revive(database, "Edit", **words).done
    assert 'Edit: state "published" → "retired"' in shell.run(diff).output
    checked = shell.run(apply, "--check")
    assert checked.exit_code == 1
    assert "Edit: state published → retired" in checked.output
    assert read_snapshot(database).schemas["Edit"].state == "published"
    assert shell.run(export, str(shell.root)).exit_code == 0
    assert 'state = "published"' in path.read_text()
    assert "No difference" in shell.run(diff).output
    assert json.loads(shell.run(export, str(shell.root), "--json").stdout)["written"] == []
    database.close()


def test_a_state_that_there_is_not_is_refused_with_its_line(shell: Shell) -> None:
    shell.write(folder(state="gone"))
    for command, words in ((apply, ()), (apply, ("--check",)), (check, ()), (diff, ())):
        refused = shell.run(command, *words)
        assert refused.exit_code == 1
        (line,) = refused.stderr.splitlines()
        assert line.startswith("schemas/Edit/schema.toml:")
        assert '`state` is "gone"; it should be "published", "deprecated" or "retired"' in line


def test_a_database_that_is_not_there_is_one_line(shell: Shell) -> None:
    shell.write(folder())
    shell.environment["EVENTLOGGING_DATABASE_URL"] = "mysql+pymysql://x:y@127.0.0.1:1/none"
    for command, words in ((apply, ()), (diff, ()), (export, ("out",)), (token, ("list",))):
        refused = shell.run(command, *words)
        assert refused.exit_code == 1
        assert len(refused.stderr.splitlines()) == 1
        assert "does not answer" in refused.stderr


def test_tokens_are_made_listed_and_revoked(shell: Shell) -> None:
    made = shell.run(token, "create", "ci", "--scope", "propose", "--days", "90")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    database = Database(shell.url)
    assert list(read_snapshot(database).tokens.values()) == [frozenset({"propose"})]
    listed = shell.run(token, "list")
    assert "ci" in listed.stdout
    assert secret not in listed.stdout
    assert shell.run(token, "create", "ci", "--scope", "read").exit_code == 1
    assert shell.run(token, "create", "x", "--scope", "everything").exit_code == 2
    assert shell.run(token, "revoke", "ci").exit_code == 0
    assert shell.run(token, "revoke", "ci").exit_code == 1
    assert not json.loads(shell.run(token, "list", "--json").stdout)["tokens"][0]["live"]
    assert read_snapshot(database).tokens == {}
    database.close()
