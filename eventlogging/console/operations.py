"""What the routes take and answer, in words and JSON Schema, for the OpenAPI description.

The routes themselves are listed by the collector and by Flask; here is what these do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.collector import routes
from eventlogging.console import aggregate_request
from eventlogging.console.counts import STEPS
from eventlogging.console.row_request import FORMATS, MAX_LIMIT
from eventlogging.registry.tokens import SCOPES
from eventlogging.retention.aggregates.periods import PERIODS
from eventlogging.retention.device import MOST_PAGES

JSON, HTML, PROBLEM = "application/json", "text/html", "Problem"
Parameter = Mapping[str, Any]

_EVENTS: Mapping[str, Any] = {
    "oneOf": [{"$ref": "#/components/schemas/Event"},
              {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Event"}}],
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    `statuses` maps a status to (meaning, media type, name of a schema or empty); `scope` is what
    a token must have, `or_session` whether a signed-in person needs none.
    """

    summary: str
    statuses: Mapping[int, tuple[str, str, str]]
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""
    or_session: bool = False


def _query(name: str, about: str, **schema: Any) -> Parameter:
    kind = schema or {"type": "string"}
    return {"name": name, "in": "query", "description": about, "schema": kind}


def _header(name: str, about: str) -> Parameter:
    return {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}


_REFUSED = {
    400: ("all events are refused", JSON, "Refusals"),
    408: ("the body did not arrive in time", JSON, "Problem"),
    413: ("the body, the array or the event is too large", JSON, "Refusals"),
    415: ("the Content-Type or Content-Encoding is not understood", JSON, "Refusals"),
    503: ("nothing was kept; send it again after Retry-After", JSON, "Errors"),
}
_NO_TEST_KEY = {401: ("a test key that is not known or is over; nothing was kept", JSON, "Errors")}
_READY = {
    200: ("a probe was judged and written", JSON, "Status"),
    503: ("events cannot be kept now", JSON, "Errors"),
}
_TIMES = (
    _query("start", "a day or a time, part of the answer"),
    _query("end", "a day or a time, not part of the answer"),
)
_IF_NONE_MATCH = _header("If-None-Match", "the ETag of an earlier answer")
_PUBLIC = {200: ("the answer", JSON, "Object"), 304: ("it has not changed", "", "")}
_UNKNOWN = {404: ("no such schema or version is registered", JSON, PROBLEM)}
_TOKEN = {
    401: ("no token, or not a good one", JSON, PROBLEM),
    403: ("the token lacks the scope", JSON, PROBLEM),
}
_FORWARDER = {
    401: ("no token, or not a good one", JSON, "Errors"),
    403: ("the token lacks the scope", JSON, "Errors"),
}
_HANDED_OVER = {
    408: _REFUSED[408],
    413: ("the body is too large", JSON, "Errors"),
    415: ("the Content-Encoding is not understood", JSON, "Errors"),
    503: _REFUSED[503],
    **_FORWARDER,
}
_OF_A_DEVICE = {
    400: ("this is no claim; problems says why", JSON, PROBLEM),
    429: ("too many looks; see Retry-After", JSON, PROBLEM),
}
_CLAIM: Mapping[str, Any] = {
    "type": "object",
    "required": ["token", "pages"],
    "properties": {
        "token": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "pages": {"type": "array", "maxItems": MOST_PAGES, "items": {"type": "array"}},
        "after": {"type": ["string", "null"], "maxLength": 300},
    },
}
_EVENT_TYPES = (JSON, "text/plain", "application/reports+json")

# By address and method, for the collector; by endpoint and method, for Flask.
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    (routes.EVENTS, "POST"): Operation(
        "Send one event or an array of them",
        {
            201: ("every event is on disk, or was rightly left out", JSON, "Accepted"),
            202: ("hasty: the body was read; events are judged and stored later", JSON, "Object"),
            207: ("some events are on disk, the listed ones are refused", JSON, "Refusals"),
            **_NO_TEST_KEY,
            **_REFUSED,
        },
        (
            _query("hasty", "true: do not wait for judgement and disk"),
            _header("X-Request-Id", "becomes meta.request_id where the schema declares it"),
            _header("Content-Encoding", "gzip, deflate or identity"),
        ),
        dict.fromkeys(_EVENT_TYPES, _EVENTS),
    ),
    (routes.TEST_EVENTS, "GET"): Operation("Judge and write a probe, as /readyz", _READY),
    (routes.BEACON, "GET"): Operation(
        "Send events as the query: ?{url-encoded JSON};",
        {
            204: ("kept, valid or not: see X-Event-Valid and X-Validation-Error", "", ""),
            503: _REFUSED[503],
            408: _REFUSED[408],
            **_NO_TEST_KEY,
        },
    ),
    (routes.BEACON, "POST"): Operation(
        "Send events from a page that closes",
        {
            204: ("kept, valid or not: see X-Event-Valid and X-Validation-Error", "", ""),
            503: _REFUSED[503],
            408: _REFUSED[408],
            **_NO_TEST_KEY,
        },
        body=dict.fromkeys(_EVENT_TYPES, _EVENTS),
    ),
    (routes.WSAPI_CONTEXT, "GET"): Operation(
        "A CSRF token and its cookie", {200: ("the token", JSON, "Object")}
    ),
    (routes.WSAPI_DATA, "POST"): Operation(
        "Send documents of the KPI back end",
        {
            200: ("all are on disk, or were rightly left out", JSON, "Object"),
            400: ("some are refused, the listed ones", JSON, "Refusals"),
            403: ("the CSRF token is not right", JSON, "Errors"),
            408: _REFUSED[408],
            413: _REFUSED[413],
            415: _REFUSED[415],
            429: ("nothing was kept; send it again after Retry-After", JSON, "Errors"),
        },
        (_header("X-CSRF-Token", "the token, unless the body says it as csrf"),),
        {JSON: {}},
    ),
    (routes.FORWARD, "POST"): Operation(
        "Hand over batches of a forwarder's log",
        {
            200: ("they are on disk", JSON, "Object"),
            400: ("the body is not made of whole batches", JSON, "Errors"),
            **_HANDED_OVER,
        },
        (
            _query("origin", "the forwarder's name and segment"),
            _query("start", "the position of the first batch", type="integer", minimum=0),
        ),
        {"application/octet-stream": {}},
        scope="forward",
    ),
    (routes.FORWARD_REGISTRY, "GET"): Operation(
        "The registry as collectors need it",
        {200: ("all that intake judges by", JSON, "Object"), 503: _REFUSED[503], **_FORWARDER},
        (_query("opt_outs", "the counter of the opt-outs that are known already"),),
        scope="forward",
    ),
    (routes.EDGE, "POST"): Operation(
        "Hand over lines of an edge's access log",
        {
            200: ("they are judged and on disk", JSON, "Object"),
            400: ("format, fingerprint or start is missing or wrong", JSON, "Errors"),
            **_HANDED_OVER,
        },
        (
            _query("format", "what stands where in a line, as of eventlogging collect --format"),
            _query("fingerprint", "what the log is known by: a hash of its first line"),
            _query("start", "where in the log the lines begin", type="integer", minimum=0),
        ),
        {"application/octet-stream": {}},
        scope="forward",
    ),
    (routes.HEALTHZ, "GET"): Operation(
        "Whether the process lives", {200: ("it does", JSON, "Status")}
    ),
    (routes.READYZ, "GET"): Operation("Whether events can be kept", _READY),
    ("api.config", "GET"): Operation(
        "Each schema's latest version and sampling", _PUBLIC, (_IF_NONE_MATCH,)
    ),
    ("api.schemas", "GET"): Operation("The list of schemas", _PUBLIC, (_IF_NONE_MATCH,)),
    ("api.schema", "GET"): Operation(
        "One schema; name/version or name/latest: one version",
        {**_PUBLIC, **_UNKNOWN},
        (_IF_NONE_MATCH,),
    ),
    ("api.propose", "POST"): Operation(
        "Propose or publish a version of a schema",
        {
            200: ("published already, and says the same", JSON, "Object"),
            201: ("published, or kept as a proposal", JSON, "Object"),
            400: ("refused, with every problem", JSON, PROBLEM),
            409: ("a published version would change, or the version is too small", JSON, PROBLEM),
            413: ("the body is too large", JSON, PROBLEM),
            415: ("neither JSON nor YAML, or compressed", JSON, PROBLEM),
            **_TOKEN,
        },
        (_query("publish", "true: publish at once, with the scope admin"),),
        {
            JSON: {"$ref": "#/components/schemas/Proposal"},
            "application/yaml": {"$ref": "#/components/schemas/Proposal"},
        },
        scope="propose",
    ),
    ("api.ledger", "GET"): Operation(
        "Counts by schema, outcome and reason",
        {200: ("the counts", JSON, "Object"), 400: ("a wrong parameter", JSON, PROBLEM)},
        (
            *_TIMES,
            _query("schema", "one schema alone; (unknown): events of none"),
            _query("step", "counts by step of time as well", type="string", enum=list(STEPS)),
        ),
    ),
    **{
        (endpoint, "GET"): Operation(
            summary,
            {
                200: ("the rows", "application/x-ndjson", ""),
                400: ("a wrong parameter", JSON, PROBLEM),
                **_UNKNOWN,
                **_TOKEN,
            },
            (
                *_TIMES,
                _query("limit", "most rows", type="integer", minimum=1, maximum=MAX_LIMIT),
                _query("format", "of the answer", type="string", enum=list(FORMATS)),
                _query("cursor", "X-Next-Cursor of the last page"),
            ),
            scope="read",
            or_session=True,
        )
        for endpoint, summary in (
            ("rows.valid", "A schema's valid events"),
            ("rows.invalid", "A schema's refused events"),
        )
    },
    ("aggregates.show", "GET"): Operation(
        "A schema's aggregates by day, week or month",
        {
            200: ("the cells", JSON, "Object"),
            400: ("a wrong parameter", JSON, PROBLEM),
            404: ("no such schema is registered, or it declares no such aggregate", JSON, PROBLEM),
        },
        (
            *_TIMES,
            _query("aggregate", "its name, where the schema declares several"),
            _query("by", "what to count by instead, separated by commas; (all): by nothing"),
            _query("per", "the step", type="string", enum=list(PERIODS)),
            _query("format", "of the answer", type="string", enum=list(aggregate_request.FORMATS)),
        ),
    ),
    ("retention.as_json", "GET"): Operation(
        "What is kept how long, what was forgotten last, the newest receipt",
        {200: ("as the page has it", JSON, "Object")},
    ),
    ("transparency.as_json", "GET"): Operation(
        "What is collected, why, from whom and for how long", _PUBLIC, (_IF_NONE_MATCH,)
    ),
    **{
        ("opt_out_api.of_account", method): Operation(
            summary,
            {
                200: ("whether the account opted out, and since when", JSON, "Object"),
                400: ("this is no account's id", JSON, PROBLEM),
                **_TOKEN,
            },
            scope="produce",
        )
        for method, summary in (
            ("GET", "Whether an account opted out"),
            ("PUT", "Say that an account opted out"),
            ("DELETE", "Say that an account takes that back"),
        )
    },
    ("my_data.see", "POST"): Operation(
        "The events of the device that has this token",
        {200: ("the events, and where to go on", JSON, "Object"), **_OF_A_DEVICE},
        body={JSON: _CLAIM},
    ),
    ("my_data.erase", "POST"): Operation(
        "Have the events of the device that has this token erased",
        {
            200: ("there is nothing to erase", JSON, "Object"),
            202: ("asked; the receipt, and where to see how it goes", JSON, "Object"),
            **_OF_A_DEVICE,
        },
        body={JSON: _CLAIM},
    ),
    ("my_data.state", "GET"): Operation(
        "How such an erasure goes",
        {
            200: ("its state and its receipt", JSON, "Object"),
            404: ("there is no such erasure", JSON, PROBLEM),
        },
    ),
    ("pages.overview", "GET"): Operation(
        "The overview; with ?spec this description",
        {
            200: ("the page", HTML, ""),
            400: ("a wrong parameter", JSON, PROBLEM),
        },
        (
            _query("day", "a day up to today"),
            _query("sort", "the column to sort by"),
            _query("spec", "there: answer with this description instead"),
        ),
    ),
}
# Pages that are not described by themselves.
PAGE = Operation(
    "A page for people",
    {
        200: ("the page, or a file of it", HTML, ""),
        201: ("done; what was made is shown once", HTML, ""),
        302: ("go on to the OpenID provider", HTML, ""),
        303: ("done; look there", HTML, ""),
        304: ("it has not changed", "", ""),
        400: ("a wrong parameter, or a form that is too old", HTML, ""),
        403: ("not open to whoever asks", HTML, ""),
        404: ("there is no such page", HTML, ""),
        410: ("the link was used", HTML, ""),
        409: ("it cannot be done as things are", HTML, ""),
        413: ("the form is too large", HTML, ""),
        429: ("too many attempts; see Retry-After", HTML, ""),
        502: ("the OpenID provider gives no usable answer", HTML, ""),
    },
)
# What any address may answer; most come from the connection itself.
ALWAYS = {
    400: ("this is not HTTP", "text/plain", ""),
    408: ("the request did not arrive in time", "text/plain", ""),
    413: ("the body is too large", JSON, ""),
    431: ("the head of the request is too large", "text/plain", ""),
    503: ("unavailable for now; see Retry-After", JSON, PROBLEM),
}
SCHEME = f"Authorization: Bearer …, a token with a scope: {', '.join(SCOPES)}"
