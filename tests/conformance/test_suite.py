"""The gate against the official suite; the page that explains the differences holds them all."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from eventlogging.schema.document import check_document
from eventlogging.schema.gate import compile_gate
from eventlogging.schema.walk import OLD_DRAFTS
from tests.conformance.judges import NOT_FETCHED, URIS, document_of, gate
from tests.conformance.suite import ARCHIVE, FOLDERS, PARTS, NoSuiteError, Suite, load
from tests.conformance.verdicts import (
    FORMATS_CHECKED,
    UNEXPLAINED,
    Outcome,
    count_rows,
    difference_rows,
)
from tests.summary import tell

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def rows(heading: str) -> list[str]:
    """Return the rows of the table below a heading of the page, without its head."""
    below = PAGE.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\|.*\|$", below, re.M)[2:]


def test_a_damaged_suite_is_downloaded_anew_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"half of it")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(NoSuiteError, match="could not download"):
        load(tmp_path)


def told(lines: list[str]) -> str:
    return "\n" + "\n".join(lines)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("draft", FOLDERS)
def test_the_gate_judges_as_the_suite_says(draft: str, part: str, found: list[Outcome]) -> None:
    here = [one for one in found if (one.case.draft, one.case.part) == (draft, part)]
    wrong = [str(one) for one in here if one.why == UNEXPLAINED]
    assert here
    assert not wrong, told(wrong)


def test_what_would_have_to_be_fetched_is_refused_when_it_is_compiled(
    found: list[Outcome],
) -> None:
    verdicts = {type(one.gate) for one in found if one.why not in ("", FORMATS_CHECKED)}
    assert verdicts == {str}


def test_only_the_drafts_that_make_formats_remarks_disagree_about_them(
    found: list[Outcome],
) -> None:
    differing = [one for one in found if one.why == FORMATS_CHECKED]
    assert {(one.case.draft, one.case.file) for one in differing} == {("2020-12", "format.json")}
    assert all(one.expected and "only an annotation" in one.test for one in differing)


def test_the_page_has_the_counts(found: list[Outcome]) -> None:
    wanted = count_rows(found)
    assert rows("Counts") == wanted, f"docs/conformance.md, Counts:{told(wanted)}"


def test_the_page_names_each_difference(found: list[Outcome]) -> None:
    wanted = difference_rows(found)
    assert rows("Differences, by name") == wanted, f"docs/conformance.md:{told(wanted)}"


def test_the_page_explains_each_reason(found: list[Outcome]) -> None:
    explained = {row.split(" | ")[0].strip("| ") for row in rows("Reasons")}
    assert explained == {one.why for one in found if one.why}


def test_schemas_of_old_drafts_mean_the_same_beside_a_word_boundary(suite: Suite) -> None:
    # Such a schema is compiled from a registry, where its metaschema does not see it.
    seen = 0
    for case in suite.cases:
        if case.draft not in OLD_DRAFTS:
            continue
        document = document_of(case.schema, case.draft)
        definitions = document.get("definitions", {})
        document["definitions"] = {**definitions, "edge": {"pattern": r"\b"}}
        plain, lifted = gate(case.schema, case.draft), gate(document, case.draft)
        word = "id" if case.draft == "draft4" else "$id"
        for _, value, _ in case.tests:
            alike = plain(value) == lifted(value)
            # Names that a schema gives itself are not looked up there; registration takes none.
            assert alike or (word in document and lifted(value) == NOT_FETCHED), case
            seen += alike
    assert seen > 3000


def test_whatever_registration_takes_is_judged_as_the_suite_says(
    suite: Suite, pytestconfig: pytest.Config
) -> None:
    taken = tests = 0
    wrong = []
    cases = [case for case in suite.cases if isinstance(case.schema, dict)]
    for case in cases:
        document = as_property(case.schema, case.draft)
        if check_document(document)[0]:
            continue
        taken += 1
        validator = compile_gate(document, mask=True)
        for name, value, expected in case.tests:
            tests += 1
            if validator.is_valid({"value": value}) is not expected:
                wrong.append(f"{case.draft} {case.file}: {case.name}: {name}")
    tell(
        pytestconfig,
        f"as a property of an event: registration takes {taken} of {len(cases)} schemas; "
        f"{tests} tests, {len(wrong)} explained",
    )
    assert all("format.json" in line for line in wrong), told(wrong)
    page = " ".join(PAGE.read_text("utf-8").split())
    sentence = f"What registration takes ({taken} of {len(cases)}) is judged as the suite says"
    assert f"{sentence}, but for formats ({tests} tests)" in page


def as_property(schema: Any, draft: str) -> dict[str, Any]:
    """Return a document whose events have one property, which is what the schema describes."""
    inner = moved(document_of(schema, draft))
    inner.pop("$schema")
    return {"$schema": URIS[draft], "type": "object", "properties": {"value": inner}}


def moved(schema: Any) -> Any:
    """Return a schema whose references find their places one property deeper."""
    if isinstance(schema, list):
        return [moved(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: part if key in ("enum", "const") else moved(part) for key, part in schema.items()}
    reference = copy.get("$ref")
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
        copy["$ref"] = "#/properties/value" + reference[1:]
    return copy
