"""The JSON API of the registry: schemas, what clients need of them, and the ledger."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from flask import Blueprint, Response, jsonify, request

from eventlogging import clock
from eventlogging.console import access, counts, schema_views
from eventlogging.console.errors import answer
from eventlogging.console.parts import Parts
from eventlogging.console.schema_body import MAX_BYTES, Unreadable, reader_of
from eventlogging.console.snapshots import newest
from eventlogging.errors import StoreUnavailable
from eventlogging.registry.assess import assess
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.registry.proposal import proposal_of
from eventlogging.registry.publish import try_propose, try_publish
from eventlogging.registry.snapshot import schemas_in_force
from eventlogging.review.drafts import receive

_LIKE_A_VERSION = re.compile(r"[0-9.]+\Z|latest\Z", re.ASCII)
_STALE_SECONDS = 10.0  # an older one cannot say that something is not registered
_YES, _NO = frozenset({"true", "1", "yes"}), frozenset({"", "false", "0", "no"})


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes, answering from these parts."""
    api = Blueprint("api", __name__, url_prefix="/v1")

    @api.get("/schemas")
    def schemas() -> Response:
        snapshot = newest(parts)
        listed = [schema_views.summary(schema) for schema in snapshot.schemas.values()]
        return _public(jsonify({"schemas": listed}), snapshot, "no-cache")

    @api.get("/schemas/<path:name>")
    def schema(name: str) -> Response:
        return _schema(parts, name.strip("/"))

    @api.post("/schemas/<path:name>")
    def propose(name: str) -> Response:
        return _propose(parts, name.strip("/"))

    @api.get("/config")
    def config() -> Response:
        snapshot = newest(parts)
        known = {s.name: schema_views.for_clients(s) for s in schemas_in_force(snapshot)}
        return _public(jsonify({"schemas": known}), snapshot, "public, max-age=60")

    @api.get("/ledger")
    def ledger() -> Response:
        return _ledger(parts)

    return api


def _public(response: Response, snapshot: Snapshot, caching: str) -> Response:
    """Let anyone read the answer from anywhere, and ask cheaply whether it changed."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = caching
    response.set_etag(f"r{snapshot.counter}")
    response.make_conditional(request)
    return response


def _schema(parts: Parts, path: str) -> Response:
    snapshot = newest(parts)
    name, version = _name_and_version(path)
    known = snapshot.schemas.get(name)
    if not _is_known(known, version):
        parts.registry.refresh_if_older(0)  # published a moment ago, perhaps by another process
        snapshot = parts.registry.snapshot
        known = snapshot.schemas.get(name)
    if not _is_known(known, version) and parts.registry.age_seconds() > _STALE_SECONDS:
        raise StoreUnavailable("the registry's snapshot is too old to say that this is unknown")
    if known is None:
        text = f"no schema is named {name!r}; GET /v1/schemas lists them"
        return answer(404, "unknown_schema", [text])
    if version is None:
        return _public(jsonify(schema_views.details(known)), snapshot, "no-cache")
    if not _is_known(known, version):
        text = f"{name} has no version {version}; published are {', '.join(known.versions)}"
        return answer(404, "unknown_version", [text])
    found = known.versions[known.latest if version == "latest" else version]
    view = schema_views.version(known, found, parts.database.dialect)
    return _public(jsonify(view), snapshot, "no-cache")


def _name_and_version(path: str) -> tuple[str, str | None]:
    """Split a path; a last segment of digits and dots, or `latest`, is a version."""
    name, _, last = path.rpartition("/")
    return (name, last) if name and _LIKE_A_VERSION.match(last) else (path, None)


def _is_known(schema: RegisteredSchema | None, version: str | None) -> bool:
    if schema is None:
        return False
    return version is None or version == "latest" or version in schema.versions


def _propose(parts: Parts, name: str) -> Response:
    asked = request.args.get("publish", "").lower()
    if asked not in _YES | _NO:
        return answer(400, "bad_parameter", ["publish is true or false"])
    to_publish = asked in _YES
    holder = access.holder_of(request, parts)
    refused = access.refusal(holder, "admin" if to_publish else "propose")
    if refused is not None or holder is None:
        return refused or answer(401, "unauthorized", [])
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return answer(415, "unsupported_type", ["send the body uncompressed"])
    read = reader_of(request.headers.get("Content-Type", ""))
    if read is None:
        text = "Content-Type is application/json or application/yaml"
        return answer(415, "unsupported_type", [text])
    request.max_content_length = MAX_BYTES
    try:
        proposal, problems = proposal_of(name, read(request.get_data()))
    except Unreadable as error:
        return answer(400, "unreadable", [str(error)])
    if proposal is None:
        return answer(400, "refused", problems)
    dialect = parts.database.dialect
    if problems:
        with parts.database.read() as connection:
            judged = assess(connection, proposal).as_dict(dialect)
        judged["problems"] = [*problems, *judged["problems"]]
        return answer(400, "refused", **judged)
    kept: dict[str, int | str | None]
    if to_publish:
        published = try_publish(parts.database, proposal, holder.who)
        found, created, kept = published.assessment, published.created, {"state": "published"}
    else:
        proposed = try_propose(parts.database, proposal, holder.who)
        found, created = proposed.assessment, proposed.id is not None
        kept = {"state": "proposed", "proposal": proposed.id} if created else {"state": "published"}
        if proposed.id is not None:
            receive(parts.database, proposed.id, base_url=parts.config.url)
    view = found.as_dict(dialect)
    if found.problems:
        return answer(400, "refused", **view)
    if found.conflicts:
        return answer(409, "version_conflict", **view)
    _see_own_writing(parts)
    response = jsonify({**kept, **view, "links": schema_views.links(name, str(found.version))})
    response.status_code = 201 if created else 200
    if to_publish:
        response.headers["Location"] = schema_views.link(name, str(found.version))
    return response


def _see_own_writing(parts: Parts) -> None:
    try:
        parts.registry.refresh()
    except StoreUnavailable:
        return  # what was written is written; the next look will see it


def _ledger(parts: Parts) -> Response:
    now = clock.now_ms()
    problems: list[str] = []
    start = _moment("start", now - clock.DAY_MS, problems)
    end = _moment("end", now + 60_000, problems)
    step = request.args.get("step") or None
    if step is not None and step not in counts.STEPS:
        problems.append(f"step is one of {', '.join(counts.STEPS)}, not {step!r}")
    span = counts.Span(start, end)
    if not problems and span.days < 0:
        problems.append("start lies after end")
    if not problems and step and span.days > counts.STEPS[step][1]:
        problems.append(f"by {step}, ask for at most {counts.STEPS[step][1]} days at once")
    if problems:
        return answer(400, "bad_parameter", problems)
    with parts.database.read() as connection:
        found = counts.sums(connection, span, request.args.get("schema") or None, step)
    response = jsonify(found)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _moment(name: str, default: int, problems: list[str]) -> int:
    """Return a query parameter as milliseconds: a day or a time, UTC where it says no zone."""
    text = request.args.get(name)
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T"))
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        if not date(1970, 1, 1) <= moment.date() <= date(9000, 1, 1):
            raise ValueError
        return int(moment.timestamp() * 1000)
    except ValueError:
        problems.append(f"{name} is a day or a time such as 2026-11-22 or 2026-11-22T03:04Z")
        return default
