"""The JSON API of the registry, as programs use it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.registry import audit, tokens
from eventlogging.registry.snapshot import RegistryCache
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger
from eventlogging.store.migrate import migrate

ADMIN = "let-me-in"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"action": {"type": "string", "maxLength": 40}},
    "additionalProperties": False,
}
WIDER = {**SCHEMA, "properties": {**SCHEMA["properties"], "page": {"type": "string"}}}  # type: ignore[dict-item]
BODY = {"schema": SCHEMA, "title": "Edits", "owners": ["owner@example.org"]}


@dataclass(frozen=True)
class Parts:
    config: Config
    database: Database
    registry: RegistryCache


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    database = Database(database_url)
    migrate(database)
    yield Parts(Config(admin_token=ADMIN), database, RegistryCache(database))
    database.close()


@pytest.fixture
def client(parts: Parts) -> FlaskClient:
    return create_app(parts).test_client()


def post(
    client: FlaskClient, path: str, body: Any = BODY, token: str | None = ADMIN,
    kind: str = "application/json",
) -> TestResponse:  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/v1/schemas/{path}", data=data, headers=headers, content_type=kind)


def test_a_schema_is_published_and_read_back(client: FlaskClient) -> None:
    made = post(client, "Edit?publish=true")
    assert made.status_code == 201
    assert made.headers["Location"] == "/v1/schemas/Edit/1.0.0"
    assert made.json is not None
    assert made.json["version"] == "1.0.0"
    assert made.json["table"]["name"] == "Edit_1"
    assert "CREATE TABLE" in made.json["table"]["ddl"]
    assert made.json["table"]["row_bytes"] <= made.json["table"]["row_budget"]
    assert made.json["table"]["columns"] == [
        {
            "pointer": "/action",
            "name": "event_action",
            "kind": "varchar",
            "type": "VARCHAR(40)",
        }
    ]
    for path in ("Edit/1.0.0", "Edit/latest"):
        read = client.get(f"/v1/schemas/{path}")
        assert read.status_code == 200
        assert read.json is not None
        assert read.json["schema"] == SCHEMA
        assert read.json["table"]["name"] == "Edit_1"
    listed = client.get("/v1/schemas").json
    assert listed is not None
    assert listed["schemas"][0] == {
        "name": "Edit",
        "title": "Edits",
        "latest": "1.0.0",
        "state": "published",
        "owners": ["owner@example.org"],
        "sampling": {"rate": 1.0, "unit": "pageview"},
        "producers": "public",
        "fill_defaults": "eventgate",
        "readers": "analysts",
        "tables": {"valid": {"1": "Edit_1"}, "invalid": "Edit_invalid", "view": "Edit"},
        "links": {
            "schema": "/v1/schemas/Edit",
            "version": "/v1/schemas/Edit/1.0.0",
            "latest": "/v1/schemas/Edit/latest",
        },
    }


def test_which_events_get_defaults_is_set_with_a_version_or_alone(client: FlaskClient) -> None:
    def in_force() -> Any:
        return (client.get("/v1/schemas/Edit").json or {}).get("fill_defaults")

    assert post(client, "Edit?publish=true", {**BODY, "fill_defaults": "always"}).status_code == 201
    assert in_force() == "always"
    assert post(client, "Edit?publish=true").status_code == 200
    assert in_force() == "always"
    assert post(client, "Edit?publish=true", {**BODY, "fill_defaults": "never"}).status_code == 200
    assert in_force() == "never"
    wrong = post(client, "Edit?publish=true", {**BODY, "fill_defaults": "yes"})
    assert wrong.status_code == 400
    assert wrong.json is not None
    assert wrong.json["problems"] == ["fill_defaults is one of eventgate, always, never, not 'yes'"]
    assert in_force() == "never"


def test_who_reads_events_is_set_with_a_version_and_stays(client: FlaskClient) -> None:
    assert post(client, "Edit?publish=true", {**BODY, "readers": "owners"}).status_code == 201
    assert post(client, "Edit?publish=true").status_code == 200
    assert (client.get("/v1/schemas/Edit").json or {})["readers"] == "owners"
    wrong = post(client, "Edit?publish=true", {**BODY, "readers": "all"})
    assert wrong.status_code == 400
    assert (wrong.json or {})["problems"] == ["readers is 'analysts' or 'owners', not 'all'"]


def test_a_name_may_be_a_path(client: FlaskClient) -> None:
    assert post(client, "analytics/legacy/edit?publish=true").status_code == 201
    details = client.get("/v1/schemas/analytics/legacy/edit").json
    assert details is not None
    assert details["versions"][0]["link"] == "/v1/schemas/analytics/legacy/edit/1.0.0"
    assert client.get(details["versions"][0]["link"]).status_code == 200
    assert client.get("/v1/schemas/analytics%2Flegacy%2Fedit/latest").status_code == 200


def test_publishing_again_is_200_and_a_changed_version_is_409(client: FlaskClient) -> None:
    post(client, "Edit?publish=true")
    again = post(client, "Edit?publish=true", dict(reversed(list(BODY.items()))))
    assert again.status_code == 200
    assert again.json is not None
    assert again.json["identical"]
    changed = post(client, "Edit?publish=true", {**BODY, "schema": WIDER, "version": "1.0.0"})
    assert changed.status_code == 409
    assert changed.json is not None
    assert "never changes" in changed.json["problems"][0]
    assert changed.json["changes"][0]["pointer"] == "/page"


def test_a_version_too_small_is_409_unless_a_reason_is_stated(
    client: FlaskClient, parts: Parts
) -> None:
    post(client, "Edit?publish=true")
    smaller = {
        "schema": {**SCHEMA, "properties": {"action": {"type": "string", "maxLength": 9}}},
        "version": "1.0.1",
    }
    refused = post(client, "Edit?publish=true", smaller)
    assert refused.status_code == 409
    assert refused.json is not None
    assert (refused.json["computed_version"], refused.json["level"]) == ("2.0.0", "major")
    reason = {**smaller, "override": "no text was longer"}
    assert post(client, "Edit?publish=true", reason).status_code == 201
    with parts.database.read() as connection:
        assert audit.entries(connection)[0].detail["override"] == "no text was longer"


def test_a_proposal_shows_version_changes_and_table_and_publishes_nothing(
    client: FlaskClient, parts: Parts
) -> None:
    post(client, "Edit?publish=true")
    secret = tokens.create(parts.database, "ci", ["propose"], None, "ops")
    proposed = post(client, "Edit", {"schema": WIDER}, secret)
    assert proposed.status_code == 201
    assert proposed.json is not None
    assert proposed.json["state"] == "proposed"
    assert proposed.json["version"] == "1.1.0"
    assert [change["pointer"] for change in proposed.json["changes"]] == ["/page"]
    assert "event_page" in proposed.json["table"]["ddl"]
    assert "ADD COLUMN" in proposed.json["table"]["alter"]
    assert client.get("/v1/schemas/Edit/1.1.0").status_code == 404
    assert post(client, "Edit", {"schema": SCHEMA}, secret).status_code == 200


def test_every_problem_comes_in_one_answer(client: FlaskClient) -> None:
    wrong = {
        "schema": {"type": "object", "properties": {"a": {"type": "strong"}}},
        "owners": ["nobody"],
        "sampling": {"rate": 3},
        "colour": "red",
    }
    refused = post(client, "Edit?publish=true", wrong)
    assert refused.status_code == 400
    assert refused.json is not None
    for word in ("colour", "nobody", "rate", "/a"):
        assert any(word in problem for problem in refused.json["problems"]), word
    assert refused.json["warnings"] == []
    assert client.get("/v1/schemas/Edit").status_code == 404


def test_yaml_is_taken_and_its_bombs_are_not(client: FlaskClient) -> None:
    text = b"schema:\n  type: object\n  properties: {on: {enum: [yes, no]}}\nowners: [a@b.org]\n"
    made = post(client, "Edit?publish=true", text, kind="application/yaml")
    assert made.status_code == 201
    read = client.get("/v1/schemas/Edit/latest").json
    assert read is not None
    assert read["schema"]["properties"] == {"on": {"enum": ["yes", "no"]}}
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(8)
    )
    assert post(client, "Bomb", bomb, kind="application/yaml").status_code == 400


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"schema": 5}', "application/json", 400),
        (b'{"schema": {"type": "object"}, "title": "\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"schema":' + b" " * 300_000 + b"{}}", "application/json", 413),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"", "", 415),
    ],
    ids=range(10),
)
def test_a_bad_body_gets_its_own_status_as_json(
    client: FlaskClient, body: bytes, kind: str, status: int
) -> None:
    refused = post(client, "Edit?publish=true", body, kind=kind)
    assert refused.status_code == status
    assert refused.json is not None
    assert refused.json["problems"]


def test_a_compressed_body_is_refused(client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}", "Content-Encoding": "gzip"}
    refused = client.post("/v1/schemas/Edit", json=BODY, headers=headers)
    assert refused.status_code == 415


def test_who_may_do_what(client: FlaskClient, parts: Parts) -> None:
    for token in (None, "", "wrong"):
        refused = post(client, "Edit", token=token)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    proposer = tokens.create(parts.database, "proposer", ["propose"], None, "ops")
    reader = tokens.create(parts.database, "reader", ["read", "produce"], None, "ops")
    admin = tokens.create(parts.database, "admin", ["admin"], None, "ops")
    assert post(client, "Edit", token=reader).status_code == 403
    refused = post(client, "Edit?publish=true", token=proposer)
    assert refused.status_code == 403
    assert 'scope="admin"' in refused.headers["WWW-Authenticate"]
    assert post(client, "Edit", token=proposer).status_code == 201
    assert post(client, "Edit?publish=true", token=admin).status_code == 201
    tokens.revoke(parts.database, "admin", "ops")
    assert post(client, "Edit?publish=true", token=admin).status_code == 401
    with parts.database.read() as connection:
        entry = next(e for e in audit.entries(connection) if e.action == "publish")
    assert entry.who == "token admin"


def test_no_admin_token_in_the_settings_opens_nothing(parts: Parts) -> None:
    bare = Parts(Config(admin_token=""), parts.database, parts.registry)
    client = create_app(bare).test_client()
    assert post(client, "Edit", token="").status_code == 401
    assert post(client, "Edit", token="None").status_code == 401


def test_clients_get_versions_and_sampling_and_ask_cheaply_again(client: FlaskClient) -> None:
    post(client, "Edit?publish=true", {**BODY, "sampling": {"rate": 0.1, "unit": "session"}})
    first = client.get("/v1/config")
    assert first.json == {
        "schemas": {"Edit": {"version": "1.0.0", "sampling": {"rate": 0.1, "unit": "session"}}}
    }
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    again = client.get("/v1/config", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["Cache-Control"] == "public, max-age=60"
    post(client, "Edit?publish=true", {**BODY, "sampling": {"rate": 1}})
    changed = client.get("/v1/config", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_what_is_unknown_is_404_as_json(client: FlaskClient) -> None:
    post(client, "Edit?publish=true")
    for path in ("/v1/schemas/Nothing", "/v1/schemas/Edit/9.9.9", "/v1/nothing", "/x"):
        missing = client.get(path)
        assert missing.status_code == 404
        assert missing.json is not None
        assert missing.json["problems"]
    wrong = client.delete("/v1/schemas/Edit")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["Allow"]
    assert wrong.is_json
    assert post(client, "Edit?publish=perhaps").status_code == 400


def test_answers_carry_what_makes_browsers_careful(client: FlaskClient) -> None:
    for path in ("/v1/schemas", "/v1/config", "/v1/nothing"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_another_process_publishes_and_it_is_seen(client: FlaskClient, parts: Parts) -> None:
    assert client.get("/v1/schemas/Edit").status_code == 404
    other = create_app(Parts(parts.config, parts.database, RegistryCache(parts.database)))
    post(other.test_client(), "Edit?publish=true")
    assert client.get("/v1/schemas/Edit/1.0.0").status_code == 200


def add(parts: Parts, *rows: tuple[str, str, str, str, str, int]) -> None:
    with parts.database.write() as connection:
        for minute, schema, version, outcome, reason, count in rows:
            connection.execute(
                sa.insert(ledger).values(
                    minute=minute, schema=schema, version=version, outcome=outcome,
                    reason=reason, count=count, kept=count,
                )
            )  # fmt: skip


def test_the_ledger_is_summed_and_says_what_is_unexplained(
    client: FlaskClient, parts: Parts
) -> None:
    add(
        parts,
        ("2026-11-22 03:04", "Edit", "", "sent", "", 100),
        ("2026-11-22 03:04", "Edit", "1.0.0", "valid", "", 80),
        ("2026-11-22 03:05", "Edit", "1.1.0", "valid", "", 5),
        ("2026-11-22 03:04", "Edit", "1.0.0", "invalid", "type_mismatch", 7),
        ("2026-11-22 03:04", "Edit", "1.0.0", "duplicate", "", 1),
        ("2026-11-22 04:00", "Edit", "", "pending", "", 2),
        ("2026-11-22 03:04", "Other", "", "sent", "", 3),
        ("2026-11-23 00:00", "Edit", "", "sent", "", 1000),
    )
    query = "/v1/ledger?start=2026-11-22&end=2026-11-23"
    found = client.get(query).json
    assert found is not None
    assert found["schemas"]["Edit"] == {
        "sent": 100, "valid": 85, "invalid": 7, "duplicate": 1, "sampled_out": 0,
        "suppressed": 0, "pending": 2, "residual": 5,
    }  # fmt: skip
    assert found["schemas"]["Other"]["residual"] == 3
    assert found["total"]["sent"] == 103
    valid = {"schema": "Edit", "outcome": "valid", "reason": "", "count": 85, "kept": 85}
    assert valid in found["rows"]
    one = client.get(f"{query}&schema=Other").json
    assert one is not None
    assert list(one["schemas"]) == ["Other"]
    for step, times in (
        ("minute", {"2026-11-22 03:04", "2026-11-22 03:05", "2026-11-22 04:00"}),
        ("hour", {"2026-11-22 03", "2026-11-22 04"}),
        ("day", {"2026-11-22"}),
    ):
        stepped = client.get(f"{query}&step={step}").json
        assert stepped is not None
        assert {row["time"] for row in stepped["rows"]} == times


def test_the_ledger_of_the_last_day_is_the_default(client: FlaskClient, parts: Parts) -> None:
    now = clock.now_ms()
    add(parts, (clock.minute(now), "Edit", "", "sent", "", 4))
    add(parts, (clock.minute(now - 2 * clock.DAY_MS), "Edit", "", "sent", "", 9))
    found = client.get("/v1/ledger").json
    assert found is not None
    assert found["total"]["sent"] == 4


@pytest.mark.parametrize(
    "query",
    ["start=yesterday", "end=2026-13-01", "step=week", "start=2026-01-02&end=2026-01-01",
     "step=minute&start=2026-01-01&end=2026-02-01", "start=0001-01-01", "start=2026-11-22T99"],
)  # fmt: skip
def test_a_wrong_span_is_400(client: FlaskClient, query: str) -> None:
    refused = client.get(f"/v1/ledger?{query}")
    assert refused.status_code == 400
    assert refused.json is not None
    assert refused.json["problems"]


def test_without_the_database_what_is_known_is_answered_and_the_rest_is_503(
    client: FlaskClient, parts: Parts
) -> None:
    post(client, "Edit?publish=true")
    parts.database.engine.dispose()
    gone = Database("mysql+pymysql://nobody:x@127.0.0.1:1/none")
    parts.registry._database = gone
    parts.registry._tried = parts.registry._looked = float("-inf")
    cut = create_app(Parts(parts.config, gone, parts.registry)).test_client()
    assert cut.get("/v1/schemas/Edit/1.0.0").status_code == 200
    assert cut.get("/v1/config").status_code == 200
    unsure = cut.get("/v1/schemas/Other")
    assert unsure.status_code == 503
    for answer in (unsure, cut.get("/v1/ledger"), post(cut, "Edit?publish=true")):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json is not None
        assert "127.0.0.1" not in answer.text


def test_a_server_that_never_saw_the_registry_says_503(parts: Parts) -> None:
    gone = Database("mysql+pymysql://nobody:x@127.0.0.1:1/none")
    client = create_app(Parts(parts.config, gone, RegistryCache(gone))).test_client()
    for path in ("/v1/schemas", "/v1/config", "/v1/schemas/Edit"):
        assert client.get(path).status_code == 503
