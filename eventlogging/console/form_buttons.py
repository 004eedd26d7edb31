"""What the buttons of a draft's form do to what is entered: fields and examples come, go, move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from eventlogging.console import form_document, form_examples
from eventlogging.console.form import FORM, JSON, Entered, privacy_of, settled
from eventlogging.console.form_document import Row
from eventlogging.console.form_examples import ExampleText


def pressed(entered: Entered, button: str) -> Entered:
    """Return the state after one of the buttons that change the form; others change nothing."""
    act, _, about = button.partition(":")
    if act == "check" and entered.source is not None and entered.source.is_body:
        return settled(entered)  # what it says besides the schema stands in the rest of the form
    if act == "form" and entered.is_readable:
        return settled(entered, FORM)
    if act == "json" and entered.is_readable:
        return settled(entered, JSON)
    if act in ("add", "remove", "up", "down") and entered.view == FORM:
        return _press_row(entered, act, about)
    if act.startswith("example"):
        return _press_example(entered, act, about)
    return entered


def _press_row(entered: Entered, act: str, about: str) -> Entered:
    place = {
        key: where for (key, _), where in zip(entered.rows, entered.places, strict=True)
    }.get(about)  # fmt: skip
    body = dict(entered.body)
    document, privacy = body.get("schema"), privacy_of(body)
    if act == "add":
        fresh = settled(entered)
        above = next((row.name for _, row in fresh.rows if place and row.was == place), "")
        new = ("new", Row(name=f"{above}." if above else ""))
        return replace(
            fresh, rows=(*fresh.rows, new), places=(*fresh.places, None), focus="rnew-name"
        )
    if place is None or not isinstance(document, Mapping):
        return settled(entered)
    if act == "remove":
        body["schema"], left = form_document.without_field(document, privacy, place)
        if left != privacy:
            body["privacy"] = dict(left)
        entered = replace(entered, said=tuple(s for s in entered.said if s[0] != f"row-{about}"))
        return replace(settled(replace(entered, body=body)), focus="add")
    body["schema"] = form_document.moved_field(document, place, -1 if act == "up" else 1)
    fresh = settled(replace(entered, body=body))
    key = next((key for key, row in fresh.rows if row.was == place), "")
    return replace(fresh, focus=f"r{key}-{act}")


def _press_example(entered: Entered, act: str, about: str) -> Entered:
    if act == "example-remove":
        left = [(key, one) for key, one in entered.examples if key != about]
        body = form_examples.with_examples(entered.body, _numbered(entered.examples, left))
        return replace(settled(replace(entered, body=body, examples=tuple(left))), focus="example")
    fresh = settled(entered)
    text = form_examples.first_example(fresh.document) if act == "example-make" else ""
    name = "a-usual-event" if act == "example-make" and not fresh.examples else ""
    key = str(len(fresh.examples))
    passes = about != "fail"
    new = (key, ExampleText(name=name, passes=passes, payload=text))
    return replace(fresh, examples=(*fresh.examples, new), focus=f"e{key}-payload")


def _numbered(
    before: Sequence[tuple[str, ExampleText]], left: Sequence[tuple[str, ExampleText]]
) -> list[ExampleText]:
    """Return the examples that are left, each with its place in the body as it is now.

    The body was made from all of them, so that a new one has a place there too.
    """
    kept = [key for key, one in before if not one.is_blank]
    return [replace(one, was=kept.index(key)) for key, one in left if key in kept]
