"""The registry's snapshot as JSON, for collectors that have no database.

It holds what intake judges by: settings, documents, the digests of tokens and who opted out; no
column plans. Opt-outs may be many, and are left out for one who has them already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventlogging.registry.model import (
    NOBODY,
    OptOuts,
    RegisteredSchema,
    RegisteredVersion,
    Snapshot,
)
from eventlogging.schema.version import Version

_PLAIN = (
    "name", "title", "description", "producers", "sampling_rate", "sampling_unit", "keep_days",
    "stem", "invalid_table", "latest", "state", "fill_defaults", "readers",
)  # fmt: skip


def to_json(snapshot: Snapshot, known: int | None = None) -> dict[str, Any]:
    """Return a snapshot as JSON can hold it, to one who knows the opt-outs at a counter."""
    said = snapshot.opt_outs
    opt_outs: dict[str, Any] = {"counter": said.counter}
    if said.counter != known:
        opt_outs["hashes"] = sorted(said.hashes)
    return {
        "counter": snapshot.counter,
        "schemas": [_schema(one) for one in snapshot.schemas.values()],
        "tokens": {digest: sorted(scopes) for digest, scopes in snapshot.tokens.items()},
        "tokens_until": snapshot.tokens_until,
        "test_keys": dict(snapshot.test_keys),
        "opt_outs": opt_outs,
    }


def from_json(content: Mapping[str, Any], known: OptOuts = NOBODY) -> Snapshot:
    """Return the snapshot that `to_json` told of to one who knew some opt-outs.

    Raises KeyError, TypeError or ValueError.
    """
    return Snapshot(
        counter=int(content["counter"]),
        schemas={one["name"]: _read_schema(one) for one in content["schemas"]},
        tokens={digest: frozenset(scopes) for digest, scopes in content["tokens"].items()},
        tokens_until=content["tokens_until"],
        test_keys=dict(content["test_keys"]),
        opt_outs=_read_opt_outs(content.get("opt_outs", {"counter": known.counter}), known),
    )


def _read_opt_outs(content: Mapping[str, Any], known: OptOuts) -> OptOuts:
    if "hashes" in content:
        return OptOuts(int(content["counter"]), frozenset(map(str, content["hashes"])))
    if content["counter"] != known.counter:
        raise ValueError("opt-outs that nobody knows")
    return known


def _schema(schema: RegisteredSchema) -> dict[str, Any]:
    return {
        **{name: getattr(schema, name) for name in _PLAIN},
        "owners": list(schema.owners),
        "origins": list(schema.origins),
        "privacy": dict(schema.privacy),
        "versions": [
            {
                "version": str(one.version),
                "document": one.document,
                "draft": one.draft,
                "revision": one.revision,
                "table": one.table,
            }
            for one in schema.versions.values()
        ],
        "revisions": {str(number): text for number, text in schema.revisions.items()},
    }


def _read_schema(content: Mapping[str, Any]) -> RegisteredSchema:
    versions = [_read_version(content["name"], one) for one in content["versions"]]
    return RegisteredSchema(
        **{name: content[name] for name in _PLAIN},
        owners=tuple(content["owners"]),
        origins=tuple(content["origins"]),
        privacy=dict(content["privacy"]),
        versions={str(one.version): one for one in versions},
        plans={},
        revisions={int(number): text for number, text in content["revisions"].items()},
    )


def _read_version(name: str, content: Mapping[str, Any]) -> RegisteredVersion:
    number = Version.parse(content["version"])
    if number is None:
        raise ValueError(f"{content['version']!r} is not a version")
    return RegisteredVersion(
        name, number, content["document"], content["draft"], content["revision"], content["table"]
    )
