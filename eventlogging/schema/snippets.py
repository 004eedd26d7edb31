"""The code that an instrumenter pastes: one event of a schema, sent from three languages.

Each is whole as it stands, makes id and time when it runs, and shows why an event is refused.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

_WIDE = 80  # characters up to which an object or a list stands on one line
_UNSEEN = re.compile("[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def javascript(url: str, name: str, version: str, event: Mapping[str, Any]) -> str:
    """Return a function for browsers that logs an event, and a call of it with an example.

    `url` is the server's address, `event` a payload that passes.
    """
    return f"""\
async function logEvent(schema, version, event) {{
  const body = {{
    schema, version, event,
    id: crypto.randomUUID?.(), // keep id and dt when you send the same event again
    dt: new Date().toISOString(),
  }};
  const response = await fetch({_script(_address(url))}, {{
    method: "POST",
    keepalive: true, // sent to its end even when the page closes
    headers: {{ "Content-Type": "application/json" }},
    body: JSON.stringify(body),
  }});
  const answer = await response.json();
  for (const refused of [...(answer.invalid ?? []), ...(answer.error ?? [])]) {{
    console.warn(refused.code, refused.context?.errorsText ?? refused.text);
  }}
  return response.status === 201;
}}

logEvent({_script(name)}, {_script(version)}, {_script(event)});
"""


def python(url: str, name: str, version: str, event: Mapping[str, Any]) -> str:
    """Return a program of the standard library alone that logs an event and prints the answer."""
    return f"""\
import json
import os
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone

URL = {_python(_address(url))}


def log_event(schema, version, event):
    body = {{
        "schema": schema,
        "version": version,
        "event": event,
        "id": str(uuid.uuid4()),  # keep id and dt when you send the same event again
        "dt": datetime.now(timezone.utc).isoformat(),
    }}
    headers = {{"Content-Type": "application/json"}}
    if os.environ.get("EVENTLOGGING_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["EVENTLOGGING_TOKEN"]
    request = urllib.request.Request(URL, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)  # says why: answer["invalid"][0]["context"]["errors"]


print(log_event({_python(name)}, {_python(version)}, {_python(event)}))
"""


def curl(url: str, name: str, version: str, event: Mapping[str, Any], *, token: bool) -> str:
    """Return a command line that sends an event; with `token`, by a token in $TOKEN."""
    body = {"schema": name, "version": version, "event": dict(event)}
    lines = [f"curl -sS {shlex.quote(_address(url))}", "  -H 'Content-Type: application/json'"]
    if token:
        lines.append('  -H "Authorization: Bearer $TOKEN"')
    lines.append(f"  -d {shlex.quote(_laid_out(body, _json_scalar))}")
    return " \\\n".join(lines)


def _address(url: str) -> str:
    return f"{url.rstrip('/')}/v1/events"


def _script(value: Any) -> str:
    return _laid_out(value, _json_scalar, key=_script_key)


def _script_key(key: Any) -> str:
    # In a script, this key alone would not be a field but the object's prototype.
    return '["__proto__"]' if key == "__proto__" else _json_scalar(key)


def _python(value: Any) -> str:
    return _laid_out(value, _python_scalar)


def _json_scalar(value: Any) -> str:
    """Return JSON in which nothing ends a script or hides from the eye."""
    text = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _python_scalar(value: Any) -> str:
    if isinstance(value, str):  # JSON's texts are Python's, where nothing beyond the BMP is escaped
        return _json_scalar(value)
    return repr(value)


def _laid_out(
    value: Any,
    scalar: Callable[[Any], str],
    indent: str = "",
    key: Callable[[Any], str] | None = None,
) -> str:
    """Return a literal over several lines, where one would be too long."""
    if not isinstance(value, Mapping | list) or not value:
        return scalar({} if isinstance(value, Mapping) else value)
    inner = indent + "  "
    if isinstance(value, Mapping):
        named = key or scalar
        parts = [f"{named(k)}: {_laid_out(v, scalar, inner, key)}" for k, v in value.items()]
    else:
        parts = [_laid_out(item, scalar, inner, key) for item in value]
    start, end = "{}" if isinstance(value, Mapping) else "[]"
    line = f"{start}{', '.join(parts)}{end}"
    if len(line) <= _WIDE and "\n" not in line:
        return line
    return f"{start}\n" + "".join(f"{inner}{part},\n" for part in parts)[:-2] + f"\n{indent}{end}"
