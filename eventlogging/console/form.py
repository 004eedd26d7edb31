"""What somebody entered on a draft's page: read from the form, changed by its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from eventlogging.console import form_examples, form_settings
from eventlogging.console.form_document import MOST_ROWS, Applied, Row, apply_rows, rows_of
from eventlogging.console.form_examples import ExampleText
from eventlogging.console.form_json import Source, pretty, read_source
from eventlogging.console.form_packing import BadForm, unpacked
from eventlogging.registry.stored import StoredSchema

FORM, JSON = "form", "json"
_CHECKED = ("required", "nullable")
_TEXTS = tuple(
    one.name for one in fields(Row) if one.name not in (*_CHECKED, "was", "more")
)  # fmt: skip


@dataclass(frozen=True)
class Entered:
    """The state of a draft's page.

    `body` is what is entered; `base` the body that the rows are edits of. `rows` and `examples`
    are (key within the page, what its inputs show). `places` are the rows' fields in `body`.
    `source` is the text of the JSON view. `said` are (id of an element, problem) that were found
    while reading; `was_revision` is what the form began with (0: nothing is kept yet).
    """

    schema: str
    base: dict[str, Any]
    body: dict[str, Any]
    answers: dict[str, str]
    revision: int = 0
    view: str = FORM
    rows: tuple[tuple[str, Row], ...] = ()
    places: tuple[str | None, ...] = ()
    examples: tuple[tuple[str, ExampleText], ...] = ()
    source: Source | None = None
    said: tuple[tuple[str, str], ...] = ()
    focus: str = ""
    base_answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """The schema document as entered."""
        return self.body.get("schema")

    @property
    def is_readable(self) -> bool:
        """Whether `body` is all that was entered."""
        return self.source is None or not self.source.problem


def shown(
    schema: str, body: Mapping[str, Any], answers: Mapping[str, str], revision: int,
    view: str = FORM,
) -> Entered:  # fmt: skip
    """Return the page's state that shows a body."""
    document, privacy = body.get("schema"), privacy_of(body)
    rows = rows_of(document, privacy)
    if len(rows) > MOST_ROWS:
        view = JSON
    is_form = view == FORM
    return Entered(
        schema=schema,
        base=dict(body),
        body=dict(body),
        answers=dict(answers),
        revision=revision,
        view=view,
        rows=tuple((str(at), row) for at, row in enumerate(rows)) if is_form else (),
        places=tuple(row.was for row in rows) if is_form else (),
        examples=tuple((str(n), one) for n, one in enumerate(form_examples.examples_of(body))),
        source=None if is_form else read_source(pretty(document)),
        base_answers=dict(answers),
    )


def first_body(owner: str) -> dict[str, Any]:
    """Return what a new schema begins with: a closed object without fields."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }
    return {"schema": document, "owners": [owner]}


def next_body(standing: StoredSchema) -> dict[str, Any]:
    """Return what the next version of a schema begins with: all that is published."""
    own = standing.settings
    return {
        "schema": dict(standing.versions[standing.latest].source),
        "title": own.title,
        "description": own.description,
        "owners": list(own.owners),
        "sampling": {"rate": own.sampling_rate, "unit": own.sampling_unit},
        "privacy": dict(own.privacy),
        "producers": own.producers,
        "origins": list(own.origins),
        "fill_defaults": own.fill_defaults,
        "readers": own.readers,
        "examples": [vars(example) for example in standing.examples],
    }


def privacy_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the privacy settings of a body, none where they are of another form."""
    privacy = body.get("privacy")
    return privacy if isinstance(privacy, Mapping) else {}


def read_form(form: MultiDict[str, str], upload: bytes | None = None) -> Entered:
    """Return what a posted form enters; `upload` is a file chosen in the JSON view.

    Raises BadForm where it is not a form of ours.
    """
    base = _base(form.get("base", ""))
    answers = {key[2:]: text for key, text in form.items() if key.startswith("a-")}
    view = JSON if form.get("view") == JSON else FORM
    said: list[tuple[str, str]] = []
    rows: list[tuple[str, Row]] = []
    places: tuple[str | None, ...] = ()
    source = None
    texts = {key[2:]: text for key, text in form.items() if key.startswith("s-")}
    body = form_settings.with_texts(base, texts)
    if view == FORM:
        rows = _rows(form, base)
        applied = apply_rows(base["schema"], privacy_of(base), [row for _, row in rows])
        body = _with_document(body, applied)
        places = applied.places
        said += [(f"row-{rows[at][0]}", text) for at, text in applied.problems]
        if "s-rows" in form:
            closed = form_settings.with_closed(body["schema"], "s-closed" in form)
            body["schema"] = closed
    else:
        source = _source(form.get("document", ""), upload)
        if not source.problem:
            body = {**body, **source.value} if source.is_body else {**body, "schema": source.value}
    examples = _examples(form)
    pasted = source is not None and source.is_body and "examples" in source.value
    if "s-examples" in form and not pasted:
        body = form_examples.with_examples(body, [one for _, one in examples])
    return Entered(
        schema=form.get("schema", "").strip(),
        base=base,
        body=body,
        answers=answers,
        revision=_number(form.get("revision", "0")),
        view=view,
        rows=tuple(rows),
        places=places,
        examples=tuple(examples),
        source=source,
        said=tuple(said),
        base_answers=_answers(form.get("base-answers", "")),
    )


def _answers(text: str) -> dict[str, str]:
    value = unpacked(text)
    return {key: str(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _base(text: str) -> dict[str, Any]:
    base = unpacked(text)
    if not isinstance(base, dict) or "schema" not in base:
        raise BadForm("the form is not whole")
    return base


def _source(text: str, upload: bytes | None) -> Source:
    if upload:
        try:
            text = upload.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = upload[: error.start].count(b"\n") + 1
            problem = "the file is not UTF-8; save it as UTF-8 text, or paste it"
            return Source(text, problem=problem, line=line)
    return read_source(text.replace("\r\n", "\n").replace("\r", "\n"))


def _rows(form: MultiDict[str, str], base: Mapping[str, Any]) -> list[tuple[str, Row]]:
    known = {row.was: row for row in rows_of(base["schema"], privacy_of(base))}
    found = []
    for key in form.getlist("row")[: 2 * MOST_ROWS]:
        was = form.get(f"r{key}-was")
        before = known.get(was, Row())
        said: dict[str, Any] = {
            name: form[f"r{key}-{name}"] for name in _TEXTS if f"r{key}-{name}" in form
        }
        said |= {name: f"r{key}-{name}" in form for name in _CHECKED}
        found.append((key, replace(before, **said)))
    return found


def _examples(form: MultiDict[str, str]) -> list[tuple[str, ExampleText]]:
    found = []
    for key in form.getlist("example")[:500]:
        was = form.get(f"e{key}-was", "")
        one = ExampleText(
            name=form.get(f"e{key}-name", ""),
            passes=form.get(f"e{key}-passes", "yes") == "yes",
            payload=form.get(f"e{key}-payload", ""),
            was=_number(was) if was else None,
        )
        found.append((key, one))
    return found


def _with_document(base: Mapping[str, Any], applied: Applied) -> dict[str, Any]:
    body = {**base, "schema": applied.document}
    if dict(applied.privacy) != privacy_of(base):
        body["privacy"] = dict(applied.privacy)
    return body


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def settled(entered: Entered, view: str = "") -> Entered:
    """Return the state that shows what is entered as if it had been so from the beginning."""
    if not entered.is_readable:
        return entered
    fresh = shown(
        entered.schema, entered.body, entered.answers, entered.revision, view or entered.view
    )
    keys = {row.was: key for key, row in fresh.rows}
    renamed = {
        f"row-{key}": f"row-{keys.get(place)}"
        for (key, _), place in zip(entered.rows, entered.places, strict=True)
    }
    blank = [(key, one) for key, one in entered.examples if one.is_blank]
    return replace(
        fresh,
        base_answers=entered.base_answers,
        examples=(*fresh.examples, *((f"n{key}", one) for key, one in blank)),
        said=tuple((renamed.get(place, place), text) for place, text in entered.said),
    )
