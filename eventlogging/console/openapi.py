"""The OpenAPI description of the web process, made from the tables that serve its routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from flask import Flask

from eventlogging.collector.routes import METHODS
from eventlogging.console.openapi_schemas import SCHEMAS
from eventlogging.console.operations import ALWAYS, OPERATIONS, PAGE, SCHEME, Operation

_PARAMETER = re.compile(r"<(?:(?P<kind>[^:<>]+):)?(?P<name>[^<>]+)>")


def document(app: Flask) -> dict[str, Any]:
    """Return the description, as the JSON of OpenAPI 3.1 says it."""
    paths: dict[str, dict[str, Any]] = {}
    for address, kinds, method, key in _routes(app):
        operation = OPERATIONS.get((key, method), PAGE)
        path = paths.setdefault(address, {})
        if kinds:
            path["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
                for name, kind in kinds.items()
            ]
        path[method.lower()] = _operation(operation, is_nested=bool(kinds))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EventLogging",
            "version": metadata.version("eventlogging-server"),
            "description": "A schema-governed event logging platform.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": SCHEME},
                "session": {"type": "apiKey", "in": "cookie", "name": "eventlogging_session"},
            },
        },
    }


def undescribed(app: Flask) -> list[str]:
    """Return the routes of the API that the description knows nothing of, and the other way."""
    served = {(key, method): address for address, _, method, key in _routes(app)}
    unknown = [
        f"{method} {address}"
        for (key, method), address in served.items()
        if address.startswith("/v1/") and (key, method) not in OPERATIONS
    ]
    return [*unknown, *(f"{method} {key}" for key, method in OPERATIONS.keys() - served.keys())]


def _routes(app: Flask) -> Iterator[tuple[str, Mapping[str, str], str, str]]:
    """Yield (address, parameters with their types, method, key of its operation)."""
    for address, methods in METHODS.items():
        for method in methods:
            yield address, {}, method, address
    for rule in app.url_map.iter_rules():
        kinds = {
            match["name"]: "integer" if match["kind"] == "int" else "string"
            for match in _PARAMETER.finditer(rule.rule)
        }
        address = _PARAMETER.sub(r"{\g<name>}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield address, kinds, method, rule.endpoint


def _operation(operation: Operation, *, is_nested: bool) -> dict[str, Any]:
    statuses = {**ALWAYS, **operation.statuses}
    if is_nested:
        statuses[308] = ("slashes that stand together are joined; look there", "text/html", "")
        statuses.setdefault(404, ("there is nothing of this name", "application/json", "Problem"))
    found: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {str(status): _response(*statuses[status]) for status in sorted(statuses)},
    }
    if operation.parameters:
        found["parameters"] = list(operation.parameters)
    if operation.body:
        content = {kind: {"schema": schema} for kind, schema in operation.body.items()}
        found["requestBody"] = {"required": True, "content": content}
    if operation.scope:
        found["security"] = [{"token": []}, *([{"session": []}] if operation.or_session else [])]
    return found


def _response(meaning: str, media: str, schema: str) -> dict[str, Any]:
    if not media:
        return {"description": meaning}
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}} if schema else {}
    return {"description": meaning, "content": {media: content}}
