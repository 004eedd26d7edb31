"""Fill forms in as a browser does: read what a page's form holds, change some of it, send it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.console import BROWSER


class Form(HTMLParser):
    """What one form of a page would send: its action, its fields, the buttons' values."""

    def __init__(self, page: str, form_id: str = "", action: str = "") -> None:
        super().__init__()
        self.fields: MultiDict[str, Any] = MultiDict()
        self.buttons: list[str] = []
        self.action = ""
        self.found = False
        self._wanted, self._wanted_action = form_id, action
        self._inside = False
        self._text: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self.feed(page)
        assert self.found, page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            fits = has.get("id", "") == self._wanted if self._wanted else True
            self._inside = not self.found and fits and self._wanted_action in has.get("action", "")
            if self._inside:
                self.found, self.action = True, has.get("action", "")
        if not self._inside:
            return
        if tag == "input" and has.get("type") not in ("file", "submit") and "name" in has:
            if has.get("type") not in ("checkbox", "radio") or "checked" in has:
                self.fields.add(has["name"], has.get("value", "on"))
        elif tag == "textarea" and "name" in has:
            self._text = (has["name"], [])
        elif tag == "select" and "name" in has:
            self._select = (has["name"], [])
        elif tag == "option" and self._select:
            self._select[1].append((has.get("value", ""), "selected" in has))
        elif tag == "button" and "value" in has:
            self.buttons.append(has["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea" and self._text:
            name, parts = self._text
            text = "".join(parts).removeprefix("\n")
            self.fields.add(name, text.replace("\r\n", "\n").replace("\n", "\r\n"))
            self._text = None
        elif tag == "select" and self._select:
            name, options = self._select
            chosen = [value for value, selected in options if selected] or [options[0][0]]
            self.fields.add(name, chosen[0])
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._text:
            self._text[1].append(data)

    def send(
        self, client: FlaskClient, do: str, path: str | None = None, **changes: Any
    ) -> TestResponse:
        """Press a button; a change to None leaves a field out. Names: `r0_name` is `r0-name`."""
        data = MultiDict(self.fields)
        for name, value in changes.items():
            name = name.replace("_", "-", 1) if name[:1] in "rsea" and "_" in name[:5] else name
            data.poplist(name)
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    data.add(name, one)
        data["do"] = do
        return client.post(path or self.action, data=data, headers=BROWSER)
