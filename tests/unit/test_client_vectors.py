"""Sampling, ids, opt-out and retry: the server and both clients agree, case by case."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from clients.vectors.make import FILES, FOLDER, event_id, says_no, write
from eventlogging.sampling import in_sample
from tests.node import run_node
from tests.python_client import CLIENT

from eventlogging_client import backoff, consent, sampling  # isort: skip

NAMES = ["Click", "Click.x", "Other", "RecipeUptake", "a", "a/b"]
SOURCES = CLIENT.parent / "javascript" / "src"


@cache
def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def in_javascript(folder: Path, imported: str, module: str, name: str, expression: str) -> Any:
    """Evaluate an expression over the vectors `v` in Node, with a function of the client."""
    code = (
        f"import {{ {imported} }} from {json.dumps((SOURCES / module).as_uri())};\n"
        "import { readFileSync } from 'node:fs';\n"
        f"const v = JSON.parse(readFileSync({json.dumps(str(FOLDER / f'{name}.json'))}, 'utf8'));\n"
        f"console.log(JSON.stringify({expression}));\n"
    )
    return json.loads(run_node(code, folder))


def differing(cases: list[Any], key: str, found: list[Any]) -> list[Any]:
    """The first cases in which something else was found, with what was."""
    assert len(found) == len(cases)
    return [(c, f) for c, f in zip(cases, found, strict=True) if c[key] != f][:3]


def many_bits() -> str:
    many = vectors("sampling")["many"]
    return "".join(
        "01"[sampling.in_sample(f"{many['prefix']}{n}", many["rate"])] for n in range(many["count"])
    )


# The files


def test_the_committed_vectors_are_what_the_script_makes(tmp_path: Path):
    write(tmp_path)
    for name in FILES:
        assert (tmp_path / f"{name}.json").read_text() == (FOLDER / f"{name}.json").read_text()


# The server


def test_the_server_agrees():
    for case in vectors("sampling")["cases"]:
        assert in_sample(case["id"], case["rate"]) is case["in"], case
    for case in vectors("ids")["cases"]:
        assert event_id(case["token"], case["tag"], case["k"]) == case["id"]
    for case in vectors("opt-out")["cases"]:
        signals = {key: value for key, value in case.items() if key not in ("no", "of")}
        assert says_no(signals) == {"no": case["no"], "of": case["of"]}, case


# The Python client


@pytest.mark.parametrize("name", ["cases", "many"])
def test_the_python_client_samples_alike(name: str):
    if name == "cases":
        for case in vectors("sampling")["cases"]:
            assert sampling.in_sample(case["id"], case["rate"]) is case["in"], case
        return
    bits, many = many_bits(), vectors("sampling")["many"]
    assert hashlib.sha256(bits.encode()).hexdigest() == many["sha256"]
    assert bits.count("1") == many["in"]
    assert abs(many["in"] - 10_000) < 500


def test_the_python_client_hears_the_same_no():
    names = {"cookie": "Cookie", "dnt": "DNT", "gpc": "Sec-GPC"}
    for case in vectors("opt-out")["cases"]:
        headers = {names[key]: value for key, value in case.items() if key in names}
        assert consent.said_no(headers) is case["no"], case
        for schema in NAMES:
            no = case["no"] or schema in case["of"]
            assert consent.said_no(headers, schema) is no, (case, schema)


def test_the_python_client_waits_alike():
    for case in vectors("retry")["delays"]:
        found = backoff.delay(case["attempt"], case["retry_after"], case["jitter"])
        assert found == case["ms"], case
    for case in vectors("retry")["statuses"]:
        assert backoff.meaning(case["status"]) == case["meaning"], case


# The JavaScript client


def test_the_javascript_client_samples_alike(tmp_path: Path):
    cases = vectors("sampling")["cases"]
    expression = "v.cases.map((c) => inSample(c.id, c.rate))"
    found = in_javascript(tmp_path, "inSample", "sampling.js", "sampling", expression)
    assert differing(cases, "in", found) == []


def test_of_100_000_ids_javascript_and_python_take_the_same(tmp_path: Path):
    expression = (
        "Array.from({ length: v.many.count }, (_, n) =>"
        " (inSample(`${v.many.prefix}${n}`, v.many.rate) ? '1' : '0')).join('')"
    )
    found = in_javascript(tmp_path, "inSample", "sampling.js", "sampling", expression)
    digest = hashlib.sha256(found.encode()).hexdigest()
    if digest != vectors("sampling")["many"]["sha256"]:
        bits = many_bits()
        first = next(n for n, (a, b) in enumerate(zip(found, bits, strict=True)) if a != b)
        pytest.fail(f"unit-{first}: JavaScript says {found[first]}, Python {bits[first]}")


def test_the_javascript_client_makes_the_same_ids(tmp_path: Path):
    ids = vectors("ids")
    expression = "v.cases.map((c) => eventId(c.token, c.tag, c.k))"
    found = in_javascript(tmp_path, "eventId", "ids.js", "ids", expression)
    assert differing(ids["cases"], "id", found) == []
    expression = "v.digests.map((d) => sha256(d.text))"
    found = in_javascript(tmp_path, "sha256", "ids.js", "ids", expression)
    assert differing(ids["digests"], "sha256", found) == []


def test_the_javascript_client_hears_the_same_no(tmp_path: Path):
    cases = vectors("opt-out")["cases"]
    expression = "v.cases.map((c) => saidNo({ gpc: c.gpc, dnt: c.dnt, cookie: c.cookie }))"
    found = in_javascript(tmp_path, "saidNo", "consent.js", "opt-out", expression)
    assert differing(cases, "no", found) == []
    expression = (
        f"v.cases.map((c) => {json.dumps(NAMES)}.filter((name) =>"
        " !c.no && saidNo({ gpc: c.gpc, dnt: c.dnt, cookie: c.cookie }, name)).sort())"
    )
    found = in_javascript(tmp_path, "saidNo", "consent.js", "opt-out", expression)
    only = [{**case, "of": [] if case["no"] else case["of"]} for case in cases]
    assert differing(only, "of", found) == []


def test_the_javascript_client_waits_alike(tmp_path: Path):
    retry = vectors("retry")
    expression = "v.delays.map((c) => delay(c.attempt, c.retry_after, c.jitter))"
    found = in_javascript(tmp_path, "delay", "backoff.js", "retry", expression)
    assert differing(retry["delays"], "ms", found) == []
    expression = "v.statuses.map((c) => meaning(c.status))"
    found = in_javascript(tmp_path, "meaning", "backoff.js", "retry", expression)
    assert differing(retry["statuses"], "meaning", found) == []
